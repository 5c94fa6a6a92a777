//! How errors of the domains reach a client: what it can mend as data (`userErrors`), the rest as GraphQL errors.

use std::sync::Arc;

use async_graphql::{Context, ErrorExtensions as _, ID, SimpleObject};
use uuid::Uuid;

use super::ContextExt as _;
use crate::{
    base::error::{Error, Result},
    db::list::Record,
};

/// Something in a mutation's input that has to be mended. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
pub struct UserError {
    /// What is wrong, for programs: a stable code such as `NOT_FOUND`, `CONFLICT` or `BLANK`.
    code: String,
    /// What is wrong, for people.
    message: String,
    /// The input field it is about, as a path such as `input.contactMethods.0.value`.
    field: Option<Vec<String>>,
}

impl From<&Error> for UserError {
    fn from(error: &Error) -> Self {
        let field = error.field().filter(|field| !field.is_empty());
        Self {
            code: error.code().to_owned(),
            message: error.to_string(),
            field: field.map(|field| {
                std::iter::once("input")
                    .chain(field.split('.'))
                    .map(str::to_owned)
                    .collect()
            }),
        }
    }
}

impl From<Error> for async_graphql::Error {
    fn from(error: Error) -> Self {
        let field = error.field().map(str::to_owned);
        let mut shown =
            async_graphql::Error::new(error.to_string()).extend_with(|_, extensions| {
                extensions.set("code", error.code());
                if let Some(field) = field {
                    extensions.set("field", field);
                }
            });
        // Whoever runs the operation may try again what has collided.
        if matches!(error, Error::Collided) {
            shown.source = Some(Arc::new(error));
        }
        shown
    }
}

/// Splits a mutation's outcome: the record or the client's errors; faults become GraphQL errors. After a conflict
/// the record is read again, so that the client can show what it has become.
///
/// A client that creates a record under an id that a concurrent request is creating gets that record once it is there, as
/// a later retry does: only a record that the actor does not see is `TAKEN`.
///
/// # Errors
/// Faults of the server.
pub async fn answer<R: Record>(
    ctx: &Context<'_>,
    id: Uuid,
    outcome: Result<R>,
) -> async_graphql::Result<(Option<Arc<R>>, Vec<UserError>)> {
    match outcome {
        Ok(record) => Ok((Some(Arc::new(record)), Vec::new())),
        Err(error @ Error::Conflict { .. }) => {
            let current = ctx.request().load::<R>(Some(id)).await?;
            Ok((current, vec![UserError::from(&error)]))
        }
        Err(error) if error.code() == "TAKEN" && error.field() == Some("id") => {
            let first = ctx.request().load::<R>(Some(id)).await?;
            let errors = match first {
                Some(_) => Vec::new(),
                None => vec![UserError::from(&error)],
            };
            Ok((first, errors))
        }
        Err(error) if error.is_users() => Ok((None, vec![UserError::from(&error)])),
        Err(error) => Err(error.into()),
    }
}

/// What a deletion came to.
#[derive(Debug, SimpleObject)]
pub struct DeletePayload {
    /// The id of what is gone; null when nothing was deleted.
    deleted_id: Option<ID>,
    /// What has to be mended; empty when it was deleted.
    user_errors: Vec<UserError>,
}

impl DeletePayload {
    /// Splits a deletion's outcome like [`answer`].
    ///
    /// # Errors
    /// Faults of the server.
    pub fn new(id: impl ToString, outcome: Result<()>) -> async_graphql::Result<Self> {
        match outcome {
            Ok(()) => Ok(Self {
                deleted_id: Some(ID(id.to_string())),
                user_errors: Vec::new(),
            }),
            Err(error) if error.is_users() => Ok(Self {
                deleted_id: None,
                user_errors: vec![UserError::from(&error)],
            }),
            Err(error) => Err(error.into()),
        }
    }
}
