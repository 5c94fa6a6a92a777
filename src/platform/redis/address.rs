//! The one Redis of a deployment.

use std::sync::Arc;

/// Where Redis is, if there is one. Each use of it opens a client of its own, so that none waits behind another's
/// values, and each has a circuit breaker of its own.
#[derive(Debug, Clone, Default)]
pub struct RedisAddress(Option<Arc<str>>);

impl RedisAddress {
    /// The Redis at an address.
    #[must_use]
    pub fn at(url: &str) -> Self {
        Self(Some(url.into()))
    }

    /// No Redis: each server keeps by itself what several would share.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Its address, if there is one.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl From<Option<String>> for RedisAddress {
    fn from(url: Option<String>) -> Self {
        Self(url.map(Arc::from))
    }
}
