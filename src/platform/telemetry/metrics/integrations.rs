//! Integrations: how bringing records in step ended, and what became of what was written to services.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

/// The metrics of integrations.
#[derive(Debug, Clone)]
pub struct IntegrationMetrics {
    runs: Family<OutcomeLabels, Counter>,
    pushes: Family<OutcomeLabels, Counter>,
}

impl IntegrationMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            runs: Family::default(),
            pushes: Family::default(),
        };
        registry.register(
            "sync_runs",
            "Runs that brought records of a service in step, by how they ended: succeeded, failed; paused because the \
             service or its budget wants a pause",
            metrics.runs.clone(),
        );
        registry.register(
            "sync_pushes",
            "Records that were to be written to services, by what became of it: written, unchanged, refused",
            metrics.pushes.clone(),
        );
        for outcome in ["succeeded", "failed", "paused"] {
            drop(metrics.runs.get_or_create(&OutcomeLabels { outcome }));
        }
        for outcome in ["written", "unchanged", "refused"] {
            drop(metrics.pushes.get_or_create(&OutcomeLabels { outcome }));
        }
        metrics
    }

    /// Notes how a run ended.
    pub fn note_run(&self, outcome: &'static str) {
        self.runs.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Notes what became of a record that was to be written to a service.
    pub fn note_push(&self, outcome: &'static str) {
        self.pushes.get_or_create(&OutcomeLabels { outcome }).inc();
    }
}
