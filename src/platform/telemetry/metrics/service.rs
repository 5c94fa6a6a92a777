//! The server as a whole: whether it should get requests, how what it depends on is, and what it has lost.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DependencyLabels {
    dependency: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MailLabels {
    outcome: &'static str,
}

/// The metrics of the server as a whole.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each says what it is where it is registered")]
pub struct ServiceMetrics {
    pub ready: Gauge,
    pub draining: Gauge,
    dependencies: Family<DependencyLabels, Gauge>,
    mails: Family<MailLabels, Counter>,
    pub audit_entries_lost: Counter,
}

impl ServiceMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        for outcome in ["sent", "failed", "lost"] {
            drop(metrics.mails.get_or_create(&MailLabels { outcome }));
        }
        registry.register(
            "ready",
            "1 while the server should get requests, as /health/ready says",
            metrics.ready.clone(),
        );
        registry.register(
            "draining",
            "1 once the server is to stop",
            metrics.draining.clone(),
        );
        registry.register(
            "dependency_healthy",
            "1 while what the server depends on is healthy, as /health says",
            metrics.dependencies.clone(),
        );
        registry.register(
            "mails",
            "Mails, by what became of them: sent, failed for good, or lost because too many waited",
            metrics.mails.clone(),
        );
        registry.register(
            "audit_entries_lost",
            "Refusals and attempts that are in no audit log, because the database took them too slowly",
            metrics.audit_entries_lost.clone(),
        );
        metrics
    }

    /// Notes how a dependency is.
    pub fn note_dependency(&self, dependency: &'static str, is_healthy: bool) {
        let labels = DependencyLabels { dependency };
        self.dependencies
            .get_or_create(&labels)
            .set(is_healthy.into());
    }

    /// Notes what became of a mail: `sent`, `failed` or `lost`.
    pub fn note_mail(&self, outcome: &'static str) {
        self.mails.get_or_create(&MailLabels { outcome }).inc();
    }
}
