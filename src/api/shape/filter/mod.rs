//! What the filters of a document ask of the database, known before anything runs.
//!
//! A filter is text that becomes SQL: without a bound 100 kB of it keep a Postgres process busy for seconds and leave it
//! with a gigabyte. So each filter is counted where it stands, whichever field takes it and however it is brought, as a
//! literal, by variables or by both. What a filter is follows from the schema: a comparator has `eq`, and an input
//! object with comparators in it is a filter.

mod count;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use super::super::limits::{Limits, Refusal};
use super::schema::Inputs;
pub(super) use count::{Counted, Counting};

/// Fields of a filter that join further ones of its own kind.
const JOINS: [&str; 3] = [ALL, "or", "not"];
/// The one of them whose arms all have to hold.
const ALL: &str = "and";
/// What every comparator has.
const EQUALS: &str = "eq";
/// Fields of a comparator that take lists of values.
const LISTS: [&str; 2] = ["in", "nin"];

/// Points of there being a filter: more rows are looked at than answered.
const FILTER: usize = 40;
/// Points of a condition on a column of the records themselves, for each parent.
const CONDITION: usize = 2;
/// A list of values costs a point more for each of so many.
const VALUES_PER_POINT: usize = 25;
/// Points of each further condition that has to hold beside others: what meets all of them is looked for among what meets
/// one.
const ALSO: usize = 10;
/// Points of a condition on related records, at whatever depth: another table has to be gone through.
const RELATION: usize = 240;
/// The filter of a list below a list costs a part of this for each parent, since it ends with the page of that parent; and
/// the more parents there are the less each costs, by the square root of their number.
const BELOW: usize = 20;

/// What an input object is to filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InputRole {
    /// It compares a column with values.
    Comparator,
    /// It says which records.
    Filter,
    /// It has one of these somewhere in it.
    Around,
}

/// The input objects that have to do with filters.
pub(super) fn roles(inputs: &Inputs) -> HashMap<String, InputRole> {
    let is_comparator = |name: &str| {
        let fields = inputs.get(name);
        fields.is_some_and(|fields| fields.contains_key(EQUALS))
    };
    let mut roles = HashMap::new();
    for (name, fields) in inputs {
        if is_comparator(name) {
            roles.insert(name.clone(), InputRole::Comparator);
        } else if fields.values().any(|field| is_comparator(field)) {
            roles.insert(name.clone(), InputRole::Filter);
        }
    }
    loop {
        let is_around = |name: &String, fields: &HashMap<String, String>| {
            !roles.contains_key(name) && fields.values().any(|field| roles.contains_key(field))
        };
        let around = inputs
            .iter()
            .filter(|(name, fields)| is_around(name, fields));
        let around: Vec<_> = around.map(|(name, _)| name.clone()).collect();
        if around.is_empty() {
            return roles;
        }
        roles.extend(around.into_iter().map(|name| (name, InputRole::Around)));
    }
}

/// What filters ask for: of each count that of the largest filter, and the points of all of them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Filters {
    /// Comparisons; an arm without any counts as one.
    pub conditions: usize,
    /// Conditions on related records, at every depth.
    pub relations: usize,
    /// How deep relations nest.
    pub relation_depth: usize,
    /// How deep `and`, `or`, `not` and relations nest.
    pub depth: usize,
    /// Values of the longest list.
    pub values: usize,
    /// How many there are.
    pub count: usize,
    /// What their conditions cost, in points.
    pub points: usize,
    /// The same of those below lists, for as many parents as there may be.
    pub points_below: usize,
}

impl Filters {
    /// Those of two fields beside each other.
    pub(super) fn beside(self, other: Self) -> Self {
        Self {
            conditions: self.conditions.max(other.conditions),
            relations: self.relations.max(other.relations),
            relation_depth: self.relation_depth.max(other.relation_depth),
            depth: self.depth.max(other.depth),
            values: self.values.max(other.values),
            count: self.count.saturating_add(other.count),
            points: self.points.saturating_add(other.points),
            points_below: self.points_below.saturating_add(other.points_below),
        }
    }

    /// What evaluating them costs in points, whatever is found.
    #[must_use]
    pub fn cost(&self) -> usize {
        self.count
            .saturating_mul(FILTER)
            .saturating_add(self.points)
            .saturating_add(self.points_below)
    }

    /// The same, evaluated for each of so many rows.
    pub(super) fn below(self, rows: usize) -> Self {
        let points = self
            .points
            .div_ceil(BELOW)
            .saturating_add(self.points_below);
        Self {
            points: 0,
            points_below: points.saturating_mul(rows.isqrt()),
            ..self
        }
    }

    /// A condition on a column.
    fn condition() -> Self {
        Self {
            conditions: 1,
            points: CONDITION,
            ..Self::default()
        }
    }

    /// The same as a condition on related records.
    fn related(self) -> Self {
        Self {
            relations: self.relations.saturating_add(1),
            relation_depth: self.relation_depth.saturating_add(1),
            points: self.points.saturating_add(RELATION),
            ..self
        }
    }

    /// The same with so many conditions that all have to hold.
    fn all_of(self, conditions: usize) -> Self {
        let further = conditions.saturating_sub(1).saturating_mul(ALSO);
        Self {
            points: self.points.saturating_add(further),
            ..self
        }
    }

    /// Two parts of one filter.
    fn and(self, other: Self) -> Self {
        Self {
            conditions: self.conditions.saturating_add(other.conditions),
            relations: self.relations.saturating_add(other.relations),
            ..self.beside(other)
        }
    }

    /// Refuses what is beyond the caller's limits.
    pub(super) fn check(&self, limits: &Limits) -> Result<(), Refusal> {
        let within = Refusal::unless_within;
        within(
            "FILTER_TOO_DEEP",
            "levels in a filter",
            self.depth,
            limits.filter_depth,
        )?;
        within(
            "NESTED_TOO_DEEP",
            "levels of related records in a filter",
            self.relation_depth,
            limits.filter_relation_depth,
        )?;
        within(
            "TOO_MANY_RELATIONS",
            "conditions on related records in a filter",
            self.relations,
            limits.filter_relations,
        )?;
        within(
            "TOO_MANY_CONDITIONS",
            "conditions in a filter",
            self.conditions,
            limits.filter_conditions,
        )?;
        within(
            "TOO_MANY_VALUES",
            "values in a list of a filter",
            self.values,
            limits.filter_values,
        )
    }
}
