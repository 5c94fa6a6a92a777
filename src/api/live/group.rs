//! A visibility class of a tenant that watches, with its audiences, and the values that some of them are kept told of. What
//! happens is told in lanes ([`super::dispatch`]).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    Failure, Running,
    operation::Unanswered,
    shared::{Audience, Kind},
};
use crate::{
    access::{Actor, Class},
    events::Feed,
    graphql::{RequestContext, subscription::Turn},
};

/// How long to wait for a database that does not answer.
pub(super) const PAUSE: Duration = Duration::from_millis(250);
/// The least time between two values, however quickly things change.
const VALUE_PAUSE: Duration = Duration::from_millis(50);
/// Working out values takes one part in so many of the time at most.
const VALUE_SHARE: u32 = 4;

/// Those who see the same.
pub(super) struct Circle {
    pub(super) class: Class,
    /// One of them, by whose settings is read.
    actor: Arc<Actor>,
    pub(super) feed: Arc<Feed>,
    audiences: Mutex<HashMap<[u8; 32], Arc<Audience>>>,
    pub(super) joined: Notify,
    pub(super) closed: CancellationToken,
    /// The turns of those of the tenant that are heavy.
    pub(super) heavy: Arc<Semaphore>,
    /// Why there is no going on.
    ended: OnceLock<Failure>,
}

impl Circle {
    pub(super) fn new(
        class: Class,
        (actor, feed, heavy): (Arc<Actor>, Arc<Feed>, Arc<Semaphore>),
    ) -> Self {
        Self {
            class,
            actor,
            feed,
            audiences: Mutex::default(),
            joined: Notify::new(),
            closed: CancellationToken::new(),
            heavy,
            ended: OnceLock::new(),
        }
    }

    pub(super) fn audience(&self, key: &[u8; 32]) -> Option<Arc<Audience>> {
        self.audiences().get(key).cloned()
    }

    pub(super) fn add(&self, audience: Arc<Audience>) {
        self.audiences()
            .insert(audience.operation.key, Arc::clone(&audience));
        self.joined.notify_one();
        // One that comes while all others are ended may have been overlooked.
        if let Some(failure) = self.ended.get() {
            audience.end(failure);
        }
    }

    /// Whether no audience is left after this one went, if it is empty.
    pub(super) fn remove_if_empty(&self, audience: &Arc<Audience>) -> bool {
        let mut audiences = self.audiences();
        let key = &audience.operation.key;
        let is_here = audiences
            .get(key)
            .is_some_and(|here| Arc::ptr_eq(here, audience));
        if is_here && audience.is_empty() {
            audiences.remove(key);
            audience.left.cancel();
        }
        audiences.is_empty()
    }

    /// What one answer is worked out with.
    fn context(&self, running: &Running) -> Arc<RequestContext> {
        running.context(Arc::clone(&self.actor))
    }

    /// What the answers to a batch of events are worked out with.
    pub(super) fn shared_context(&self, running: &Running) -> Arc<RequestContext> {
        running.shared_context(Arc::clone(&self.actor))
    }

    /// Works a value out whenever it may be another one, until nobody listens.
    pub(super) async fn keep_value(&self, running: &Running, audience: &Audience) {
        let Kind::Value { outdated, .. } = &audience.kind else {
            return;
        };
        loop {
            tokio::select! {
                () = self.closed.cancelled() => return,
                () = outdated.notified() => {}
            }
            if audience.is_empty() {
                return;
            }
            let _turn = match audience.is_heavy {
                true => self.heavy.acquire().await.ok(),
                false => None,
            };
            let began = Instant::now();
            let context = self.context(running);
            match audience.render(running, &context, Turn::Value).await {
                Ok(payload) => audience.send_value(running, &self.feed, payload),
                Err(Unanswered::Later) => {
                    tokio::time::sleep(PAUSE).await;
                    outdated.notify_one();
                }
                Err(Unanswered::Failed(failure)) => audience.fail(&failure),
            }
            drop((context, _turn));
            tokio::time::sleep(VALUE_PAUSE.max(began.elapsed() * VALUE_SHARE)).await;
        }
    }

    pub(super) fn fail(&self, failure: &Failure) {
        _ = self.ended.set(failure.clone());
        self.closed.cancel();
        for audience in self.all() {
            audience.end(failure);
        }
    }

    pub(super) fn all(&self) -> Vec<Arc<Audience>> {
        self.audiences().values().cloned().collect()
    }

    fn audiences(&self) -> MutexGuard<'_, HashMap<[u8; 32], Arc<Audience>>> {
        self.audiences
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
