//! What is counted, for Prometheus to read at `/metrics` in the OpenMetrics text format. No tenant and no person is
//! named in it.

use chrono::TimeDelta;
use prometheus_client::{
    encoding::text::encode,
    metrics::{
        counter::Counter,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// The media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All counts of a server.
#[derive(Debug)]
#[expect(missing_docs, reason = "each says what it is where it is registered")]
pub struct Metrics {
    registry: Registry,
    pub sockets: Gauge,
    pub subscriptions: Gauge,
    pub live_tenants: Gauge,
    pub rendered: Counter,
    pub sent: Counter,
    pub lagged: Counter,
    pub found_by_poll: Counter,
    pub cache_hits: Counter,
    pub cache_misses: Counter,
    pub cache_bypassed: Counter,
    lag: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("dealgraph"),
            sockets: Gauge::default(),
            subscriptions: Gauge::default(),
            live_tenants: Gauge::default(),
            rendered: Counter::default(),
            sent: Counter::default(),
            lagged: Counter::default(),
            found_by_poll: Counter::default(),
            cache_hits: Counter::default(),
            cache_misses: Counter::default(),
            cache_bypassed: Counter::default(),
            // From half a millisecond to sixteen seconds.
            lag: Histogram::new(exponential_buckets(0.0005, 2.0, 16)),
        };
        let Self {
            registry,
            sockets,
            subscriptions,
            live_tenants,
            rendered,
            sent,
            lagged,
            found_by_poll,
            cache_hits,
            cache_misses,
            cache_bypassed,
            lag,
        } = &mut metrics;
        registry.register(
            "live_connections",
            "WebSockets and event streams that are open",
            sockets.clone(),
        );
        registry.register(
            "subscriptions",
            "Subscriptions under way",
            subscriptions.clone(),
        );
        registry.register(
            "live_tenants",
            "Tenants whose event log is followed",
            live_tenants.clone(),
        );
        registry.register(
            "subscription_answers",
            "Answers worked out for subscriptions, each for all who asked the same",
            rendered.clone(),
        );
        registry.register(
            "subscription_messages",
            "Answers left for subscribers",
            sent.clone(),
        );
        registry.register(
            "subscriptions_lagged",
            "Subscriptions ended because their client did not take what was sent",
            lagged.clone(),
        );
        registry.register(
            "events_found_by_poll",
            "Times that the event log had grown and no hint had told of it",
            found_by_poll.clone(),
        );
        registry.register(
            "cache_hits",
            "Queries answered with what was kept, or together with others",
            cache_hits.clone(),
        );
        registry.register(
            "cache_misses",
            "Queries looked for in the cache and not found",
            cache_misses.clone(),
        );
        registry.register(
            "cache_bypassed",
            "Queries not looked for in the cache",
            cache_bypassed.clone(),
        );
        registry.register(
            "event_lag_seconds",
            "From the begin of the transaction that wrote an event to its being left for subscribers",
            lag.clone(),
        );
        metrics
    }
}

impl Metrics {
    /// Records how long an event took until it was enqueued for its subscribers.
    pub fn note_lag(&self, lag: TimeDelta) {
        let seconds = lag.as_seconds_f64();
        self.lag.observe(seconds.max(0.0));
    }

    /// All counts, as Prometheus reads them.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a text does not fail");
        text
    }
}
