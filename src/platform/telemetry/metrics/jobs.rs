//! Jobs: how many, how they ended, how long they took, and how late they began.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

/// How an attempt can end.
const OUTCOMES: [&str; 6] = [
    "succeeded",
    "retried",
    "postponed",
    "failed",
    "cancelled",
    "lost",
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabels {
    kind: &'static str,
    outcome: &'static str,
}

/// The metrics of jobs. Their kinds are a closed set.
#[derive(Debug, Clone)]
pub struct JobMetrics {
    running: Gauge,
    ended: Family<EndLabels, Counter>,
    durations: Family<KindLabels, Histogram, fn() -> Histogram>,
    delay: Histogram,
}

impl JobMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        // From a millisecond to nine minutes.
        let new: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 3.0, 13));
        let metrics = Self {
            running: Gauge::default(),
            ended: Family::default(),
            durations: Family::new_with_constructor(new),
            delay: new(),
        };
        registry.register(
            "jobs_running",
            "Jobs that this server does now",
            metrics.running.clone(),
        );
        registry.register(
            "jobs_ended",
            "Attempts at jobs, by kind and how they ended: succeeded, retried, postponed, failed for good, cancelled, or lost to another worker",
            metrics.ended.clone(),
        );
        registry.register_with_unit(
            "job_duration",
            "How long attempts at jobs took",
            Unit::Seconds,
            metrics.durations.clone(),
        );
        registry.register_with_unit(
            "job_delay",
            "How long jobs were due before they were begun",
            Unit::Seconds,
            metrics.delay.clone(),
        );
        metrics
    }

    /// Has these kinds counted from zero on, so that the first that fails is an increase.
    pub fn know(&self, kinds: impl IntoIterator<Item = &'static str>) {
        for kind in kinds {
            for outcome in OUTCOMES {
                drop(self.ended.get_or_create(&EndLabels { kind, outcome }));
            }
            drop(self.durations.get_or_create(&KindLabels { kind }));
        }
    }

    /// Notes that a job was begun, which had been due for so long.
    pub fn note_begin(&self, waited: Duration) {
        self.running.inc();
        self.delay.observe(waited.as_secs_f64());
    }

    /// Notes how an attempt ended, and how long it took.
    pub fn note_end(&self, kind: &'static str, outcome: &'static str, took: Duration) {
        self.running.dec();
        let labels = EndLabels { kind, outcome };
        self.ended.get_or_create(&labels).inc();
        let durations = self.durations.get_or_create(&KindLabels { kind });
        durations.observe(took.as_secs_f64());
    }
}
