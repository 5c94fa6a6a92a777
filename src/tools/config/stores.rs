//! The settings of Postgres and Redis.

use std::time::Duration;

use url::Url;

use super::{reader::Reader, typed::milliseconds};
use crate::base::secret::Secret;

/// The Postgres logins and their pools. Which logins are present depends on the [`Purpose`](super::Purpose).
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// The login of requests, under row-level security.
    pub app_url: Option<Secret<String>>,
    /// The login of the server's own work.
    pub system_url: Option<Secret<String>>,
    /// The login that migrates.
    pub owner_url: Option<Secret<String>>,
    /// The login of requests at a replica, if there is one.
    pub replica_url: Option<Secret<String>>,
    /// Connections for requests.
    pub pool_size: u32,
    /// Connections of those that a tenant has at a time while others are at work.
    pub tenant_connections: u32,
    /// Connections for the server's own work.
    pub system_pool_size: u32,
    /// Longest wait for a free connection.
    pub acquire_timeout: Duration,
    /// From how long on a statement is slow.
    pub slow: Duration,
    /// Whether the plans of slow statements are logged.
    pub explains_slow: bool,
    /// Prepared statements kept per connection; 0 keeps none.
    pub statement_cache: usize,
}

impl DatabaseConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let mut url = |name| {
            reader.secret(
                name,
                "an address such as postgres://login@host/database",
                |value| {
                    Url::parse(value)
                        .is_ok_and(|url| matches!(url.scheme(), "postgres" | "postgresql"))
                },
            )
        };
        let (app_url, system_url) = (
            url("DEALGRAPH_DATABASE_URL"),
            url("DEALGRAPH_SYSTEM_DATABASE_URL"),
        );
        let owner_url = url("DEALGRAPH_OWNER_DATABASE_URL");
        let replica_url = url("DEALGRAPH_REPLICA_DATABASE_URL");
        let pool_size = auto(reader, "DEALGRAPH_POOL_SIZE").unwrap_or_else(pool_of_machine);
        let tenant_connections = auto(reader, "DEALGRAPH_TENANT_CONNECTIONS");
        Self {
            app_url,
            system_url,
            owner_url,
            replica_url,
            pool_size,
            tenant_connections: tenant_connections.unwrap_or(tenant_share(pool_size)),
            system_pool_size: reader.number("DEALGRAPH_SYSTEM_POOL_SIZE", 1..=1_000),
            acquire_timeout: milliseconds(
                reader.number("DEALGRAPH_ACQUIRE_TIMEOUT_MS", 1..=60_000),
            ),
            slow: milliseconds(reader.number("DEALGRAPH_LOG_SLOW_MS", 1..=600_000)),
            explains_slow: reader.switch("DEALGRAPH_LOG_SLOW_PLANS"),
            statement_cache: reader.number("DEALGRAPH_STATEMENT_CACHE", 0..=10_000) as usize,
        }
    }
}

/// A number of connections, or none for `auto`.
fn auto(reader: &mut Reader, name: &'static str) -> Option<u32> {
    let read = |value: &str| match value {
        "auto" => Some(None),
        number => {
            let number = number.parse().ok();
            number
                .filter(|number| (1..=1_000).contains(number))
                .map(Some)
        }
    };
    reader.setting(name, "auto, or a number from 1 to 1000", read)
}

/// The pool for a machine whose database is about as large as itself.
fn pool_of_machine() -> u32 {
    let processors = std::thread::available_parallelism().map_or(4, usize::from);
    u32::try_from(processors * 4).unwrap_or(64).clamp(16, 64)
}

/// What a tenant has of a pool while others are at work: enough to keep a few processors busy, not to fill it.
fn tenant_share(pool: u32) -> u32 {
    (pool / 8).max(2)
}

/// The answers that are kept.
#[derive(Debug, Clone)]
pub struct CacheConfig {
    /// Bytes of answers kept in the process; 0 keeps none.
    pub bytes: u64,
    /// What an answer costs at least to be kept, in points.
    pub from_points: u64,
}

impl CacheConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            bytes: u64::from(reader.number("DEALGRAPH_CACHE_BYTES", 0..=u32::MAX)),
            from_points: u64::from(reader.number("DEALGRAPH_CACHE_FROM_POINTS", 1..=1_000_000)),
        }
    }
}

/// Redis.
#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// Where Redis is, if there is one.
    pub url: Option<Secret<String>>,
}

impl RedisConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        // `rediss://` is refused here because this build carries no TLS for Redis: better now than at the first use.
        let expected = "an address such as redis://host:6379 or redis+unix:///path (no TLS)";
        let url = reader.secret("DEALGRAPH_REDIS_URL", expected, |value| {
            Url::parse(value).is_ok_and(|url| {
                let has_place = url.has_host() || url.path().len() > 1;
                has_place && matches!(url.scheme(), "redis" | "redis+unix" | "unix")
            })
        });
        Self { url }
    }
}
