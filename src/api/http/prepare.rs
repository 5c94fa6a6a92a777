//! From the text of a document to a request that may run, refusing at the cheapest point. Every way in goes through
//! here: nothing else parses what clients send.

use async_graphql::parser::types::OperationType;

use super::Outcome;
use super::call::Call;
use super::problem::Problem;
use crate::api::{
    Api,
    documents::{Missing, Named, Prepared},
    operation::{self, SyntaxError},
    scan::scan,
    shape::{FEWEST_STAGES, select_operation},
};

/// Characters of an operation's name that the log keeps.
const LONGEST_NAME: usize = 100;

/// How an operation was sent, which decides what it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Transport {
    /// As an address.
    Get,
    /// As a body, for one answer.
    Post,
    /// As an address, for a stream of answers.
    StreamGet,
    /// As a body, for a stream of answers.
    StreamPost,
    /// Over a WebSocket.
    Socket,
}

impl Transport {
    /// Only what changes nothing may come by GET: addresses are followed, repeated and stored by clients and proxies. A
    /// subscription needs a stream, and a socket is for subscriptions: there everything else would evade the rules of
    /// requests.
    fn require(self, operation: OperationType) -> Result<(), Problem> {
        match (self, operation) {
            (Self::Get | Self::StreamGet, OperationType::Mutation) => {
                Err(Problem::method_not_allowed(
                    "POST",
                    "GET runs nothing that changes anything, send a mutation with POST",
                ))
            }
            (Self::Get | Self::Post, OperationType::Subscription) => Err(Problem::document(
                "SUBSCRIPTION_UNSUPPORTED",
                "a subscription is served over a WebSocket, or to a request that accepts text/event-stream",
            )),
            (Self::Socket, OperationType::Query | OperationType::Mutation) => {
                Err(Problem::document(
                    "SUBSCRIPTIONS_ONLY",
                    "a socket serves subscriptions, send queries and mutations with POST",
                ))
            }
            _ => Ok(()),
        }
    }
}

/// Parses and measures; what comes out is safe to validate and to run.
///
/// # Errors
/// Whatever is wrong with the document, or with sending this kind of operation in this way.
pub(in crate::api) async fn prepare(
    api: &Api,
    call: Call,
    transport: Transport,
    outcome: &mut Outcome,
) -> Result<Prepared, Problem> {
    let is_registered = matches!(call.document, Named::Registered(..));
    let documents = api.documents();
    let named = documents.find(call.document).await?;
    let document = documents.get(named, |text| {
        let tokens = scan(text, api.limits())?;
        Ok::<_, Problem>((tokens, operation::read(text)?))
    })?;
    let document = document.ok_or(Missing::Hash)?;
    let name = call.operation_name.as_deref();
    let (selected, operation) = select_operation(&document.parsed, name)?;
    outcome.operation_type = Some(word_for(operation.node.ty));
    outcome.operation_name = selected.map(|name| name.chars().take(LONGEST_NAME).collect());
    transport.require(operation.node.ty)?;
    let measure = api.shape().measure(
        &document.parsed,
        name,
        &call.variables,
        FEWEST_STAGES,
        api.limits(),
    )?;
    Ok(Prepared {
        is_registered,
        document,
        operation_name: call.operation_name,
        variables: call.variables,
        bytes: call.bytes,
        measure,
        extensions: call.extensions,
    })
}

impl From<Missing> for Problem {
    fn from(missing: Missing) -> Self {
        let (code, message) = match missing {
            Missing::Mismatch => (
                "PERSISTED_QUERY_MISMATCH",
                "the query has another hash than extensions.persistedQuery says",
            ),
            // Apollo's clients know it by this text.
            Missing::Hash => ("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound"),
            Missing::Id => (
                "DOCUMENT_NOT_FOUND",
                "no document is listed under this documentId",
            ),
        };
        Self::document(code, message)
    }
}

impl From<SyntaxError> for Problem {
    fn from(SyntaxError { message, at }: SyntaxError) -> Self {
        let message = match at {
            Some(at) => format!(
                "syntax error at line {}, column {}: {message}",
                at.line, at.column
            ),
            None => format!("syntax error: {message}"),
        };
        Self {
            position: at,
            ..Self::document("GRAPHQL_PARSE_FAILED", message)
        }
    }
}

pub(super) const fn word_for(operation: OperationType) -> &'static str {
    match operation {
        OperationType::Query => "query",
        OperationType::Mutation => "mutation",
        OperationType::Subscription => "subscription",
    }
}
