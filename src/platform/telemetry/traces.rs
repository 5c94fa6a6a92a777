//! Spans on their way out: OTLP over HTTP to a collector, in batches, off the request path.
//!
//! What the OpenTelemetry libraries would take from `OTEL_…` variables (sampler, resource, timeouts) is set here, so
//! that the configuration is all in one place; only `OTEL_EXPORTER_OTLP_HEADERS` adds headers as everywhere.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use super::sampling::{Sampling, TailSampler};
use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{ExporterBuildError, Protocol, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{
        BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter,
    },
};
use tracing::{Level, Metadata, level_filters::LevelFilter};
use tracing_subscriber::{Layer, Registry, filter::filter_fn};
use url::Url;

/// Where collectors take spans, below their base address.
const TRACES_PATH: &str = "/v1/traces";
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
const EXPORT_INTERVAL: Duration = Duration::from_secs(2);
/// Spans that wait at most; more are dropped rather than held in memory. About a second of a busy server.
const QUEUED_SPANS: usize = 32_768;
const SPANS_PER_EXPORT: usize = 2_048;

/// Builds the exporter and its thread. The exporter's blocking HTTP client comes to life on a thread of its own and is
/// used on another, so this is safe inside an async runtime.
pub(super) fn provider(
    endpoint: &Url,
    service_name: &str,
    sampling: Sampling,
) -> Result<SdkTracerProvider, ExporterBuildError> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(traces_address(endpoint))
        .with_timeout(EXPORT_TIMEOUT)
        .build()?;
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUED_SPANS)
        .with_max_export_batch_size(SPANS_PER_EXPORT)
        .with_scheduled_delay(EXPORT_INTERVAL)
        .build();
    let exporter = ReportingExporter {
        exporter,
        failing: AtomicBool::new(false),
    };
    let processor = BatchSpanProcessor::builder(exporter)
        .with_batch_config(batches)
        .build();
    let resource = Resource::builder_empty()
        .with_service_name(service_name.to_owned())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(SdkTracerProvider::builder()
        .with_resource(resource)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
        .with_span_processor(TailSampler::new(processor, sampling))
        .build())
}

/// Converts the spans of this crate, and its log lines inside them, into spans and events of the collector.
pub(super) fn layer(provider: &SdkTracerProvider) -> impl Layer<Registry> + Send + Sync + use<> {
    let ours = |metadata: &Metadata<'_>| {
        let target = metadata.target();
        let is_ours = target == "dealgraph" || target.starts_with("dealgraph::");
        is_ours && (metadata.is_span() || *metadata.level() <= Level::INFO)
    };
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("dealgraph"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        // The hint keeps trace-level call sites of all crates switched off.
        .with_filter(filter_fn(ours).with_max_level_hint(LevelFilter::DEBUG))
}

fn traces_address(endpoint: &Url) -> String {
    let base = endpoint.as_str().trim_end_matches('/');
    if base.ends_with(TRACES_PATH) {
        base.to_owned()
    } else {
        format!("{base}{TRACES_PATH}")
    }
}

/// Says once when spans stop reaching the collector and once when they do again; the library itself fails silently.
#[derive(Debug)]
struct ReportingExporter {
    exporter: opentelemetry_otlp::SpanExporter,
    failing: AtomicBool,
}

impl SpanExporter for ReportingExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let sent = self.exporter.export(batch).await;
        let was_failing = self.failing.swap(sent.is_err(), Ordering::Relaxed);
        match &sent {
            Err(error) if !was_failing => {
                tracing::warn!(error = %error, "spans do not reach the collector");
            }
            Ok(()) if was_failing => tracing::info!("spans reach the collector again"),
            _ => {}
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_traces_is_added_once() {
        for endpoint in [
            "http://host:4318",
            "http://host:4318/",
            "http://host:4318/v1/traces",
        ] {
            let endpoint = Url::parse(endpoint).unwrap();
            assert_eq!(traces_address(&endpoint), "http://host:4318/v1/traces");
        }
        let below = Url::parse("http://host/otlp").unwrap();
        assert_eq!(traces_address(&below), "http://host/otlp/v1/traces");
    }
}
