//! Which operation of a document a request runs.

use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition};
use async_graphql::{Name, Positioned};

use super::super::limits::Refusal;

/// An operation of a document, with its name if it has one.
type NamedOperation<'a> = (Option<&'a Name>, &'a Positioned<OperationDefinition>);

/// The operation with the given name, or the only one of the document.
///
/// # Errors
/// `OPERATION_NOT_FOUND`, or `OPERATION_NAME_REQUIRED` when there are several and none is named.
pub fn select_operation<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<NamedOperation<'a>, Refusal> {
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Ok((None, operation)),
        (DocumentOperations::Multiple(operations), None) if operations.len() == 1 => {
            let (name, operation) = operations
                .iter()
                .next()
                .expect("the length was just compared with one");
            Ok((Some(name), operation))
        }
        (DocumentOperations::Multiple(operations), None) => Err(Refusal::new(
            "OPERATION_NAME_REQUIRED",
            format!(
                "the document has {} operations, so operationName must say which one to run",
                operations.len()
            ),
        )),
        (DocumentOperations::Single(_), Some(_)) => Err(not_found()),
        (DocumentOperations::Multiple(operations), Some(name)) => {
            let (name, operation) = operations.get_key_value(name).ok_or_else(not_found)?;
            Ok((Some(name), operation))
        }
    }
}

fn not_found() -> Refusal {
    Refusal::new(
        "OPERATION_NOT_FOUND",
        "the document has no operation of the name given as operationName",
    )
}
