//! The one Redis of a deployment.

use std::sync::Arc;

use crate::platform::telemetry::metrics::Metrics;

/// Where Redis is, if there is one. Each use of it opens a client of its own, so that none waits behind another's
/// values, and each has a circuit breaker of its own.
#[derive(Debug, Clone, Default)]
pub struct RedisAddress {
    url: Option<Arc<str>>,
    metrics: Arc<Metrics>,
}

impl RedisAddress {
    /// The Redis at an address.
    #[must_use]
    pub fn at(url: &str) -> Self {
        Self::from(Some(url.to_owned()))
    }

    /// No Redis: each server keeps by itself what several would share.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Its address, if there is one.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// The same, with its commands counted in these metrics.
    #[must_use]
    pub fn counted_in(self, metrics: Arc<Metrics>) -> Self {
        Self { metrics, ..self }
    }

    /// What its commands are counted in.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }
}

impl From<Option<String>> for RedisAddress {
    fn from(url: Option<String>) -> Self {
        Self {
            url: url.map(Arc::from),
            metrics: Arc::default(),
        }
    }
}
