//! The variables of an operation: what was sent, made into what their types say, with the defaults of those that were not
//! (GraphQL specification, section 6.1.2).

use apollo_compiler::{
    ast::Type,
    collections::IndexMap as CollectedFields,
    schema::{Component, ExtendedType, InputObjectType, InputValueDefinition},
};
use async_graphql::{
    Name, Number, Pos, ServerError, Value, Variables,
    indexmap::IndexMap,
    parser::types::{self as parser, OperationDefinition},
};

use super::parse::SCHEMA;
use crate::graphql::scalars::{self, Mismatch};

/// The coerced variables of an operation. One that was not sent and has no default is not in it.
///
/// # Errors
/// `BAD_USER_INPUT` for the first value that is missing or not of its type, with its place in `field`.
pub(super) fn coerce(
    operation: &OperationDefinition,
    sent: &Variables,
) -> Result<Variables, ServerError> {
    let mut coerced = Variables::default();
    for definition in &operation.variable_definitions {
        let variable = &definition.node;
        let name = &variable.name.node;
        let ty = to_type(&variable.var_type.node);
        let value = match (sent.get(name), &variable.default_value) {
            (Some(value), _) => value,
            (None, Some(default)) => &default.node,
            (None, None) if variable.var_type.node.nullable => continue,
            (None, None) => &Value::Null,
        };
        let mut path = InputPath::at(name);
        let value = path.value(&ty, value);
        let value = value.map_err(|wrong| path.error(wrong, variable.name.pos))?;
        coerced.insert(name.clone(), value);
    }
    Ok(coerced)
}

/// The type of a variable, as the schema has its own.
fn to_type(ty: &parser::Type) -> Type {
    let base = match &ty.base {
        parser::BaseType::Named(name) => {
            Type::Named(apollo_compiler::Name::new_unchecked(name.as_str()))
        }
        parser::BaseType::List(inner) => Type::List(Box::new(to_type(inner))),
    };
    match ty.nullable {
        true => base,
        false => base.non_null(),
    }
}

/// Where in a variable's value we are.
struct InputPath(Vec<String>);

impl InputPath {
    fn at(variable: &Name) -> Self {
        Self(vec![variable.to_string()])
    }

    fn error(&self, wrong: Mismatch, at: Pos) -> ServerError {
        let field = self.0.join(".");
        let message = format!("the variable ${field}: {}", wrong.expected);
        let mut error = ServerError::new(message, Some(at));
        let extensions = error.extensions.get_or_insert_default();
        let code = wrong.code.unwrap_or_else(|| "BAD_USER_INPUT".into());
        extensions.set("code", code);
        extensions.set("field", field);
        error
    }

    /// Descends by a step; after an error it stays there, which names the place of the error.
    fn below<T>(
        &mut self,
        step: impl ToString,
        go: impl FnOnce(&mut Self) -> Result<T, Mismatch>,
    ) -> Result<T, Mismatch> {
        self.0.push(step.to_string());
        let done = go(self)?;
        self.0.pop();
        Ok(done)
    }

    fn value(&mut self, ty: &Type, value: &Value) -> Result<Value, Mismatch> {
        match (ty, value) {
            (Type::NonNullNamed(_) | Type::NonNullList(_), Value::Null) => {
                Err(format!("expected {ty}, which must not be null or missing").into())
            }
            (_, Value::Null) => Ok(Value::Null),
            (Type::List(inner) | Type::NonNullList(inner), Value::List(items)) => {
                let items = items.iter().enumerate();
                items
                    .map(|(i, item)| self.below(i, |place| place.value(inner, item)))
                    .collect::<Result<_, _>>()
                    .map(Value::List)
            }
            (Type::List(inner) | Type::NonNullList(inner), one) => {
                Ok(Value::List(vec![self.value(inner, one)?]))
            }
            (Type::Named(name) | Type::NonNullNamed(name), value) => self.named(name, value),
        }
    }

    fn named(&mut self, type_name: &str, value: &Value) -> Result<Value, Mismatch> {
        match SCHEMA.types.get(type_name) {
            Some(ExtendedType::Scalar(_)) => scalar(type_name, value),
            Some(ExtendedType::Enum(known)) => match value {
                Value::String(name) if known.values.contains_key(name.as_str()) => {
                    Ok(Value::Enum(Name::new(name)))
                }
                Value::Enum(name) if known.values.contains_key(name.as_str()) => Ok(value.clone()),
                _ => Err(format!("expected one of the values of {type_name}").into()),
            },
            Some(ExtendedType::InputObject(known)) => match value {
                Value::Object(fields) => self.object(known, fields),
                _ => Err(format!("expected {type_name}, found {}", word_for(value)).into()),
            },
            _ => Err(format!("{type_name} is no type of input").into()),
        }
    }

    fn object(
        &mut self,
        known: &InputObjectType,
        sent: &IndexMap<Name, Value>,
    ) -> Result<Value, Mismatch> {
        let fields: &CollectedFields<_, Component<InputValueDefinition>> = &known.fields;
        if let Some(unknown) = sent.keys().find(|name| !fields.contains_key(name.as_str())) {
            return Err(format!("{} has no field {unknown}", known.name).into());
        }
        let mut coerced = IndexMap::with_capacity(sent.len());
        for (name, field) in fields {
            let value = match sent.get(name.as_str()) {
                Some(value) => value,
                // Defaults are left to the resolver, which has the same ones.
                None if field.default_value.is_some() || !field.ty.is_non_null() => continue,
                None => &Value::Null,
            };
            let value = self.below(name, |place| place.value(&field.ty, value))?;
            coerced.insert(Name::new(name.as_str()), value);
        }
        if known.directives.has("oneOf")
            && (coerced.len() != 1 || coerced.values().any(|value| *value == Value::Null))
        {
            return Err(format!("{} takes exactly one field", known.name).into());
        }
        Ok(Value::Object(coerced))
    }
}

fn scalar(type_name: &str, value: &Value) -> Result<Value, Mismatch> {
    let coerced = match (type_name, value) {
        ("Int", Value::Number(number)) => {
            let number = whole(number).and_then(|number| i32::try_from(number).ok());
            number.map(Value::from)
        }
        ("ID", Value::Number(number)) => whole(number).map(|id| Value::String(id.to_string())),
        ("Float", Value::Number(_))
        | ("String" | "ID", Value::String(_))
        | ("Boolean", Value::Boolean(_)) => Some(value.clone()),
        ("Int" | "Float" | "String" | "Boolean" | "ID", _) => None,
        _ => {
            scalars::check(type_name, value)?;
            Some(value.clone())
        }
    };
    coerced.ok_or_else(|| format!("expected {type_name}, found {}", word_for(value)).into())
}

/// JSON does not distinguish 1.0 from 1.
fn whole(number: &Number) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    number.as_i64().or_else(|| {
        let number = number
            .as_f64()
            .filter(|number| number.fract() == 0.0 && number.abs() < EXACT)?;
        Some(number as i64)
    })
}

const fn word_for(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Boolean(_) => "true or false",
        Value::Binary(_) => "bytes",
        Value::Enum(_) => "a name",
        Value::List(_) => "a list",
        Value::Object(_) => "an object",
    }
}
