//! The connections of clients.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

/// The metrics of the accept loop.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each says what it is where it is registered")]
pub struct ConnectionMetrics {
    pub open: Gauge,
    pub max: Gauge,
    pub refused: Counter,
}

impl ConnectionMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "connections",
            "Connections of clients that are open, sockets and event streams among them",
            metrics.open.clone(),
        );
        registry.register(
            "connections_max",
            "Connections of clients that there may be",
            metrics.max.clone(),
        );
        registry.register(
            "connections_refused",
            "Connections closed as they came: there were too many, in all or from their address",
            metrics.refused.clone(),
        );
        metrics
    }
}
