//! How many records one page of a connection can hold, from the arguments in the document.

use std::collections::HashMap;
use std::convert::Infallible;

use async_graphql::parser::types::{Field, FieldDefinition, OperationDefinition};
use async_graphql::{Name, Value, Variables};

const SIZE_ARGUMENTS: [&str; 2] = ["first", "last"];
const USUAL: usize = 25;
const LARGEST: usize = 100;

/// The values that an operation gives its variables, sent or by default.
pub(super) struct Values<'a> {
    sent: &'a Variables,
    defaults: HashMap<&'a str, &'a Value>,
}

impl<'a> Values<'a> {
    pub(super) fn new(operation: &'a OperationDefinition, sent: &'a Variables) -> Self {
        let defaults = operation
            .variable_definitions
            .iter()
            .filter_map(|variable| {
                Some((
                    variable.node.name.node.as_str(),
                    &variable.node.default_value.as_ref()?.node,
                ))
            })
            .collect();
        Self { sent, defaults }
    }

    /// The page size of a connection field.
    pub(super) fn page(&self, field: &Field, default: usize) -> usize {
        self.asked(field).unwrap_or(default)
    }

    /// The same where the field has the argument.
    pub(super) fn asked(&self, field: &Field) -> Option<usize> {
        let asked = SIZE_ARGUMENTS
            .iter()
            .filter_map(|argument| field.get_argument(argument));
        let sizes = asked.filter_map(|value| {
            let value = value
                .node
                .clone()
                .into_const_with(|name| Ok::<_, Infallible>(self.count(&name)));
            let Ok(value) = value;
            size(&value)
        });
        sizes.max()
    }

    /// The value of an argument with its variables put in; null for those that are not there.
    pub(super) fn argument(&self, field: &Field, name: &str) -> Option<Value> {
        let written = field.get_argument(name)?.node.clone();
        let value = written.into_const_with(|name| {
            Ok::<_, Infallible>(self.get(&name).cloned().unwrap_or(Value::Null))
        });
        let Ok(value) = value;
        Some(value)
    }

    /// The value of an argument as it is written, without what its variables hold: each stands as an enum value that no
    /// document can write.
    pub(super) fn written(field: &Field, name: &str) -> Option<Value> {
        let written = field.get_argument(name)?.node.clone();
        let value = written.into_const_with(|name| {
            Ok::<_, Infallible>(Value::Enum(Name::new(format!("${name}"))))
        });
        let Ok(value) = value;
        Some(value)
    }

    /// The variable that stands in the place of a value.
    pub(super) fn variable(value: &Value) -> Option<Name> {
        let Value::Enum(name) = value else {
            return None;
        };
        name.starts_with('$').then(|| name.clone())
    }

    /// A value of [`Self::written`] with the variable that it may be put in.
    pub(super) fn resolved<'v>(&'v self, value: &'v Value) -> &'v Value {
        let Some(variable) = Self::variable(value) else {
            return value;
        };
        self.get(&Name::new(&variable[1..])).unwrap_or(&Value::Null)
    }

    fn get(&self, name: &Name) -> Option<&Value> {
        let sent = self.sent.get(name);
        sent.or_else(|| self.defaults.get(name.as_str()).copied())
    }

    /// A variable's value as far as it can be a count: a large one is not copied for every use.
    fn count(&self, name: &Name) -> Value {
        match self.get(name) {
            None => Value::Null,
            Some(value @ (Value::Null | Value::Number(_))) => value.clone(),
            Some(_) => Value::Boolean(false),
        }
    }
}

/// What is not a count at all is refused later and weighs as the largest page.
fn size(value: &Value) -> Option<usize> {
    match value {
        Value::Null => None,
        Value::Number(number) => Some(clamped(number.as_i64())),
        _ => Some(LARGEST),
    }
}

/// Whether a field has an argument that says how many are asked for.
pub(super) fn is_sized(field: &FieldDefinition) -> bool {
    let names = field
        .arguments
        .iter()
        .map(|argument| argument.node.name.node.as_str());
    names.into_iter().any(|name| SIZE_ARGUMENTS.contains(&name))
}

/// The page size when a field names none: its default in the schema, if it has one.
pub(super) fn default_page(field: &FieldDefinition) -> usize {
    let sizes = field
        .arguments
        .iter()
        .filter(|argument| SIZE_ARGUMENTS.contains(&argument.node.name.node.as_str()));
    sizes
        .filter_map(|argument| size(&argument.node.default_value.as_ref()?.node))
        .max()
        .unwrap_or(USUAL)
}

/// A page is served with 1 to 100 records.
fn clamped(asked: Option<i64>) -> usize {
    match asked {
        Some(0) => 1,
        Some(count) => usize::try_from(count).map_or(LARGEST, |count| count.min(LARGEST)),
        None => LARGEST,
    }
}
