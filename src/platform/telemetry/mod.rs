//! Telemetry: log lines for people and machines, and spans for a collector, so that a slow request can be explained.
//!
//! Spans exist of requests, operations, statements, commands for Redis, requests to other servers and deliveries of
//! events. There is none per GraphQL field, because those slow every field. Without a collector only the request span is made; it gives each log line its `request.id`.
//! Never in either: tokens, e-mail addresses, bodies, documents, variables.

mod log;
pub mod metrics;
mod notes;
mod request_line;
mod sampling;
mod settings;
mod spans;
mod statements;
mod traces;

use std::{io, time::Duration};

use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing_subscriber::{Layer as _, fmt::MakeWriter, layer::SubscriberExt as _};

pub use notes::{PHASES, Phase, note_operation, note_person, note_phase, note_statements, phases};
pub use request_line::RequestLine;
pub use sampling::Sampling;
pub use settings::{LogFormat, TelemetryConfig, TraceParents};
pub(in crate::platform) use spans::redis_span;
pub use spans::{
    OperationKind, current_trace, delivery_span, fetch_span, job_span, known_method,
    operation_span, request_span, trace_header,
};
pub use statements::Statement;

/// The longest that the last spans hold up the end of the process.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// Why telemetry could not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log filter is not one.
    #[error("the log filter {0:?} is not usable")]
    Filter(String),
    /// The exporter of traces could not be built.
    #[error("traces can't be sent to the collector")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// Something else in this process has already set up logging.
    #[error("logging is already set up in this process")]
    AlreadyStarted,
}

/// Keeps telemetry going; dropping it sends the spans that are still waiting, within five seconds.
#[derive(Debug)]
#[must_use = "dropping the guard ends the export of traces"]
pub struct Guard {
    provider: Option<SdkTracerProvider>,
}

impl Guard {
    fn flush(&mut self, timeout: Duration) {
        let Some(provider) = self.provider.take() else {
            return;
        };
        if let Err(error) = provider.shutdown_with_timeout(timeout) {
            tracing::warn!(error = %error, "the last spans did not reach the collector");
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.flush(FLUSH_TIMEOUT);
    }
}

/// Sets up logs on standard error, and traces when a collector is configured, for the whole process.
///
/// May be called inside or outside an async runtime.
///
/// # Errors
/// [`TelemetryError`] when the filter or the collector's address is not usable, or on a second call.
pub fn init(config: &TelemetryConfig) -> Result<Guard, TelemetryError> {
    let (subscriber, guard) = subscriber(config, io::stderr)?;
    tracing::subscriber::set_global_default(subscriber)
        .map_err(|_| TelemetryError::AlreadyStarted)?;
    Ok(guard)
}

fn subscriber<W>(
    config: &TelemetryConfig,
    writer: W,
) -> Result<(impl Subscriber + Send + Sync, Guard), TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = log::layer(config, writer)?;
    let provider = match &config.otlp_endpoint {
        Some(endpoint) => Some(traces::provider(
            endpoint,
            &config.service_name,
            config.sampling,
        )?),
        None => None,
    };
    let traces = provider
        .as_ref()
        .map(|provider| traces::layer(provider).boxed());
    // The traces layer sits directly on the registry: it finds its spans again by that type.
    let subscriber = tracing_subscriber::registry().with(traces).with(lines);
    Ok((subscriber, Guard { provider }))
}

#[cfg(test)]
mod tests;
