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
    /// Connections for requests.
    pub pool_size: u32,
    /// Connections of those that a tenant has at a time while others are at work.
    pub tenant_connections: u32,
    /// Connections for the server's own work.
    pub system_pool_size: u32,
    /// Longest wait for a free connection.
    pub acquire_timeout: Duration,
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
        Self {
            app_url: url("DEALGRAPH_DATABASE_URL"),
            system_url: url("DEALGRAPH_SYSTEM_DATABASE_URL"),
            owner_url: url("DEALGRAPH_OWNER_DATABASE_URL"),
            pool_size: reader.number("DEALGRAPH_POOL_SIZE", 1..=1_000),
            tenant_connections: reader.number("DEALGRAPH_TENANT_CONNECTIONS", 1..=1_000),
            system_pool_size: reader.number("DEALGRAPH_SYSTEM_POOL_SIZE", 1..=1_000),
            acquire_timeout: milliseconds(
                reader.number("DEALGRAPH_ACQUIRE_TIMEOUT_MS", 1..=60_000),
            ),
            statement_cache: reader.number("DEALGRAPH_STATEMENT_CACHE", 0..=10_000) as usize,
        }
    }
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
