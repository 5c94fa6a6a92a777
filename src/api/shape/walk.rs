//! The walk over a parsed document that adds up its weight, each fragment once.
//!
//! It recurses as deep as selections are written inside each other in one definition, which the parser bounds at 64;
//! through fragments it does not recurse, since a document may have hundreds that each use the next.

use std::cell::OnceCell;
use std::collections::HashMap;

use async_graphql::parser::types::{
    ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, Variables};

use super::super::limits::{Limits, Refusal};
use super::filter::{Counted, Counting, Filters};
use super::page::Values;
use super::schema::{FieldShape, SchemaShape, Size, TypeShape};
use super::weight::Weight;

/// How many elements a list without pages counts for.
const LIST: usize = 10;

/// One weighing: pages come from the variables, and those belong to one operation.
pub(super) struct WeightWalk<'a> {
    shape: &'a SchemaShape,
    operation: &'a OperationDefinition,
    values: Values<'a>,
    /// How many stages a pipeline has.
    stages: usize,
    fragments: HashMap<&'a str, Weight>,
    limits: &'a Limits,
    counted: Counted<'a>,
    /// Why the first filter that is beyond the limits is refused.
    refused: OnceCell<Refusal>,
}

/// The parent type of a selection set.
#[derive(Clone, Copy)]
enum ParentType<'a> {
    Type(&'a TypeShape),
    Introspection,
    Unknown,
}

impl<'a> WeightWalk<'a> {
    pub(super) fn new(
        shape: &'a SchemaShape,
        operation: &'a OperationDefinition,
        variables: &'a Variables,
        stages: usize,
        limits: &'a Limits,
    ) -> Self {
        Self {
            shape,
            operation,
            values: Values::new(operation, variables),
            stages,
            fragments: HashMap::new(),
            limits,
            counted: Counted::default(),
            refused: OnceCell::new(),
        }
    }

    /// Weighs the operation. `order` has every fragment after those that it uses.
    pub(super) fn operation(
        &mut self,
        document: &'a ExecutableDocument,
        order: &[&'a Name],
    ) -> Weight {
        for name in order {
            let fragment = &document.fragments[*name].node;
            let parent_type = self.parent_type(&fragment.type_condition.node.on.node);
            let mut weight = self.set(&fragment.selection_set.node, parent_type);
            weight.directives = weight.directives.saturating_add(fragment.directives.len());
            self.fragments.insert(name, weight);
        }
        let operation = self.operation;
        let parent_type = self.parent_type(self.shape.root(operation.ty));
        let on_variables: usize = operation
            .variable_definitions
            .iter()
            .map(|variable| variable.node.directives.len())
            .sum();
        let mut weight = self.set(&operation.selection_set.node, parent_type);
        weight.directives = weight
            .directives
            .saturating_add(operation.directives.len())
            .saturating_add(on_variables);
        weight
    }

    /// Refuses the first filter that is beyond the limits, once the operation is weighed.
    pub(super) fn check_filters(self) -> Result<(), Refusal> {
        self.refused.into_inner().map_or(Ok(()), Err)
    }

    fn parent_type(&self, type_name: &str) -> ParentType<'a> {
        if type_name.starts_with("__") {
            return ParentType::Introspection;
        }
        self.shape
            .fields_of(type_name)
            .map_or(ParentType::Unknown, ParentType::Type)
    }

    fn set(&self, set: &SelectionSet, parent_type: ParentType<'a>) -> Weight {
        let weights = set.items.iter().map(|selection| match &selection.node {
            Selection::Field(field) => self
                .field(&field.node, parent_type)
                .written(field.node.directives.len()),
            Selection::InlineFragment(fragment) => {
                let fragment = &fragment.node;
                let parent_type = fragment
                    .type_condition
                    .as_ref()
                    .map_or(parent_type, |on| self.parent_type(&on.node.on.node));
                self.set(&fragment.selection_set.node, parent_type)
                    .written(fragment.directives.len())
            }
            Selection::FragmentSpread(spread) => {
                let known = self.fragments.get(spread.node.fragment_name.node.as_str());
                known
                    .copied()
                    .unwrap_or_default()
                    .written(spread.node.directives.len())
            }
        });
        weights.fold(Weight::default(), Weight::beside)
    }

    fn field(&self, field: &Field, parent_type: ParentType<'a>) -> Weight {
        let is_introspection = matches!(field.name.node.as_str(), "__schema" | "__type");
        let mut weight = match parent_type {
            ParentType::Introspection => self.introspection(field),
            _ if is_introspection => self.introspection(field),
            ParentType::Type(parent) => self.objects(field, Some(parent)),
            ParentType::Unknown => self.objects(field, None),
        };
        weight.own_fields = 1;
        weight.aliases = weight
            .aliases
            .saturating_add(usize::from(field.alias.is_some()));
        weight
    }

    fn introspection(&self, field: &Field) -> Weight {
        let below = self.set(&field.selection_set.node, ParentType::Introspection);
        Weight {
            values: below.values.saturating_add(1),
            introspection: below.introspection.below(&field.name.node),
            ..below
        }
    }

    fn objects(&self, field: &Field, parent: Option<&'a TypeShape>) -> Weight {
        let name = field.name.node.as_str();
        let known = parent.and_then(|parent| parent.fields.get(name));
        let parent_type =
            known.map_or(ParentType::Unknown, |known| self.parent_type(&known.target));
        let below = self.set(&field.selection_set.node, parent_type);
        let filters = known.map_or_else(Filters::default, |known| self.filters(field, known));
        let weight = self.rows(field, parent, known, below);
        Weight {
            filters: weight.filters.beside(filters),
            ..weight
        }
    }

    /// The filters of a field. The first one beyond the limits is remembered.
    fn filters(&self, field: &Field, known: &'a FieldShape) -> Filters {
        let counting = Counting::new(self.shape, &self.values, &self.counted, self.limits);
        let filters = counting.of(field, known);
        if let Err(refusal) = filters.check(self.limits) {
            let located = || counting.check(field, known).err();
            self.refused.get_or_init(|| located().unwrap_or(refusal));
        }
        filters
    }

    /// What a field asks for that answers rows with what is `below` them.
    fn rows(
        &self,
        field: &Field,
        parent: Option<&'a TypeShape>,
        known: Option<&'a FieldShape>,
        below: Weight,
    ) -> Weight {
        let name = field.name.node.as_str();
        let is_leaf = field.selection_set.node.items.is_empty();
        if is_leaf || parent.is_some_and(|parent| parent.role.wraps_in(name)) {
            let texts = known.map_or(0, |known| known.texts);
            let weight = objects(below, 1, 0);
            return Weight {
                texts: weight.texts.saturating_add(texts),
                ..weight
            };
        }
        let size = known.map_or(Size::One, |known| known.size);
        let target = known.and_then(|known| self.shape.fields_of(&known.target));
        let is_read = matches!(size, Size::Page { .. } | Size::Stages)
            || target.is_some_and(|of| of.is_record);
        let below = Weight {
            reads: below.reads.saturating_add(usize::from(is_read)),
            ..below
        };
        match size {
            Size::Stages => {
                let asked = self.values.asked(field);
                let rows = asked.map_or(self.stages, |rows| rows.min(self.stages));
                let weight = list(below, rows);
                Weight {
                    page_rows: weight.page_rows.max(asked.unwrap_or(0)),
                    has_stages: true,
                    ..weight
                }
            }
            Size::One => objects(below, 1, 1),
            Size::List => list(below, LIST),
            Size::Page { default } => {
                let rows = self.values.page(field, default);
                let weight = list(below, rows);
                Weight {
                    page_rows: weight.page_rows.max(rows),
                    ..weight
                }
            }
        }
    }
}

/// A field that answers `count` objects, each with what is `below` it and each itself counting as `each` nodes.
fn objects(below: Weight, count: usize, each: usize) -> Weight {
    Weight {
        nodes: below.nodes.saturating_add(each).saturating_mul(count),
        values: below.values.saturating_mul(count).saturating_add(1),
        texts: below.texts.saturating_mul(count),
        depth: below.depth.saturating_add(1),
        ..below
    }
}

/// The same for a list of them. What is filtered below it, even below one row, ends with a page of that row's.
fn list(below: Weight, rows: usize) -> Weight {
    Weight {
        filters: below.filters.below(rows),
        ..objects(below, rows, 1)
    }
}

/// The fragments of a document, each after those that it uses.
///
/// # Errors
/// `FRAGMENT_CYCLE`, also when no operation uses the fragments: the validation would walk them.
pub(super) fn fragment_order(document: &ExecutableDocument) -> Result<Vec<&Name>, Refusal> {
    let mut order = Vec::with_capacity(document.fragments.len());
    let mut is_done: HashMap<&Name, bool> = HashMap::with_capacity(document.fragments.len());
    for start in document.fragments.keys() {
        if is_done.contains_key(start) {
            continue;
        }
        is_done.insert(start, false);
        let mut path = vec![(start, uses(document, start))];
        while let Some((name, pending)) = path.last_mut() {
            let Some(next) = pending.pop() else {
                is_done.insert(name, true);
                order.push(*name);
                path.pop();
                continue;
            };
            match is_done.get(next) {
                Some(true) => {}
                Some(false) => {
                    return Err(Refusal::new(
                        "FRAGMENT_CYCLE",
                        "the fragments use each other in a circle",
                    ));
                }
                None => {
                    is_done.insert(next, false);
                    path.push((next, uses(document, next)));
                }
            }
        }
    }
    Ok(order)
}

/// The known fragments that a fragment spreads.
fn uses<'a>(document: &'a ExecutableDocument, name: &Name) -> Vec<&'a Name> {
    let mut found = Vec::new();
    let mut sets: Vec<&Positioned<SelectionSet>> =
        vec![&document.fragments[name].node.selection_set];
    while let Some(set) = sets.pop() {
        for selection in &set.node.items {
            match &selection.node {
                Selection::Field(field) => sets.push(&field.node.selection_set),
                Selection::InlineFragment(fragment) => sets.push(&fragment.node.selection_set),
                Selection::FragmentSpread(spread) => {
                    found.extend(
                        document
                            .fragments
                            .get_key_value(&spread.node.fragment_name.node)
                            .map(|(name, _)| name),
                    );
                }
            }
        }
    }
    found
}
