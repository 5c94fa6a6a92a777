//! The replica: what is read there, what is not and why, and how far behind it is.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

/// Why reads are done on the primary.
pub const REASONS: [&str; 7] = [
    "out", "lagging", "position", "busy", "lost", "conflict", "timeout",
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FallbackLabels {
    reason: &'static str,
}

/// The metrics of the replica.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each says what it is where it is registered")]
pub struct ReplicaMetrics {
    pub reads: Counter,
    fallbacks: Family<FallbackLabels, Counter>,
    pub lag: Gauge<f64, AtomicU64>,
}

impl ReplicaMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        for reason in REASONS {
            drop(metrics.fallbacks.get_or_create(&FallbackLabels { reason }));
        }
        registry.register(
            "db_replica_reads",
            "Snapshots that were begun on the replica",
            metrics.reads.clone(),
        );
        registry.register(
            "db_replica_fallbacks",
            "Reads that may be somewhat old and were done on the primary all the same, by the reason",
            metrics.fallbacks.clone(),
        );
        registry.register_with_unit(
            "db_replica_lag",
            "How long ago the primary was where the replica is; 0 without a replica",
            Unit::Seconds,
            metrics.lag.clone(),
        );
        metrics
    }

    /// Notes why a read was done on the primary: one of [`REASONS`].
    pub fn note_fallback(&self, reason: &'static str) {
        self.fallbacks
            .get_or_create(&FallbackLabels { reason })
            .inc();
    }
}
