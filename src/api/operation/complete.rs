//! Completing the response as the specification says (section 6.4.4): in the order of the selection, with every key, and
//! null for each value that holds a non-null field that failed.
//!
//! async-graphql 7.2.1 runs the fields of an object at once and writes them as they get ready; it leaves out those that
//! failed, and takes an object without any field for null.

use std::cell::RefCell;

use apollo_compiler::ast::Type;
use async_graphql::{PathSegment, Pos, Response, ServerError, Value, indexmap::IndexMap};

use crate::graphql::projection::TYPE_KEY;

use super::collect::{CollectedFields, SubSelection};

/// Completes what the executor has answered to the root's fields; null when a field of the root had to be there.
pub(super) fn complete(root: &CollectedFields, response: &mut Response) {
    let data = match std::mem::take(&mut response.data) {
        Value::Null => Value::Object(IndexMap::new()),
        data => data,
    };
    let completion = Completion {
        errors: &response.errors,
        undecided: RefCell::default(),
    };
    response.data = completion.fields(root, data, None);
    let undecided = completion.undecided.into_inner();
    response.errors.extend(undecided);
}

struct Completion<'a> {
    errors: &'a [ServerError],
    /// The errors of objects whose selection is undecidable.
    undecided: RefCell<Vec<ServerError>>,
}

/// The way from the root to a value.
#[derive(Clone, Copy)]
struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: PathStep<'a>,
}

#[derive(Clone, Copy)]
enum PathStep<'a> {
    Key(&'a str),
    Index(usize),
}

impl Completion<'_> {
    /// A value of a type; none when it is null and must not be.
    fn value(
        &self,
        ty: &Type,
        below: &SubSelection,
        value: Value,
        path: Path<'_>,
    ) -> Option<Value> {
        let completed = match (ty, value) {
            (Type::List(inner) | Type::NonNullList(inner), Value::List(items)) => {
                let items = items.into_iter().enumerate().map(|(i, item)| {
                    let path = Path {
                        parent: Some(&path),
                        step: PathStep::Index(i),
                    };
                    self.value(inner, below, item, path)
                });
                items
                    .collect::<Option<_>>()
                    .map_or(Value::Null, Value::List)
            }
            (Type::List(_) | Type::NonNullList(_), value) => value,
            (_, value) => self.one(below, value, path),
        };
        (completed != Value::Null || !ty.is_non_null()).then_some(completed)
    }

    fn one(&self, below: &SubSelection, value: Value, path: Path<'_>) -> Value {
        match below {
            SubSelection::Leaf => value,
            SubSelection::Object(fields) => self.fields(fields, value, Some(&path)),
            SubSelection::Abstract { of, others, .. } => {
                let key = others.type_key().map_or(TYPE_KEY, |key| key.as_str());
                let type_name = match &value {
                    Value::Object(object) => object.get(key),
                    _ => None,
                };
                let fields = match type_name {
                    Some(Value::String(name)) => of.get(name.as_str()),
                    _ => None,
                };
                self.fields(fields.unwrap_or(others), value, Some(&path))
            }
        }
    }

    /// An object of these fields. What was written as JSON is complete.
    fn fields(&self, fields: &CollectedFields, value: Value, path: Option<&Path<'_>>) -> Value {
        let mut ready = match value {
            Value::Object(ready) => ready,
            Value::Null if path.is_some_and(|path| self.has_failed_below(path)) => IndexMap::new(),
            value => return value,
        };
        if let Some(at) = fields.undecided {
            self.undecide(path, at);
            return Value::Null;
        }
        let mut object = IndexMap::with_capacity(fields.fields.len());
        for field in &fields.fields {
            let value = ready.swap_remove(&field.key).unwrap_or_default();
            let path = Path {
                parent: path,
                step: PathStep::Key(&field.key),
            };
            match self.value(&field.ty, &field.below, value, path) {
                Some(value) => object.insert(field.key.clone(), value),
                None => return Value::Null,
            };
        }
        Value::Object(object)
    }

    fn undecide(&self, path: Option<&Path<'_>>, at: Pos) {
        let message = "a directive wants true or false, and its variable is null";
        let mut error = ServerError::new(message, Some(at));
        let extensions = error.extensions.get_or_insert_default();
        extensions.set("code", "BAD_USER_INPUT");
        error.path = path.map(Path::segments).unwrap_or_default();
        self.undecided.borrow_mut().push(error);
    }

    /// Whether a field below a value has failed: then there was something selected of it.
    fn has_failed_below(&self, path: &Path<'_>) -> bool {
        self.errors.iter().any(|error| path.leads_to(&error.path))
    }
}

impl Path<'_> {
    /// Whether something lies further along.
    fn leads_to(&self, further: &[PathSegment]) -> bool {
        let segments = self.segments();
        further.len() > segments.len() && further.starts_with(&segments)
    }

    fn segments(&self) -> Vec<PathSegment> {
        let mut segments = self.parent.map(Self::segments).unwrap_or_default();
        segments.push(match self.step {
            PathStep::Key(key) => PathSegment::Field(key.to_owned()),
            PathStep::Index(index) => PathSegment::Index(index),
        });
        segments
    }
}
