//! What introspection may select of `__schema` and `__type`: everything that explorers do, and no cycles.
//!
//! A schema is a graph with cycles (a type has fields, a field has a type), so a small document can select all fields
//! of all types of all fields. What makes such a response large is lists of types or fields inside each other, and the
//! list of all types selected several times; both are counted. Plain depth is harmless, and needed: the usual
//! introspection unwraps a type nine times.

use super::super::limits::{Limits, Refusal};

/// The lists that lead from types to more types.
const LISTS_OF_TYPES: [&str; 5] = [
    "types",
    "fields",
    "inputFields",
    "interfaces",
    "possibleTypes",
];
const EVERY_TYPE: &str = "types";
/// The usual introspection nests two: all types, and the fields of each.
const NESTED_LISTS: usize = 2;
const LISTS_OF_EVERY_TYPE: usize = 2;

/// What a selection selects of the schema.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Introspection {
    depth: usize,
    nested_lists: usize,
    lists_of_every_type: usize,
}

impl Introspection {
    /// Two selections beside each other.
    pub(super) fn beside(self, other: Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            nested_lists: self.nested_lists.max(other.nested_lists),
            lists_of_every_type: self
                .lists_of_every_type
                .saturating_add(other.lists_of_every_type),
        }
    }

    /// A field with this below it.
    pub(super) fn below(self, field: &str) -> Self {
        Self {
            depth: self.depth.saturating_add(1),
            nested_lists: self
                .nested_lists
                .saturating_add(usize::from(LISTS_OF_TYPES.contains(&field))),
            lists_of_every_type: self
                .lists_of_every_type
                .saturating_add(usize::from(field == EVERY_TYPE)),
        }
    }

    pub(super) fn check(self, limits: &Limits) -> Result<(), Refusal> {
        let code = "INTROSPECTION_TOO_DEEP";
        Refusal::unless_within(
            code,
            "levels of introspection",
            self.depth,
            limits.introspection_depth,
        )?;
        Refusal::unless_within(
            code,
            "nested lists of types or fields",
            self.nested_lists,
            NESTED_LISTS,
        )?;
        let code = "INTROSPECTION_TOO_WIDE";
        Refusal::unless_within(
            code,
            "lists of every type",
            self.lists_of_every_type,
            LISTS_OF_EVERY_TYPE,
        )
    }
}
