//! Webhooks: what became of what was sent, how long receivers took, how late and how far behind it is, and which endpoints
//! rest or were disabled.

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
    delays: Histogram,
    behind: Histogram,
    rests: Counter,
    disabled: Family<ReasonLabels, Counter>,
}

impl WebhookMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            // From five milliseconds to the fifteen seconds that a receiver has.
            durations: Histogram::new(exponential_buckets(0.005, 2.5, 10)),
            // From ten milliseconds to three hours.
            delays: Histogram::new(exponential_buckets(0.01, 4.0, 11)),
            // From one event to a million.
            behind: Histogram::new(exponential_buckets(1.0, 4.0, 11)),
            rests: Counter::default(),
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
        registry.register_with_unit(
            "webhook_delivery_delay",
            "How long deliveries had been due when they were sent",
            Unit::Seconds,
            metrics.delays.clone(),
        );
        registry.register(
            "webhook_events_behind",
            "Events that were not worked out yet when an endpoint was looked at",
            metrics.behind.clone(),
        );
        registry.register(
            "webhook_endpoint_rests",
            "How often an endpoint was left alone for a while, since it could not be reached or asked for it",
            metrics.rests.clone(),
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

    /// Notes how long something had been due when it was sent.
    pub fn note_delay(&self, waited: Duration) {
        self.delays.observe(waited.as_secs_f64());
    }

    /// Notes how many events an endpoint was behind when it was looked at.
    pub fn note_behind(&self, events: i64) {
        self.behind.observe(events.max(0) as f64);
    }

    /// Notes that an endpoint is left alone for a while.
    pub fn note_rest(&self) {
        self.rests.inc();
    }

    /// Notes that an endpoint was disabled.
    pub fn note_disabled(&self, reason: &'static str) {
        self.disabled.get_or_create(&ReasonLabels { reason }).inc();
    }
}
