//! What was collected, as a document that the executor runs: one operation, all values in place.

use async_graphql::{
    Name, Positioned, Variables,
    indexmap::IndexMap,
    parser::types::{
        DocumentOperations, ExecutableDocument, Field, InlineFragment, OperationDefinition,
        OperationType, Selection, SelectionSet, TypeCondition,
    },
};

use super::collect::{CollectedField, CollectedFields, SubSelection, filled};
use crate::graphql::projection::TYPE_KEY;

/// A document of one operation that selects some fields of its root.
pub(super) fn document(
    ty: OperationType,
    fields: &[CollectedField],
    variables: &Variables,
) -> ExecutableDocument {
    let mut items = Vec::with_capacity(fields.len());
    push_all(fields.iter(), variables, &mut items);
    let operation = OperationDefinition {
        ty,
        variable_definitions: Vec::new(),
        directives: Vec::new(),
        selection_set: unplaced(SelectionSet { items }),
    };
    ExecutableDocument {
        operations: DocumentOperations::Single(unplaced(operation)),
        fragments: Default::default(),
    }
}

/// Takes an argument from the fields of the root.
pub(super) fn leave_out(document: &mut ExecutableDocument, argument: &str) {
    let DocumentOperations::Single(operation) = &mut document.operations else {
        return;
    };
    for selection in &mut operation.node.selection_set.node.items {
        if let Selection::Field(field) = &mut selection.node {
            let arguments = &mut field.node.arguments;
            arguments.retain(|(name, _)| name.node != argument);
        }
    }
}

/// What is made here stands nowhere in the client's text.
fn unplaced<T>(node: T) -> Positioned<T> {
    Positioned::new(node, Default::default())
}

type Items = Vec<Positioned<Selection>>;

fn push_all<'a>(
    fields: impl Iterator<Item = &'a CollectedField>,
    variables: &Variables,
    items: &mut Items,
) {
    for selected in fields {
        let mut field = selected.asked.clone();
        let arguments = &mut field.node.arguments;
        arguments.retain_mut(|(_, value)| match filled(&value.node, variables) {
            Some(constant) => {
                value.node = constant.into_value();
                true
            }
            None => false,
        });
        field.node.selection_set.node.items = below(&selected.below, variables);
        let at = field.pos;
        items.push(Positioned::new(Selection::Field(field), at));
    }
}

fn below(below: &SubSelection, variables: &Variables) -> Items {
    let mut items = Vec::new();
    match below {
        SubSelection::Leaf => {}
        SubSelection::Object(fields) => {
            push_all(fields.fields.iter(), variables, &mut items);
            // The executor does not distinguish an object of which nothing is selected from one that is missing.
            if items.is_empty() {
                items.push(type_field());
            }
        }
        SubSelection::Abstract {
            of,
            others,
            possible,
        } => {
            if others.type_key().is_none() {
                items.push(type_field());
            }
            by_type(of, others, possible, variables, &mut items);
        }
    }
    items
}

/// The executor would run a field of an interface twice that is selected of all objects and, with other fields below it,
/// of those of a type. Then the types are selected separately.
fn by_type(
    of: &IndexMap<Name, CollectedFields>,
    others: &CollectedFields,
    possible: &[Name],
    variables: &Variables,
    items: &mut Items,
) {
    let has_more_below = |field: &CollectedField| !matches!(field.below, SubSelection::Leaf);
    if !of.is_empty() && others.fields.iter().any(has_more_below) {
        for type_name in possible {
            let fields = of.get(type_name).unwrap_or(others);
            push_fragment(type_name, fields.fields.iter(), variables, items);
        }
        return;
    }
    push_all(others.fields.iter(), variables, items);
    for (type_name, fields) in of {
        let is_new =
            |field: &&CollectedField| others.fields.iter().all(|known| known.key != field.key);
        let new = fields.fields.iter().filter(is_new);
        push_fragment(type_name, new, variables, items);
    }
}

fn push_fragment<'a>(
    type_name: &Name,
    fields: impl Iterator<Item = &'a CollectedField>,
    variables: &Variables,
    items: &mut Items,
) {
    let mut inside = Vec::new();
    push_all(fields, variables, &mut inside);
    if inside.is_empty() {
        return;
    }
    let on = TypeCondition {
        on: unplaced(type_name.clone()),
    };
    items.push(unplaced(Selection::InlineFragment(unplaced(
        InlineFragment {
            type_condition: Some(unplaced(on)),
            directives: Vec::new(),
            selection_set: unplaced(SelectionSet { items: inside }),
        },
    ))));
}

fn type_field() -> Positioned<Selection> {
    unplaced(Selection::Field(unplaced(Field {
        alias: Some(unplaced(Name::new(TYPE_KEY))),
        name: unplaced(Name::new("__typename")),
        arguments: Vec::new(),
        directives: Vec::new(),
        selection_set: unplaced(SelectionSet::default()),
    })))
}

impl CollectedFields {
    /// The client's key for `__typename`.
    pub(super) fn type_key(&self) -> Option<&Name> {
        let mut fields = self.fields.iter();
        let field = fields.find(|field| field.asked.node.name.node == "__typename");
        field.map(|field| &field.key)
    }
}
