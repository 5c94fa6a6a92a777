//! An operation as the GraphQL specification means it, whatever async-graphql makes of it.
//!
//! First [`read`] parses and validates a document, and [`Executable`] reduces one operation of it to what is really
//! requested: variables coerced and put in, those that were not sent taken out together with the argument or field that
//! they stand for, `@skip` and `@include` evaluated, fragments expanded by type, fields of the same key merged. Both
//! read paths, the executor and the [projection executor](crate::graphql::projection), see only that. Afterwards the
//! response is completed: nulls propagate as the specification says.
//!
//! The reference is graphql-js; `tests/node/reference.mjs` holds us against it.

mod coerced;
mod collect;
mod complete;
mod executable;
mod literals;
mod parse;
#[cfg(test)]
mod tests;
mod variables;

use std::{
    cell::Cell,
    sync::{Arc, OnceLock},
};

use async_graphql::{
    Request, Response, ServerError, Value, Variables,
    parser::types::{ExecutableDocument, OperationDefinition, OperationType},
};

use collect::{CollectedField, CollectedFields, Collector};
pub(super) use parse::{Read, SyntaxError, read};

/// One operation of a valid document with its variables, ready to run.
#[derive(Debug)]
pub(super) struct Executable {
    ty: OperationType,
    root: Collected,
    variables: Variables,
}

/// What an operation selects.
#[derive(Debug, Clone)]
pub(super) struct Collected(Arc<CollectedFields>);

impl Executable {
    /// Prepares an operation, with what was collected of it before if that holds for all variables.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for a variable that is missing or not of its type.
    pub(super) fn new(
        document: &ExecutableDocument,
        operation: &OperationDefinition,
        sent: &Variables,
        known: &OnceLock<Collected>,
    ) -> Result<Self, ServerError> {
        let variables = variables::coerce(operation, sent)?;
        let root = known.get().cloned().unwrap_or_else(|| {
            let collector = Collector {
                document,
                variables: &variables,
                has_asked: Cell::default(),
            };
            let sets = vec![&operation.selection_set.node];
            let fields = collector.object(parse::root(operation.ty), &sets);
            let root = Collected(Arc::new(fields));
            match collector.has_asked.get() {
                true => root,
                false => known.get_or_init(|| root).clone(),
            }
        });
        Ok(Self {
            ty: operation.ty,
            root,
            variables,
        })
    }

    fn fields(&self) -> &[CollectedField] {
        &self.root.0.fields
    }

    /// Whether one of these fields is selected, of any object.
    pub(super) fn selects(&self, names: &[&str]) -> bool {
        self.root.0.selects(names)
    }

    /// The operation as the executor's request.
    pub(super) fn request(&self) -> Request {
        self.request_for(0..self.fields().len())
    }

    /// The same without an argument of the root's fields, one that may be left out.
    pub(super) fn request_without(&self, argument: &str) -> Request {
        let mut document = executable::document(self.ty, self.fields(), &self.variables);
        executable::leave_out(&mut document, argument);
        to_request(document)
    }

    fn request_for(&self, fields: std::ops::Range<usize>) -> Request {
        let fields = &self.fields()[fields];
        to_request(executable::document(self.ty, fields, &self.variables))
    }

    /// Begins to execute it.
    pub(super) fn answering(&self) -> Answering<'_> {
        Answering {
            executable: self,
            done: 0,
            response: Response::new(Value::Null),
        }
    }

    /// Completes what the executor has answered to [`request`](Self::request).
    pub(super) fn complete(&self, response: &mut Response) {
        complete::complete(&self.root.0, response);
    }
}

fn to_request(document: ExecutableDocument) -> Request {
    let mut request = Request::new("");
    request.set_parsed_query(document);
    request
}

/// An operation that is being executed. The fields of a mutation run one after the other, and stop after a failure that
/// leaves no data to answer; those of a query run all at once.
pub(super) struct Answering<'a> {
    executable: &'a Executable,
    /// How many fields were answered.
    done: usize,
    response: Response,
}

impl Answering<'_> {
    /// What to run next, if anything.
    pub(super) fn next(&mut self) -> Option<Request> {
        let fields = self.executable.fields();
        if self.done == fields.len() {
            return None;
        }
        let from = self.done;
        self.done = match self.executable.ty {
            OperationType::Mutation => from + 1,
            OperationType::Query | OperationType::Subscription => fields.len(),
        };
        Some(self.executable.request_for(from..self.done))
    }

    /// Takes the response to it.
    pub(super) fn take(&mut self, response: Response) {
        let fields = self.executable.fields();
        self.response.errors.extend(response.errors);
        match (&mut self.response.data, response.data) {
            (Value::Object(all), Value::Object(answered)) => all.extend(answered),
            (Value::Object(_), _) => {}
            (none, answered) => *none = answered,
        }
        let is_there = |field: &CollectedField| match &self.response.data {
            Value::Object(all) => all
                .get(&field.key)
                .is_some_and(|value| *value != Value::Null),
            _ => false,
        };
        let last = self.done.checked_sub(1).map(|last| &fields[last]);
        if last.is_some_and(|last| last.ty.is_non_null() && !is_there(last)) {
            self.done = fields.len();
        }
    }

    /// The whole answer.
    pub(super) fn finish(self) -> Response {
        let mut response = self.response;
        self.executable.complete(&mut response);
        response
    }
}
