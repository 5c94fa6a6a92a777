//! Subscriptions, and how far behind the event log they are.

use chrono::TimeDelta;
use prometheus_client::{
    metrics::{
        counter::Counter,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

/// The metrics of subscriptions.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each says what it is where it is registered")]
pub struct LiveMetrics {
    pub connections: Gauge,
    pub subscriptions: Gauge,
    pub tenants: Gauge,
    pub backlog: Gauge,
    pub answers: Counter,
    pub messages: Counter,
    pub lagged: Counter,
    pub found_by_poll: Counter,
    lag: Histogram,
}

impl LiveMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            connections: Gauge::default(),
            subscriptions: Gauge::default(),
            tenants: Gauge::default(),
            backlog: Gauge::default(),
            answers: Counter::default(),
            messages: Counter::default(),
            lagged: Counter::default(),
            found_by_poll: Counter::default(),
            // From half a millisecond to sixteen seconds.
            lag: Histogram::new(exponential_buckets(0.0005, 2.0, 16)),
        };
        registry.register(
            "live_connections",
            "WebSockets and event streams that are open",
            metrics.connections.clone(),
        );
        registry.register(
            "subscriptions",
            "Subscriptions under way",
            metrics.subscriptions.clone(),
        );
        registry.register(
            "live_tenants",
            "Tenants whose event log is followed",
            metrics.tenants.clone(),
        );
        registry.register(
            "event_backlog",
            "Events of the log that were not yet read at the last poll, of the tenant with most of them",
            metrics.backlog.clone(),
        );
        registry.register(
            "subscription_answers",
            "Answers worked out for subscriptions, each for all who asked the same",
            metrics.answers.clone(),
        );
        registry.register(
            "subscription_messages",
            "Answers left for subscribers",
            metrics.messages.clone(),
        );
        registry.register(
            "subscriptions_lagged",
            "Subscriptions ended because their client did not take what was sent",
            metrics.lagged.clone(),
        );
        registry.register(
            "events_found_by_poll",
            "Times that the event log had grown and no hint had told of it",
            metrics.found_by_poll.clone(),
        );
        registry.register_with_unit(
            "event_lag",
            "From the begin of the transaction that wrote an event to its being left for subscribers",
            Unit::Seconds,
            metrics.lag.clone(),
        );
        metrics
    }

    /// Notes how long an event took until it was enqueued for its subscribers.
    pub fn note_lag(&self, lag: TimeDelta) {
        let seconds = lag.as_seconds_f64();
        self.lag.observe(seconds.max(0.0));
    }
}
