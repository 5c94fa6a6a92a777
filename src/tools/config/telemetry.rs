//! The settings of logs and traces.

use tracing_subscriber::filter::Targets;
use url::Url;

use super::{reader::Reader, typed::milliseconds};
use crate::platform::telemetry::{LogFormat, Sampling, TelemetryConfig, TraceParents};

impl TelemetryConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            log: reader.setting(
                "DEALGRAPH_LOG",
                "off, error, warn, info, debug, trace, or pairs such as info,dealgraph=debug",
                |value| is_log_filter(value).then(|| value.to_owned()),
            ),
            log_format: reader.setting("DEALGRAPH_LOG_FORMAT", "auto, json or text", |value| {
                match value {
                    "auto" => Some(LogFormat::Auto),
                    "json" => Some(LogFormat::Json),
                    "text" => Some(LogFormat::Text),
                    _ => None,
                }
            }),
            otlp_endpoint: reader.optional(
                "DEALGRAPH_OTLP_ENDPOINT",
                "an http:// address without user or query, such as http://localhost:4318",
                collector,
            ),
            sampling: Sampling {
                ratio: reader.setting("DEALGRAPH_TRACE_RATIO", "a number from 0 to 1", |value| {
                    let ratio = value.parse::<f64>().ok();
                    ratio.filter(|ratio| (0.0..=1.0).contains(ratio))
                }),
                slow: milliseconds(reader.number("DEALGRAPH_TRACE_SLOW_MS", 1..=600_000)),
            },
            service_name: reader.name("DEALGRAPH_SERVICE_NAME"),
            trace_parents: match reader.switch("DEALGRAPH_TRUST_TRACEPARENT") {
                true => TraceParents::Trusted,
                false => TraceParents::Ignored,
            },
        }
    }
}

/// The filter's own grammar takes a bare word for a target, so that `inof` would silence the log; such words are refused.
fn is_log_filter(value: &str) -> bool {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let is_simple = |part: &&str| !part.contains('=');
    let levels_only = value.split(',').filter(is_simple).all(|part| {
        LEVELS
            .iter()
            .any(|level| part.trim().eq_ignore_ascii_case(level))
    });
    let names_spans = value.contains(['[', '{']);
    levels_only && !names_spans && value.parse::<Targets>().is_ok()
}

/// The exporter has no TLS and would send a user and a password in the clear.
fn collector(value: &str) -> Option<Url> {
    let url = Url::parse(value).ok()?;
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    (url.scheme() == "http" && is_plain).then_some(url)
}
