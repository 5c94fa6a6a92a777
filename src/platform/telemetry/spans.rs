//! The spans of a request and of its operation, named by the OpenTelemetry conventions for HTTP and GraphQL.
//!
//! Names of spans come from closed sets. What a client chooses (path, operation name) is an attribute, cut to length.

use async_graphql::parser::types::OperationType;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use sha2::{Digest as _, Sha256};
use tracing::{Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::platform::telemetry::TraceParents;

/// The longest text of a client that goes into a span or a log line, in bytes.
const CLIENT_TEXT_BYTES: usize = 128;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationKind {
    /// Reads.
    Query,
    /// Writes.
    Mutation,
    /// Listens.
    Subscription,
}

impl OperationKind {
    /// The keyword of the GraphQL language.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Mutation => "mutation",
            Self::Subscription => "subscription",
        }
    }
}

impl From<OperationType> for OperationKind {
    fn from(kind: OperationType) -> Self {
        match kind {
            OperationType::Query => Self::Query,
            OperationType::Mutation => Self::Mutation,
            OperationType::Subscription => Self::Subscription,
        }
    }
}

/// The span of one HTTP request. The path is without its query string, which may carry variables.
///
/// It has the highest level, so that a log of any level knows the request its lines belong to.
#[must_use]
pub fn request_span(method: &str, path: &str, request_id: &str) -> Span {
    let method = known_method(method);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    tracing::error_span!(
        target: "dealgraph::request",
        "request",
        "otel.name" = method,
        "otel.kind" = "server",
        "http.request.method" = method,
        "url.path" = cut(path),
        "request.id" = cut(request_id),
    )
}

/// The span of one GraphQL operation; of the document only a SHA-256 is recorded.
#[must_use]
pub fn operation_span(kind: OperationKind, name: Option<&str>, document: &str) -> Span {
    let span = tracing::debug_span!(
        target: "dealgraph::operation",
        "operation",
        "otel.name" = kind.as_str(),
        "graphql.operation.type" = kind.as_str(),
        "graphql.operation.name" = name.map(cut),
        "graphql.document.hash" = Empty,
    );
    if !span.is_disabled() {
        let hash = Sha256::digest(document.as_bytes());
        span.record("graphql.document.hash", tracing::field::display(Hex(&hash)));
    }
    span
}

impl TraceParents {
    /// Makes the request's span a child of the caller's, if callers are trusted and this one names a valid span.
    /// Call it before the span is entered.
    pub fn adopt(self, request: &Span, traceparent: Option<&str>) {
        let (Self::Trusted, Some(traceparent)) = (self, traceparent) else {
            return;
        };
        if traceparent.len() > CLIENT_TEXT_BYTES {
            return;
        }
        let parent = TraceContextPropagator::new()
            .extract_with_context(&opentelemetry::Context::new(), &TraceHeader(traceparent));
        // The only error is that no traces are recorded, and then there is nothing to continue.
        let _ = request.set_parent(parent);
    }
}

/// A piece of a client's text, short enough to keep.
pub(super) fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(CLIENT_TEXT_BYTES)]
}

fn known_method(method: &str) -> &'static str {
    const KNOWN: [&str; 9] = [
        "GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "CONNECT", "TRACE",
    ];
    KNOWN
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("_OTHER")
}

struct Hex<'a>(&'a [u8]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

struct TraceHeader<'a>(&'a str);

impl Extractor for TraceHeader<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == "traceparent").then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent"]
    }
}
