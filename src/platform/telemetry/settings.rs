//! What can be set of logs and traces.

use url::Url;

use super::Sampling;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object per line.
    Json,
    /// For people.
    Text,
}

/// What a request's `traceparent` header counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceParents {
    /// Any client may send one, so it is ignored.
    Ignored,
    /// A proxy in front sets it, and the trace continues from there.
    Trusted,
}

/// Logs and traces.
#[derive(Debug, Clone)]
pub struct TelemetryConfig {
    /// What is logged, in the grammar of `tracing_subscriber::filter::Targets`; checked.
    pub log: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Base address of the collector; no traces without it.
    pub otlp_endpoint: Option<Url>,
    /// Which traces are kept.
    pub sampling: Sampling,
    /// The `service.name` of traces.
    pub service_name: String,
    /// Whether incoming traces are continued.
    pub trace_parents: TraceParents,
}
