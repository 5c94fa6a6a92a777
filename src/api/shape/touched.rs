//! Which types of the schema a document touches: those of the objects that it selects and of the input objects that it
//! gives. The dependencies of a response follow from them.

use std::collections::BTreeSet;

use async_graphql::parser::types::{
    ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Value, Variables};

use super::{
    page::Values,
    schema::{SchemaShape, TypeShape},
};

/// Fragments nest at most so deep; what is deeper counts as unknown.
const DEPTH: usize = 64;

/// What a document touches.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Touched<'a> {
    /// Types of objects, interfaces and unions, those of connections and edges among them.
    pub types: BTreeSet<&'a str>,
    /// Types of input objects, as far as there are values for them.
    pub inputs: BTreeSet<&'a str>,
    /// Top-level fields that are no objects.
    pub root_leaves: BTreeSet<&'a str>,
    /// Whether something is selected that the schema does not have.
    pub has_unknown: bool,
}

impl SchemaShape {
    /// What an operation touches, with all its fragments and regardless of `@skip` and `@include`.
    pub fn touched<'a>(
        &'a self,
        document: &'a ExecutableDocument,
        operation: &'a OperationDefinition,
        variables: &'a Variables,
    ) -> Touched<'a> {
        let mut walk = TouchedWalk {
            shape: self,
            document,
            operation,
            values: Values::new(operation, variables),
            seen: BTreeSet::new(),
            touched: Touched::default(),
        };
        let root = self.root(operation.ty);
        walk.set(&operation.selection_set.node, root, DEPTH);
        let mut touched = walk.touched;
        touched.types.remove(root);
        touched
    }
}

struct TouchedWalk<'a> {
    shape: &'a SchemaShape,
    document: &'a ExecutableDocument,
    operation: &'a OperationDefinition,
    values: Values<'a>,
    /// Fragments that were walked already.
    seen: BTreeSet<&'a str>,
    touched: Touched<'a>,
}

impl<'a> TouchedWalk<'a> {
    fn set(&mut self, set: &'a SelectionSet, type_name: &'a str, depth: usize) {
        let Some((depth, shape)) = depth.checked_sub(1).zip(self.shape.fields_of(type_name)) else {
            self.touched.has_unknown = true;
            return;
        };
        self.touched.types.insert(type_name);
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => self.field(&field.node, type_name, shape, depth),
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref();
                    let on = on.map_or(type_name, |on| on.node.on.node.as_str());
                    self.set(&inline.node.selection_set.node, on, depth);
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.node.fragment_name.node.as_str();
                    let Some(fragment) = self.document.fragments.get(name) else {
                        self.touched.has_unknown = true;
                        continue;
                    };
                    if self.seen.insert(name) {
                        let on = fragment.node.type_condition.node.on.node.as_str();
                        self.set(&fragment.node.selection_set.node, on, depth);
                    }
                }
            }
        }
    }

    fn field(&mut self, field: &'a Field, type_name: &str, shape: &'a TypeShape, depth: usize) {
        let name = field.name.node.as_str();
        let Some(known) = shape.fields.get(name) else {
            self.touched.has_unknown |= name != "__typename";
            return;
        };
        for (argument, _) in &field.arguments {
            let name = argument.node.as_str();
            let value = self.values.argument(field, name);
            if let Some((input, value)) = known.arguments.get(name).zip(value) {
                self.input(&value, input);
            }
        }
        if !field.selection_set.node.items.is_empty() {
            self.set(&field.selection_set.node, &known.target, depth);
        } else if type_name == self.shape.root(self.operation.ty) {
            self.touched.root_leaves.insert(name);
        }
    }

    fn input(&mut self, value: &Value, type_name: &'a str) {
        match value {
            Value::List(items) => items.iter().for_each(|item| self.input(item, type_name)),
            Value::Object(entries) => {
                let Some(fields) = self.shape.input_fields(type_name) else {
                    return;
                };
                self.touched.inputs.insert(type_name);
                for (name, value) in entries {
                    if let Some(input) = fields.get(name.as_str()) {
                        self.input(value, input);
                    }
                }
            }
            _ => {}
        }
    }
}
