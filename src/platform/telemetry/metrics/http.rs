//! HTTP requests, by the conventions of OpenTelemetry
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-metrics/>).

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// From five milliseconds to ten seconds, as the conventions say.
const BUCKETS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// What a request is counted under.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    http_request_method: &'static str,
    http_route: String,
    http_response_status_code: u32,
}

/// The metrics of HTTP requests.
#[derive(Debug, Clone)]
pub struct HttpMetrics {
    durations: Family<Labels, Histogram, fn() -> Histogram>,
    /// Requests that are being answered.
    pub active: Gauge,
}

impl HttpMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let new: fn() -> Histogram = || Histogram::new(BUCKETS);
        let metrics = Self {
            durations: Family::new_with_constructor(new),
            active: Gauge::default(),
        };
        registry.register_with_unit(
            "http_server_request_duration",
            "From a request's head to the head of its response",
            Unit::Seconds,
            metrics.durations.clone(),
        );
        registry.register(
            "http_server_active_requests",
            "Requests that are being answered",
            metrics.active.clone(),
        );
        metrics
    }

    /// Notes a request. The method and the route are of closed sets: `_OTHER` stands for all other methods, and an empty
    /// route for paths that there are none for.
    pub fn note(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        let labels = Labels {
            http_request_method: method,
            http_route: route.to_owned(),
            http_response_status_code: status.into(),
        };
        let duration = self.durations.get_or_create(&labels);
        duration.observe(took.as_secs_f64());
    }
}
