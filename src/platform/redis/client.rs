//! A Redis client with a circuit breaker: no command takes longer than a moment, and after one that failed Redis is not
//! called for a while.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};

use tracing::Instrument as _;

use super::RedisAddress;
use crate::platform::telemetry::{
    metrics::{CommandEnd, Metrics},
    redis_span,
};

/// No command waits longer than this.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long the circuit stays open after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// A client of a Redis that may be unavailable.
pub(super) struct RedisClient {
    connection: Option<ConnectionManager>,
    open_until: Mutex<Option<Instant>>,
    /// What its being unavailable means, for the log.
    meaning: &'static str,
    metrics: Arc<Metrics>,
}

impl RedisClient {
    /// Connects at the first command; without a Redis it is never available.
    pub(super) fn new(redis: &RedisAddress, meaning: &'static str) -> Self {
        Self {
            connection: redis.url().and_then(|url| manager(url, meaning)),
            open_until: Mutex::new(None),
            meaning,
            metrics: Arc::clone(redis.metrics()),
        }
    }

    /// Runs a command; `None` when the circuit is open, or Redis fails or is too slow.
    pub(super) async fn call<T>(
        &self,
        command: impl AsyncFnOnce(ConnectionManager) -> redis::RedisResult<T>,
    ) -> Option<T> {
        self.connection.as_ref()?;
        let began = Instant::now();
        let Some(connection) = self.connection() else {
            self.metrics.redis.note(CommandEnd::Skipped, Duration::ZERO);
            return None;
        };
        let command = command(connection).instrument(redis_span());
        let answer = match tokio::time::timeout(PATIENCE, command).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) => {
                tracing::warn!(%error, "{}", self.meaning);
                None
            }
            Err(_) => {
                tracing::warn!("{}: redis is slow", self.meaning);
                None
            }
        };
        let end = match answer {
            Some(_) => CommandEnd::Answered,
            None => CommandEnd::Failed,
        };
        self.metrics.redis.note(end, began.elapsed());
        let until = answer.is_none().then(|| Instant::now() + PAUSE);
        *self
            .open_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = until;
        answer
    }

    /// Whether a command would be sent now.
    pub(super) fn is_available(&self) -> bool {
        self.connection().is_some()
    }

    fn connection(&self) -> Option<ConnectionManager> {
        let redis = self.connection.as_ref()?;
        let open_until = *self
            .open_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_open = open_until.is_some_and(|until| until > Instant::now());
        (!is_open).then(|| redis.clone())
    }
}

fn manager(url: &str, meaning: &str) -> Option<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_number_of_retries(1)
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    let opened = redis::Client::open(url)
        .and_then(|client| ConnectionManager::new_lazy_with_config(client, config));
    match opened {
        Ok(manager) => Some(manager),
        Err(error) => {
            tracing::warn!(%error, "{meaning}");
            None
        }
    }
}
