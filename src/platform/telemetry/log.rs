//! Log lines on standard error: text for a person at a terminal, JSON for everything else.

use std::{
    io::{self, IsTerminal as _},
    str::FromStr as _,
};

use tracing::Subscriber;
use tracing_subscriber::{Layer, filter::Targets, fmt::MakeWriter, registry::LookupSpan};

use super::TelemetryError;
use crate::platform::telemetry::{LogFormat, TelemetryConfig};

pub(super) fn layer<S, W>(
    config: &TelemetryConfig,
    writer: W,
) -> Result<impl Layer<S> + Send + Sync, TelemetryError>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // The filter is the layer's own, so that a quiet log does not also cut off the traces. It looks at targets only:
    // one that can look at spans takes part whenever a request's span is entered, which is at every step of it.
    let filter =
        Targets::from_str(&config.log).map_err(|_| TelemetryError::Filter(config.log.clone()))?;
    let is_terminal = io::stderr().is_terminal();
    let as_text = match config.log_format {
        LogFormat::Auto => is_terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(is_terminal);
    let lines = if as_text {
        lines.boxed()
    } else {
        lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .boxed()
    };
    Ok(lines.with_filter(filter))
}
