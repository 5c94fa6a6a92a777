//! GraphQL operations: how many, how they ended, how long they took, what they cost.

use std::{collections::HashSet, sync::OnceLock, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

/// Names that are told apart at most; there are twenty time series for each.
const MOST_NAMES: usize = 300;
/// What stands for all other names.
const OTHER: &str = "other";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    r#type: &'static str,
    operation: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabels {
    r#type: &'static str,
    operation: String,
    code: String,
}

/// The metrics of operations.
#[derive(Debug, Clone)]
pub struct GraphqlMetrics {
    ended: Family<EndLabels, Counter>,
    durations: Family<Labels, Histogram, fn() -> Histogram>,
    points: Histogram,
    names: OnceLock<HashSet<String>>,
}

impl GraphqlMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        // From a millisecond to sixteen seconds.
        let new: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 2.0, 15));
        let metrics = Self {
            ended: Family::default(),
            durations: Family::new_with_constructor(new),
            // From one point to a quarter of a million.
            points: Histogram::new(exponential_buckets(1.0, 4.0, 10)),
            names: OnceLock::new(),
        };
        registry.register(
            "graphql_operations",
            "Operations answered, by the code of the first error or OK",
            metrics.ended.clone(),
        );
        registry.register_with_unit(
            "graphql_operation_duration",
            "From the head of an operation's request to the head of its response",
            Unit::Seconds,
            metrics.durations.clone(),
        );
        registry.register(
            "graphql_operation_points",
            "What operations reserved at their begin, in points",
            metrics.points.clone(),
        );
        metrics
    }

    /// Says which operations are told apart by their names, once: clients choose names freely, so only those that the
    /// operator knows make time series. Those beyond the three hundredth count as `other` too.
    pub fn know(&self, names: impl IntoIterator<Item = String>) {
        _ = self.names.set(names.into_iter().take(MOST_NAMES).collect());
    }

    /// Notes an operation. The code is that of the first error, of the closed set of codes, or `OK`.
    pub fn note(&self, kind: &'static str, name: Option<&str>, code: &str, took: Duration) {
        let is_known = |name: &&str| self.names.get().is_some_and(|names| names.contains(*name));
        let operation = match name {
            None => "",
            Some(name) => Some(name).filter(is_known).unwrap_or(OTHER),
        };
        let labels = Labels {
            r#type: kind,
            operation: operation.to_owned(),
        };
        let duration = self.durations.get_or_create(&labels);
        duration.observe(took.as_secs_f64());
        let labels = EndLabels {
            r#type: kind,
            operation: labels.operation,
            code: code.to_owned(),
        };
        self.ended.get_or_create(&labels).inc();
    }

    /// Notes what an operation reserves, in points.
    pub fn note_price(&self, points: u64) {
        self.points.observe(points as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nobody_has_listed_make_no_series() {
        let mut registry = Registry::default();
        let metrics = GraphqlMetrics::register(&mut registry);
        metrics.know(["Board".to_owned()]);
        for n in 0..1_000 {
            let name = format!("Chosen{n}");
            metrics.note("query", Some(&name), "OK", Duration::ZERO);
        }
        metrics.note("query", Some("Board"), "TIMEOUT", Duration::ZERO);
        metrics.note("query", None, "OK", Duration::ZERO);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("a text");
        let ended = |line: &&str| line.starts_with("graphql_operations_total");
        let mut ended: Vec<_> = text.lines().filter(ended).collect();
        ended.sort_unstable();
        assert_eq!(
            ended,
            [
                r#"graphql_operations_total{type="query",operation="",code="OK"} 1"#,
                r#"graphql_operations_total{type="query",operation="Board",code="TIMEOUT"} 1"#,
                r#"graphql_operations_total{type="query",operation="other",code="OK"} 1000"#,
            ]
        );
    }
}
