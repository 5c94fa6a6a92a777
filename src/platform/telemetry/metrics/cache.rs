//! The response cache.

use prometheus_client::{metrics::counter::Counter, registry::Registry};

/// The metrics of the response cache.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each says what it is where it is registered")]
pub struct CacheMetrics {
    pub hits: Counter,
    pub misses: Counter,
    pub bypassed: Counter,
}

impl CacheMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "cache_hits",
            "Queries answered with what was kept, or together with others",
            metrics.hits.clone(),
        );
        registry.register(
            "cache_misses",
            "Queries looked for in the cache and not found",
            metrics.misses.clone(),
        );
        registry.register(
            "cache_bypassed",
            "Queries not looked for in the cache",
            metrics.bypassed.clone(),
        );
        metrics
    }
}
