//! What apollo-compiler does not validate of a document's values: the values of our own scalars, since the
//! schema's text does not say what they look like, and fields of an object that are given twice.

use std::collections::HashSet;

use apollo_compiler::{
    ExecutableDocument, Name, Node,
    ast::{Type, Value},
    executable::{Field, Selection, SelectionSet},
    schema::ExtendedType,
};

use super::parse::{SCHEMA, to_value};
use crate::graphql::scalars::{self, Mismatch};

/// A value that is wrong.
pub(super) struct LiteralFault<'a> {
    pub(super) value: &'a Node<Value>,
    pub(super) mismatch: Mismatch,
}

/// All such values of a valid document, also where they are not run.
pub(super) fn faults(document: &ExecutableDocument) -> Vec<LiteralFault<'_>> {
    let mut found = Vec::new();
    for operation in document.operations.iter() {
        for variable in &operation.variables {
            if let Some(default) = &variable.default_value {
                check(&variable.ty, default, &mut found);
            }
        }
        of_set(&operation.selection_set, &mut found);
    }
    for fragment in document.fragments.values() {
        of_set(&fragment.selection_set, &mut found);
    }
    found
}

fn of_set<'a>(set: &'a SelectionSet, found: &mut Vec<LiteralFault<'a>>) {
    for selection in &set.selections {
        match selection {
            Selection::Field(field) => of_field(field, found),
            Selection::InlineFragment(inline) => of_set(&inline.selection_set, found),
            Selection::FragmentSpread(_) => {}
        }
    }
}

fn of_field<'a>(field: &'a Field, found: &mut Vec<LiteralFault<'a>>) {
    for argument in &field.arguments {
        if let Some(known) = field.definition.argument_by_name(&argument.name) {
            check(&known.ty, &argument.value, found);
        }
    }
    of_set(&field.selection_set, found);
}

fn check<'a>(ty: &Type, value: &'a Node<Value>, found: &mut Vec<LiteralFault<'a>>) {
    match (ty, &**value) {
        (_, Value::Variable(_) | Value::Null) => {}
        (Type::List(inner) | Type::NonNullList(inner), Value::List(items)) => {
            items.iter().for_each(|item| check(inner, item, found));
        }
        (Type::List(inner) | Type::NonNullList(inner), _) => check(inner, value, found),
        (Type::Named(name) | Type::NonNullNamed(name), written) => {
            if let Some(field) = given_twice(written) {
                let mismatch =
                    format!("There can be only one input field named \"{field}\".").into();
                found.push(LiteralFault { value, mismatch });
            }
            match (SCHEMA.types.get(name), written) {
                (Some(ExtendedType::InputObject(known)), Value::Object(fields)) => {
                    for (name, value) in fields {
                        if let Some(field) = known.fields.get(name) {
                            check(&field.ty, value, found);
                        }
                    }
                }
                (Some(ExtendedType::Scalar(_)), written) => {
                    // What has variables inside is checked with their values.
                    let constant = to_value(written).into_const();
                    if let Some(Err(mismatch)) = constant.map(|value| scalars::check(name, &value))
                    {
                        found.push(LiteralFault { value, mismatch });
                    }
                }
                _ => {}
            }
        }
    }
}

/// A field of an object that is there more than once.
fn given_twice(value: &Value) -> Option<&Name> {
    let Value::Object(fields) = value else {
        return None;
    };
    let mut names = HashSet::with_capacity(fields.len());
    let twice = fields.iter().find(|(name, _)| !names.insert(name));
    twice.map(|(name, _)| name)
}
