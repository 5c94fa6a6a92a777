//! What answers at the address of Redis: for an operator who asks whether all is well. Nothing is changed.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use redis::{RedisError, RedisResult, aio::MultiplexedConnection};

use super::RedisAddress;
use crate::base::clock::Clock;

/// Pings whose middle one is the latency.
const PINGS: usize = 9;

/// What Redis says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisFacts {
    /// Its version.
    pub version: String,
    /// Whether it only follows another.
    pub is_replica: bool,
    /// The most memory it takes, in bytes; no limit with 0.
    pub max_memory: u64,
    /// What it drops when that is full.
    pub policy: String,
    /// How long a question takes.
    pub latency: Duration,
    /// Its clock.
    pub theirs: DateTime<Utc>,
    /// Ours at that instant.
    pub ours: DateTime<Utc>,
}

/// Asks Redis; `None` when there is none.
///
/// # Errors
/// Why it does not answer. It never repeats the address.
pub async fn probe(redis: &RedisAddress, clock: &Clock) -> Option<Result<RedisFacts, String>> {
    let url = redis.url()?;
    let asked = ask(url, clock).await;
    Some(asked.map_err(|error| described(&error)))
}

async fn ask(url: &str, clock: &Clock) -> RedisResult<RedisFacts> {
    let mut connection = redis::Client::open(url)?
        .get_multiplexed_async_connection()
        .await?;
    let info = redis::cmd("INFO");
    let info: String = info.query_async(&mut connection).await?;
    let info: HashMap<&str, &str> = info
        .lines()
        .filter_map(|line| line.trim_end().split_once(':'))
        .collect();
    let known = |name: &str| info.get(name).copied().unwrap_or_default().to_owned();
    let latency = latency(&mut connection).await?;
    let asked = clock.now();
    let (seconds, micros): (i64, u32) = redis::cmd("TIME").query_async(&mut connection).await?;
    Ok(RedisFacts {
        version: known("redis_version"),
        is_replica: known("role") == "slave",
        max_memory: known("maxmemory").parse().unwrap_or(0),
        policy: known("maxmemory_policy"),
        latency,
        theirs: DateTime::from_timestamp(seconds, micros.saturating_mul(1000)).unwrap_or(asked),
        ours: asked + latency / 2,
    })
}

async fn latency(connection: &mut MultiplexedConnection) -> RedisResult<Duration> {
    let mut took = Vec::new();
    for _ in 0..PINGS {
        let began = Instant::now();
        redis::cmd("PING").query_async::<()>(connection).await?;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    Ok(took[PINGS / 2])
}

/// The kind of the error and Redis' own words; the address, which may hold a password, is in neither.
fn described(error: &RedisError) -> String {
    match error.code() {
        Some(code) => format!("{code} {}", error.detail().unwrap_or_default()),
        None => error.category().to_owned(),
    }
}
