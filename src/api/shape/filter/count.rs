//! Counting what the arguments of a field ask for, by reference: what a variable holds may be large and stand in many
//! places.

use std::cell::RefCell;
use std::collections::HashMap;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::Field;
use async_graphql::{Name, Value};

use super::super::super::limits::{Limits, Refusal};
use super::super::page::Values;
use super::super::schema::{FieldShape, SchemaShape};
use super::{ALL, CONDITION, Filters, InputRole, JOINS, LISTS, VALUES_PER_POINT};

/// What variables ask for, by the type that is expected where they stand: one that stands in many places is counted once.
pub(in crate::api::shape) type Counted<'a> = RefCell<HashMap<(Name, &'a str), Filters>>;

/// Counts what the arguments of an operation ask for.
pub(in crate::api::shape) struct Counting<'w, 'a> {
    shape: &'a SchemaShape,
    values: &'w Values<'a>,
    variables: &'w Counted<'a>,
    limits: &'w Limits,
}

impl<'w, 'a> Counting<'w, 'a> {
    pub(in crate::api::shape) fn new(
        shape: &'a SchemaShape,
        values: &'w Values<'a>,
        variables: &'w Counted<'a>,
        limits: &'w Limits,
    ) -> Self {
        Self {
            shape,
            values,
            variables,
            limits,
        }
    }

    /// The filters in the arguments of a field.
    pub(in crate::api::shape) fn of(&self, field: &Field, known: &'a FieldShape) -> Filters {
        let arguments = field.arguments.iter().filter_map(|(name, _)| {
            let type_name = known.arguments.get(name.node.as_str())?;
            self.shape.input_role(type_name)?;
            Some(self.count(&Values::written(field, &name.node)?, type_name))
        });
        let counted = arguments.fold(Filters::default(), Filters::beside);
        Filters {
            count: usize::from(counted.conditions > 0),
            ..counted
        }
    }

    /// Refuses a field one of whose filters is beyond the limits, saying where it stands: the innermost part that is
    /// too much by itself.
    pub(in crate::api::shape) fn check(
        &self,
        field: &Field,
        known: &'a FieldShape,
    ) -> Result<(), Refusal> {
        for (name, _) in &field.arguments {
            let type_name = known.arguments.get(name.node.as_str());
            let value = Values::written(field, &name.node);
            let Some((value, type_name)) = value.zip(type_name) else {
                continue;
            };
            if let Err(refusal) = self.count(&value, type_name).check(self.limits) {
                let mut path = name.node.to_string();
                self.find(&value, type_name, refusal.code, &mut path);
                return Err(refusal.at(name.pos, path));
            }
        }
        Ok(())
    }

    /// Adds the way to the innermost part to the path that would be refused with the same code by itself.
    fn find(&self, value: &Value, type_name: &'a str, code: &str, path: &mut String) {
        let Some(fields) = self.shape.input_fields(type_name) else {
            return;
        };
        if self.shape.input_role(type_name) == Some(InputRole::Comparator) {
            path.extend(
                self.too_long(value)
                    .into_iter()
                    .flat_map(|list| [".", list]),
            );
            return;
        }
        let parts: Vec<(String, &Value, &'a str)> = match self.values.resolved(value) {
            Value::List(items) => {
                let items = items.iter().enumerate();
                items
                    .map(|(n, item)| (n.to_string(), item, type_name))
                    .collect()
            }
            Value::Object(entries) => entries
                .iter()
                .filter_map(|(name, part)| {
                    Some((name.to_string(), part, fields.get(name.as_str())?.as_str()))
                })
                .collect(),
            _ => Vec::new(),
        };
        let is_it = |(_, part, type_name): &(String, &Value, &'a str)| {
            let checked = self.count(part, type_name).check(self.limits);
            checked.is_err_and(|refusal| refusal.code == code)
        };
        if let Some((name, part, type_name)) = parts.into_iter().find(is_it) {
            path.push('.');
            path.push_str(&name);
            self.find(part, type_name, code, path);
        }
    }

    /// The list of a comparator that has too many values.
    fn too_long(&self, value: &Value) -> Option<&'static str> {
        let Value::Object(entries) = self.values.resolved(value) else {
            return None;
        };
        LISTS.into_iter().find(|list| {
            let values = entries
                .get(*list)
                .map(|values| self.values.resolved(values));
            matches!(values, Some(Value::List(items)) if items.len() > self.limits.filter_values)
        })
    }

    /// What a value of an input type asks for.
    fn count(&self, value: &Value, type_name: &'a str) -> Filters {
        let Some(role) = self.shape.input_role(type_name) else {
            return Filters::default();
        };
        if let Some(variable) = Values::variable(value) {
            let key = (variable, type_name);
            let known = self.variables.borrow().get(&key).copied();
            return known.unwrap_or_else(|| {
                let counted = self.count(self.values.resolved(value), type_name);
                self.variables.borrow_mut().insert(key, counted);
                counted
            });
        }
        match (value, role) {
            (Value::List(items), _) => {
                let items = items.iter().map(|item| self.count(item, type_name));
                items.fold(Filters::default(), Filters::and)
            }
            (Value::Object(entries), InputRole::Comparator) => self.comparisons(entries),
            (Value::Object(entries), InputRole::Filter) => {
                let parts = self.parts(entries, type_name);
                let all = parts.fold(Filters::default(), Filters::and);
                let all = all.all_of(self.conjuncts(entries));
                Filters {
                    conditions: all.conditions.max(1),
                    depth: all.depth.saturating_add(1),
                    ..all
                }
            }
            (Value::Object(entries), InputRole::Around) => {
                let parts = self.parts(entries, type_name);
                parts.fold(Filters::default(), Filters::beside)
            }
            _ => Filters::default(),
        }
    }

    /// How many conditions of a filter have to hold together.
    fn conjuncts(&self, entries: &IndexMap<Name, Value>) -> usize {
        let of = |(name, value): (&Name, &Value)| match (name.as_str(), self.values.resolved(value))
        {
            (_, Value::Null) => 0,
            (ALL, Value::List(arms)) => arms.len(),
            _ => 1,
        };
        entries.iter().map(of).sum()
    }

    /// What each field of an input object asks for.
    fn parts<'v>(
        &'v self,
        entries: &'v IndexMap<Name, Value>,
        type_name: &'a str,
    ) -> impl Iterator<Item = Filters> + 'v {
        let (fields, role) = (
            self.shape.input_fields(type_name),
            self.shape.input_role(type_name),
        );
        entries.iter().filter_map(move |(name, value)| {
            let inner = fields?.get(name.as_str())?;
            let is_join = inner == type_name && JOINS.contains(&name.as_str());
            match (role, self.shape.input_role(inner)) {
                _ if *self.values.resolved(value) == Value::Null => None,
                (Some(InputRole::Filter), Some(InputRole::Filter)) if !is_join => {
                    Some(self.count(value, inner).related())
                }
                (Some(InputRole::Filter), None) => Some(Filters::condition()),
                _ => Some(self.count(value, inner)),
            }
        })
    }

    fn comparisons(&self, entries: &IndexMap<Name, Value>) -> Filters {
        let compared = entries.iter().map(|(name, value)| {
            let values = match self.values.resolved(value) {
                Value::List(items) if LISTS.contains(&name.as_str()) => items.len(),
                _ => 0,
            };
            Filters {
                values,
                points: CONDITION + values / VALUES_PER_POINT,
                ..Filters::condition()
            }
        });
        compared.fold(Filters::default(), Filters::and)
    }
}
