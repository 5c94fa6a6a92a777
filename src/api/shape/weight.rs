//! The arithmetic of weights. It saturates: a document may ask for more than a number can say.

use super::super::limits::{Limits, Refusal};
use super::introspection::Introspection;
use super::{Filters, Measure};

/// What a selection set, a field or a fragment asks for, relative to one object that it stands on.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Weight {
    pub(super) nodes: usize,
    /// Lists, and links to records.
    pub(super) reads: usize,
    pub(super) values: usize,
    /// Points that long texts may come to.
    pub(super) texts: usize,
    pub(super) depth: usize,
    pub(super) aliases: usize,
    pub(super) selections: usize,
    pub(super) directives: usize,
    /// Rows of the largest page.
    pub(super) page_rows: usize,
    /// Whether stages of pipelines are among it.
    pub(super) has_stages: bool,
    /// Fields directly here and not below one.
    pub(super) own_fields: usize,
    pub(super) introspection: Introspection,
    pub(super) filters: Filters,
}

impl Weight {
    /// Two selections beside each other.
    pub(super) fn beside(self, other: Self) -> Self {
        Self {
            nodes: self.nodes.saturating_add(other.nodes),
            reads: self.reads.saturating_add(other.reads),
            values: self.values.saturating_add(other.values),
            texts: self.texts.saturating_add(other.texts),
            depth: self.depth.max(other.depth),
            aliases: self.aliases.saturating_add(other.aliases),
            selections: self.selections.saturating_add(other.selections),
            directives: self.directives.saturating_add(other.directives),
            page_rows: self.page_rows.max(other.page_rows),
            has_stages: self.has_stages || other.has_stages,
            own_fields: self.own_fields.saturating_add(other.own_fields),
            introspection: self.introspection.beside(other.introspection),
            filters: self.filters.beside(other.filters),
        }
    }

    /// The same, written as one more selection with so many directives.
    pub(super) fn written(self, directives: usize) -> Self {
        Self {
            selections: self.selections.saturating_add(1),
            directives: self.directives.saturating_add(directives),
            ..self
        }
    }

    /// Refuses what no operation of a document may ask for, run or not. The count that explodes first comes first.
    pub(super) fn check(&self, limits: &Limits) -> Result<(), Refusal> {
        Refusal::unless_within(
            "TOO_MANY_SELECTIONS",
            "selections with fragments expanded",
            self.selections,
            limits.expanded_selections,
        )?;
        self.measure().check_structure(limits)?;
        self.introspection.check(limits)
    }

    pub(super) fn measure(&self) -> Measure {
        Measure {
            nodes: self.nodes,
            reads: self.reads,
            cost: self.values,
            texts: self.texts,
            root_fields: self.own_fields,
            depth: self.depth,
            aliases: self.aliases,
            selections: self.selections,
            directives: self.directives,
            page_rows: self.page_rows,
            has_stages: self.has_stages,
            filters: self.filters,
        }
    }
}
