//! Redis: commands, and whether it is there.

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

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::platform) enum CommandEnd {
    /// It was answered.
    Answered,
    /// It failed or took too long.
    Failed,
    /// It was not sent: the circuit is open after a failure.
    Skipped,
}

label_values! {
    CommandEnd { Answered = "answered", Failed = "failed", Skipped = "skipped" }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    outcome: CommandEnd,
}

/// The metrics of Redis.
#[derive(Debug, Clone)]
pub struct RedisMetrics {
    commands: Family<Labels, Counter>,
    durations: Histogram,
    /// Whether Redis carries hints between servers: 1, or 0 while it does not. Without a Redis it is 1.
    pub connected: Gauge,
}

impl RedisMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            commands: Family::default(),
            // From fifty microseconds to a hundred milliseconds, which no command may take.
            durations: Histogram::new(exponential_buckets(0.00005, 2.0, 12)),
            connected: Gauge::default(),
        };
        // They begin at zero, so that the first one that fails is seen as an increase.
        for outcome in [
            CommandEnd::Answered,
            CommandEnd::Failed,
            CommandEnd::Skipped,
        ] {
            drop(metrics.commands.get_or_create(&Labels { outcome }));
        }
        registry.register(
            "redis_commands",
            "Commands for Redis, by how they ended",
            metrics.commands.clone(),
        );
        registry.register_with_unit(
            "redis_command_duration",
            "How long commands took that Redis answered",
            Unit::Seconds,
            metrics.durations.clone(),
        );
        registry.register(
            "redis_connected",
            "1 while Redis carries hints between servers, or none is configured",
            metrics.connected.clone(),
        );
        metrics
    }

    pub(in crate::platform) fn note(&self, outcome: CommandEnd, took: Duration) {
        self.commands.get_or_create(&Labels { outcome }).inc();
        if outcome == CommandEnd::Answered {
            self.durations.observe(took.as_secs_f64());
        }
    }
}
