//! The spans of a request and of its operation, named by the OpenTelemetry conventions for HTTP and GraphQL.
//!
//! Names of spans come from closed sets. What a client chooses (path, operation name) is an attribute, cut to length.

use async_graphql::parser::types::OperationType;
use opentelemetry::{
    propagation::{Extractor, TextMapPropagator as _},
    trace::TraceContextExt as _,
};
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

/// The span of one HTTP request, named by its method and route. The path is without its query string, which may carry
/// variables.
///
/// It has the highest level, so that a log of any level knows the request its lines belong to.
#[must_use]
pub fn request_span(method: &'static str, path: &str, route: &str, request_id: &str) -> Span {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    tracing::error_span!(
        target: "dealgraph::request",
        "request",
        "otel.name" = tracing::field::display(Named { method, route }),
        "otel.kind" = "server",
        "http.request.method" = method,
        "http.route" = (!route.is_empty()).then_some(route),
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
        let parent = context_of(traceparent);
        // The only error is that no traces are recorded, and then there is nothing to continue.
        let _ = request.set_parent(parent);
    }
}

/// A piece of a client's text, short enough to keep.
pub(super) fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(CLIENT_TEXT_BYTES)]
}

/// A method of a closed set, in which `_OTHER` stands for those that HTTP does not know.
#[must_use]
pub fn known_method(method: &str) -> &'static str {
    const KNOWN: [&str; 9] = [
        "GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "CONNECT", "TRACE",
    ];
    KNOWN
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("_OTHER")
}

/// The span of a command for Redis.
pub(in crate::platform) fn redis_span() -> Span {
    tracing::debug_span!(
        target: "dealgraph::redis",
        "redis",
        "otel.name" = "redis",
        "otel.kind" = "client",
        "db.system.name" = "redis",
    )
}

/// The span of a request to another server. Its path is not recorded: it may carry codes.
#[must_use]
pub fn fetch_span(method: &'static str, host: &str) -> Span {
    tracing::debug_span!(
        target: "dealgraph::fetch",
        "fetch",
        "otel.name" = method,
        "otel.kind" = "client",
        "http.request.method" = method,
        "server.address" = cut(host),
        "http.response.status_code" = Empty,
    )
}

/// The span of the delivery of events to subscriptions. It is linked to the traces of the requests that made them, each
/// named as in [`current_trace`]; it is part of none, since it goes on for all subscribers at once.
#[must_use]
pub fn delivery_span<'t>(events: usize, traces: impl Iterator<Item = &'t str>) -> Span {
    let span = tracing::debug_span!(
        target: "dealgraph::delivery",
        parent: None,
        "delivery",
        "otel.name" = "deliver",
        "otel.kind" = "consumer",
        "messaging.batch.message_count" = events,
    );
    if !span.is_disabled() {
        for trace in traces {
            span.add_link(context_of(trace).span().span_context().clone());
        }
    }
    span
}

/// The span of an attempt at a job. It has the id of the request that caused it, and is linked to that request's trace,
/// which has ended long ago.
#[must_use]
pub fn job_span(kind: &'static str, request_id: &str, job: &str, trace: Option<&str>) -> Span {
    let span = tracing::error_span!(
        target: "dealgraph::job",
        parent: None,
        "job",
        "otel.name" = kind,
        "otel.kind" = "consumer",
        "request.id" = cut(request_id),
        "job.id" = job,
    );
    if let Some(trace) = trace.filter(|_| !span.is_disabled()) {
        span.add_link(context_of(trace).span().span_context().clone());
    }
    span
}

/// The current span as a `traceparent` header names it (<https://www.w3.org/TR/trace-context/>); nothing when it is not
/// recorded.
#[must_use]
pub fn current_trace() -> Option<String> {
    trace_header(&Span::current())
}

/// A span as a `traceparent` header names it; nothing when it is not recorded.
#[must_use]
pub fn trace_header(span: &Span) -> Option<String> {
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let context = context.span().span_context().clone();
    context.is_valid().then(|| {
        let (trace, span) = (context.trace_id(), context.span_id());
        format!("00-{trace}-{span}-{:02x}", context.trace_flags().to_u8())
    })
}

fn context_of(traceparent: &str) -> opentelemetry::Context {
    TraceContextPropagator::new()
        .extract_with_context(&opentelemetry::Context::new(), &TraceHeader(traceparent))
}

/// The name of a request's span, by the conventions for HTTP.
struct Named<'a> {
    method: &'static str,
    route: &'a str,
}

impl std::fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.method)?;
        match self.route {
            "" => Ok(()),
            route => write!(f, " {route}"),
        }
    }
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
