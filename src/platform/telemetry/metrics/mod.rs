//! What is counted, for Prometheus to read in the OpenMetrics text format. No tenant and no person is named in it, and
//! every label is of a closed set: what a client chooses is in none.
//!
//! Names follow <https://prometheus.io/docs/practices/naming/>: `dealgraph_` before ours, `process_` before what every
//! program has; seconds, bytes and totals say so.

/// Names values of labels as Prometheus' conventions have them, in lower case.
macro_rules! label_values {
    ($($of:ident { $($value:ident = $name:literal),* })*) => {$(
        impl prometheus_client::encoding::EncodeLabelValue for $of {
            fn encode(
                &self,
                encoder: &mut prometheus_client::encoding::LabelValueEncoder<'_>,
            ) -> Result<(), std::fmt::Error> {
                let name = match self {
                    $(Self::$value => $name,)*
                };
                prometheus_client::encoding::EncodeLabelValue::encode(&name, encoder)
            }
        }
    )*};
}

mod cache;
mod connections;
mod database;
mod figures;
mod graphql;
mod http;
mod integrations;
mod jobs;
mod live;
mod process;
mod redis_commands;
mod replica;
mod service;
mod webhooks;

use std::sync::{Mutex, PoisonError};

use prometheus_client::{encoding::text::encode, metrics::info::Info, registry::Registry};

pub use cache::CacheMetrics;
pub use connections::ConnectionMetrics;
pub use database::{DatabaseMetrics, Pool, PoolUse};
pub use figures::{Figure, Figures};
pub use graphql::GraphqlMetrics;
pub use http::HttpMetrics;
pub use integrations::IntegrationMetrics;
pub use jobs::JobMetrics;
pub use live::LiveMetrics;
pub(in crate::platform) use redis_commands::CommandEnd;
pub use redis_commands::RedisMetrics;
pub use replica::{REASONS, ReplicaMetrics};
pub use service::ServiceMetrics;
pub use webhooks::WebhookMetrics;

/// The media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What sets gauges of things that nobody tells of, such as how many connections are idle.
type Sampler = Box<dyn Fn() + Send + Sync>;

/// All metrics of a server.
#[expect(missing_docs, reason = "each says what it is where it is declared")]
pub struct Metrics {
    registry: Registry,
    samplers: Mutex<Vec<Sampler>>,
    pub http: HttpMetrics,
    pub graphql: GraphqlMetrics,
    pub database: DatabaseMetrics,
    pub replica: ReplicaMetrics,
    pub redis: RedisMetrics,
    pub cache: CacheMetrics,
    pub live: LiveMetrics,
    pub jobs: JobMetrics,
    /// Webhooks.
    pub webhooks: WebhookMetrics,
    /// Integrations.
    pub integrations: IntegrationMetrics,
    pub connections: ConnectionMetrics,
    pub service: ServiceMetrics,
    pub figures: Figures,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        process::register(&mut registry);
        let ours = registry.sub_registry_with_prefix("dealgraph");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        ours.register("build", "The version that runs", version);
        Self {
            http: HttpMetrics::register(ours),
            graphql: GraphqlMetrics::register(ours),
            database: DatabaseMetrics::register(ours),
            replica: ReplicaMetrics::register(ours),
            redis: RedisMetrics::register(ours),
            cache: CacheMetrics::register(ours),
            live: LiveMetrics::register(ours),
            jobs: JobMetrics::register(ours),
            webhooks: WebhookMetrics::register(ours),
            integrations: IntegrationMetrics::register(ours),
            connections: ConnectionMetrics::register(ours),
            service: ServiceMetrics::register(ours),
            figures: Figures::register(ours),
            registry,
            samplers: Mutex::default(),
        }
    }
}

impl Metrics {
    /// Has `sample` called before each reading, to set gauges.
    pub fn sample(&self, sample: impl Fn() + Send + Sync + 'static) {
        let mut samplers = self.samplers.lock().unwrap_or_else(PoisonError::into_inner);
        samplers.push(Box::new(sample));
    }

    /// All metrics, as Prometheus reads them.
    #[must_use]
    pub fn text(&self) -> String {
        let samplers = self.samplers.lock().unwrap_or_else(PoisonError::into_inner);
        samplers.iter().for_each(|sample| sample());
        drop(samplers);
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a text does not fail");
        text
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_ends_as_the_format_asks_and_has_set_what_is_sampled() {
        let metrics = Metrics::default();
        let idle = metrics.live.tenants.clone();
        metrics.sample(move || {
            idle.set(3);
        });
        let text = metrics.text();
        assert!(text.contains("\ndealgraph_live_tenants 3\n"), "{text}");
        assert!(text.ends_with("# EOF\n"));
        assert!(text.contains("process_start_time_seconds "), "{text}");
    }
}
