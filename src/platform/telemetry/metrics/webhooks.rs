//! Webhooks: what became of what was sent, how long receivers took, and which endpoints the server disabled.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

/// The metrics of webhooks.
#[derive(Debug, Clone)]
pub struct WebhookMetrics {
    requests: Family<OutcomeLabels, Counter>,
    durations: Histogram,
    disabled: Family<ReasonLabels, Counter>,
}

impl WebhookMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            // From five milliseconds to the fifteen seconds that a receiver has.
            durations: Histogram::new(exponential_buckets(0.005, 2.5, 10)),
            disabled: Family::default(),
        };
        registry.register(
            "webhook_requests",
            "What was sent to endpoints, by what became of it: delivered, refused by another status, unreached",
            metrics.requests.clone(),
        );
        registry.register_with_unit(
            "webhook_request_duration",
            "How long receivers of webhooks took, those that could not be reached included",
            Unit::Seconds,
            metrics.durations.clone(),
        );
        registry.register(
            "webhook_endpoints_disabled",
            "Endpoints that the server disabled: gone, failing, owner_gone, unreadable, log_lost",
            metrics.disabled.clone(),
        );
        for outcome in ["delivered", "refused", "unreached"] {
            drop(metrics.requests.get_or_create(&OutcomeLabels { outcome }));
        }
        for reason in ["gone", "failing", "owner_gone", "unreadable", "log_lost"] {
            drop(metrics.disabled.get_or_create(&ReasonLabels { reason }));
        }
        metrics
    }

    /// Notes what became of something that was sent, and how long that took.
    pub fn note_request(&self, outcome: &'static str, took: Duration) {
        self.requests
            .get_or_create(&OutcomeLabels { outcome })
            .inc();
        self.durations.observe(took.as_secs_f64());
    }

    /// Notes that an endpoint was disabled.
    pub fn note_disabled(&self, reason: &'static str) {
        self.disabled.get_or_create(&ReasonLabels { reason }).inc();
    }
}
