//! Asking Redis without depending on it: nobody waits for it longer than a moment, and one that did not answer is left
//! alone for a while.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};

/// No request waits longer than this for Redis.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long a Redis that did not answer is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// A Redis that may be away.
pub(super) struct Reach {
    redis: Option<ConnectionManager>,
    away_until: Mutex<Option<Instant>>,
    /// What it means that it is away, for the log.
    meaning: &'static str,
}

impl Reach {
    /// One that is connected to at the first use, if there is one at all.
    pub(super) fn new(url: Option<&str>, meaning: &'static str) -> Self {
        Self {
            redis: url.and_then(|url| manager(url, meaning)),
            away_until: Mutex::new(None),
            meaning,
        }
    }

    /// What Redis answers; none when it does not, or not in time.
    pub(super) async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(ConnectionManager) -> redis::RedisResult<T>,
    ) -> Option<T> {
        let redis = self.reachable()?;
        let answer = match tokio::time::timeout(PATIENCE, question(redis)).await {
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
        let until = answer.is_none().then(|| Instant::now() + PAUSE);
        *self
            .away_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = until;
        answer
    }

    /// Whether it would be asked now.
    pub(super) fn is_there(&self) -> bool {
        self.reachable().is_some()
    }

    fn reachable(&self) -> Option<ConnectionManager> {
        let redis = self.redis.as_ref()?;
        let away = *self
            .away_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_away = away.is_some_and(|until| until > Instant::now());
        (!is_away).then(|| redis.clone())
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
