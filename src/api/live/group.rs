//! The subscribers of one visibility class of a tenant: their shared subscriptions, and the live values of some of
//! these. Events are dispatched in lanes ([`super::dispatch`]).

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
    Failure, Runtime,
    operation::RenderError,
    shared::{SharedSubscription, SubscriptionKind},
};
use crate::{
    access::{Actor, Class},
    events::Feed,
    graphql::{RequestContext, subscription::ResolverMode},
};

/// How long to wait before a database that does not answer is tried again.
pub(super) const PAUSE: Duration = Duration::from_millis(250);
/// The least time between two renderings of a live value, however quickly it changes.
const VALUE_PAUSE: Duration = Duration::from_millis(50);
/// Rendering a live value takes at most one part in this many of the time.
const VALUE_SHARE: u32 = 4;

/// All subscribers that see the same.
pub(super) struct SubscriberGroup {
    pub(super) class: Class,
    /// One of them, on whose behalf the group reads.
    actor: Arc<Actor>,
    pub(super) feed: Arc<Feed>,
    subscriptions: Mutex<HashMap<[u8; 32], Arc<SharedSubscription>>>,
    pub(super) joined: Notify,
    pub(super) closed: CancellationToken,
    /// Held while a heavy subscription of the tenant renders.
    pub(super) heavy: Arc<Semaphore>,
    /// Why the group has ended.
    ended: OnceLock<Failure>,
}

impl SubscriberGroup {
    pub(super) fn new(
        class: Class,
        actor: Arc<Actor>,
        feed: Arc<Feed>,
        heavy: Arc<Semaphore>,
    ) -> Self {
        Self {
            class,
            actor,
            feed,
            subscriptions: Mutex::default(),
            joined: Notify::new(),
            closed: CancellationToken::new(),
            heavy,
            ended: OnceLock::new(),
        }
    }

    pub(super) fn subscription(&self, key: &[u8; 32]) -> Option<Arc<SharedSubscription>> {
        self.subscriptions().get(key).cloned()
    }

    pub(super) fn add(&self, subscription: Arc<SharedSubscription>) {
        self.subscriptions()
            .insert(subscription.operation.key, Arc::clone(&subscription));
        self.joined.notify_one();
        // `fail` may have passed over one that was added meanwhile.
        if let Some(failure) = self.ended.get() {
            subscription.end(failure);
        }
    }

    /// Removes a subscription without subscribers; whether the group is empty then.
    pub(super) fn remove_if_empty(&self, subscription: &Arc<SharedSubscription>) -> bool {
        let mut subscriptions = self.subscriptions();
        let key = &subscription.operation.key;
        let is_here = subscriptions
            .get(key)
            .is_some_and(|here| Arc::ptr_eq(here, subscription));
        if is_here && subscription.is_empty() {
            subscriptions.remove(key);
            subscription.left.cancel();
        }
        subscriptions.is_empty()
    }

    /// The request context of one response.
    pub(super) fn context(&self, runtime: &Runtime) -> Arc<RequestContext> {
        runtime.context(Arc::clone(&self.actor))
    }

    /// The request context of a batch of events.
    pub(super) fn shared_context(&self, runtime: &Runtime) -> Arc<RequestContext> {
        runtime.shared_context(Arc::clone(&self.actor))
    }

    /// Renders a live value whenever it may have changed, until it has no subscribers.
    pub(super) async fn keep_value(&self, runtime: &Runtime, subscription: &SharedSubscription) {
        let SubscriptionKind::Value { outdated, .. } = &subscription.kind else {
            return;
        };
        loop {
            tokio::select! {
                () = self.closed.cancelled() => return,
                () = outdated.notified() => {}
            }
            if subscription.is_empty() {
                return;
            }
            let _permit = match subscription.is_heavy {
                true => self.heavy.acquire().await.ok(),
                false => None,
            };
            let began = Instant::now();
            let context = self.context(runtime);
            match subscription
                .render(runtime, &context, ResolverMode::Value)
                .await
            {
                Ok(payload) => subscription.send_value(runtime, &self.feed, payload),
                Err(RenderError::Unavailable) => {
                    tokio::time::sleep(PAUSE).await;
                    outdated.notify_one();
                }
                Err(RenderError::Failed(failure)) => subscription.fail(&failure),
            }
            drop((context, _permit));
            tokio::time::sleep(VALUE_PAUSE.max(began.elapsed() * VALUE_SHARE)).await;
        }
    }

    pub(super) fn fail(&self, failure: &Failure) {
        _ = self.ended.set(failure.clone());
        self.closed.cancel();
        for subscription in self.all() {
            subscription.end(failure);
        }
    }

    pub(super) fn all(&self) -> Vec<Arc<SharedSubscription>> {
        self.subscriptions().values().cloned().collect()
    }

    fn subscriptions(&self) -> MutexGuard<'_, HashMap<[u8; 32], Arc<SharedSubscription>>> {
        self.subscriptions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
