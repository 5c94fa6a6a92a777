//! The handle of a subscriber: it keeps a shared subscription alive, which is found or made for the first and removed
//! after the last.

use std::sync::{Arc, atomic::Ordering};

use super::{
    Live,
    dispatch::Lane,
    group::SubscriberGroup,
    operation::LiveOperation,
    shared::{SharedSubscription, SubscriptionKind},
};
use crate::{
    access::Actor,
    base::ids::UserId,
    events::Feed,
    platform::redis::{PresenceGuard, Viewer},
};

/// A new shared subscription begins as far back as its first subscriber resumes, up to this many events, so that others
/// that reconnect at the same time share the replay.
const SHARED_REPLAY: i64 = 128;

/// A running subscription; dropped, it ends.
pub(crate) struct SubscriptionHandle {
    live: Arc<Live>,
    pub(super) group: Arc<SubscriberGroup>,
    pub(super) subscription: Arc<SharedSubscription>,
    pub(super) id: u64,
    /// Held for as long as the client views a record.
    _presence: Option<PresenceGuard>,
}

impl Live {
    /// Finds the shared subscription of an operation, or makes it.
    pub(super) fn join(
        self: &Arc<Self>,
        actor: &Arc<Actor>,
        feed: &Arc<Feed>,
        operation: LiveOperation,
        is_heavy: bool,
        kind: SubscriptionKind,
        after: i64,
    ) -> SubscriptionHandle {
        let class = actor.class(operation.is_personal);
        let mut groups = self.groups();
        let known = groups
            .get(&class)
            .filter(|group| Arc::ptr_eq(&group.feed, feed) && !group.closed.is_cancelled());
        let group = match known {
            Some(group) => Arc::clone(group),
            None => {
                let new = Arc::new(SubscriberGroup::new(
                    class.clone(),
                    Arc::clone(actor),
                    Arc::clone(feed),
                    self.heavy(actor.tenant),
                ));
                groups.insert(class, Arc::clone(&new));
                self.spawn_lane(&new, Lane::Shared);
                new
            }
        };
        let subscription = group.subscription(&operation.key).unwrap_or_else(|| {
            let position = feed.position();
            let from = match position - after {
                0..=SHARED_REPLAY => after,
                _ => position,
            };
            let subscription = Arc::new(SharedSubscription::new(operation, is_heavy, kind, from));
            group.add(Arc::clone(&subscription));
            if is_heavy {
                self.spawn_lane(&group, Lane::Isolated(Arc::clone(&subscription)));
            }
            if !matches!(subscription.kind, SubscriptionKind::Changes(_)) {
                let (live, group, subscription) = (
                    Arc::clone(self),
                    Arc::clone(&group),
                    Arc::clone(&subscription),
                );
                self.tasks.spawn(async move {
                    let runtime = &live.runtime;
                    match &subscription.kind {
                        SubscriptionKind::Rows(look) => {
                            group.keep_rows(runtime, &subscription, look).await;
                        }
                        _ => group.keep_value(runtime, &subscription).await,
                    }
                });
            }
            subscription
        });
        subscription.add_handle();
        self.runtime.metrics.live.subscriptions.inc();
        SubscriptionHandle {
            live: Arc::clone(self),
            group,
            subscription,
            id: self.next_handle.fetch_add(1, Ordering::Relaxed),
            _presence: None,
        }
    }
}

impl SubscriptionHandle {
    /// Watches who views a record, and registers the person as a viewer too.
    pub(super) fn view(&mut self, record: &str, person: Option<UserId>) {
        let SubscriptionKind::Value { outdated, .. } = &self.subscription.kind else {
            return;
        };
        let now = self.live.runtime.db.clock().now();
        let viewer = person.map(|user| Viewer {
            since_ms: now.timestamp_millis(),
            user,
        });
        self._presence = Some(self.live.presences.enter(
            self.group.feed.tenant(),
            record,
            viewer,
            outdated,
        ));
    }
}

impl Drop for SubscriptionHandle {
    fn drop(&mut self) {
        self.live.runtime.metrics.live.subscriptions.dec();
        if !self.subscription.remove(self.id) {
            return;
        }
        let mut groups = self.live.groups();
        if self.group.remove_if_empty(&self.subscription) {
            self.group.closed.cancel();
            let is_known = groups
                .get(&self.group.class)
                .is_some_and(|known| Arc::ptr_eq(known, &self.group));
            if is_known {
                groups.remove(&self.group.class);
            }
        }
        // Its task waits for the value to change, and learns that there are no subscribers left.
        if let SubscriptionKind::Value { outdated, .. } = &self.subscription.kind {
            outdated.notify_one();
        }
    }
}
