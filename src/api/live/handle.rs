//! A subscriber's place in an audience: found or made when it comes, and tidied away when the last one goes.

use std::sync::{Arc, atomic::Ordering};

use super::{
    Live,
    dispatch::Lane,
    group::Circle,
    operation::Operation,
    shared::{Audience, Kind},
};
use crate::{
    access::Actor,
    base::ids::UserId,
    events::Feed,
    platform::redis::{Present, Stay},
};

/// A new audience begins with whoever came back after no more events than this, so that others who come back find it
/// all there.
const SHARED_RETURN: i64 = 128;
/// A subscription under way; dropped, it ends.
pub(crate) struct Seat {
    live: Arc<Live>,
    pub(super) circle: Arc<Circle>,
    pub(super) audience: Arc<Audience>,
    pub(super) id: u64,
    /// Held for as long as the client looks at a record.
    _stay: Option<Stay>,
}

impl Live {
    /// Finds the audience of an operation, or makes it.
    pub(super) fn join(
        self: &Arc<Self>,
        (actor, feed): (&Arc<Actor>, &Arc<Feed>),
        (operation, is_heavy): (Operation, bool),
        kind: Kind,
        after: i64,
    ) -> Seat {
        let class = actor.class(operation.is_personal);
        let mut circles = self.circles();
        let known = circles
            .get(&class)
            .filter(|circle| Arc::ptr_eq(&circle.feed, feed) && !circle.closed.is_cancelled());
        let circle = match known {
            Some(circle) => Arc::clone(circle),
            None => {
                let members = (
                    Arc::clone(actor),
                    Arc::clone(feed),
                    self.heavy(actor.tenant),
                );
                let new = Arc::new(Circle::new(class.clone(), members));
                circles.insert(class, Arc::clone(&new));
                self.follow(&new, Lane::Together);
                new
            }
        };
        let audience = circle.audience(&operation.key).unwrap_or_else(|| {
            let position = feed.position();
            let from = match position - after {
                0..=SHARED_RETURN => after,
                _ => position,
            };
            let audience = Arc::new(Audience::new((operation, is_heavy), kind, from));
            circle.add(Arc::clone(&audience));
            if is_heavy {
                self.follow(&circle, Lane::Aside(Arc::clone(&audience)));
            }
            if matches!(audience.kind, Kind::Value { .. }) {
                let (live, circle, audience) =
                    (Arc::clone(self), Arc::clone(&circle), Arc::clone(&audience));
                self.tasks
                    .spawn(async move { circle.keep_value(&live.running, &audience).await });
            }
            audience
        });
        audience.take_seat();
        self.running.metrics.subscriptions.inc();
        Seat {
            live: Arc::clone(self),
            circle,
            audience,
            id: self.seats.fetch_add(1, Ordering::Relaxed),
            _stay: None,
        }
    }
}

impl Seat {
    /// Wants to know who looks at a record, and looks too when it is a person.
    pub(super) fn look_at(&mut self, record: &str, person: Option<UserId>) {
        let Kind::Value { outdated, .. } = &self.audience.kind else {
            return;
        };
        let now = self.live.running.db.clock().now();
        let who = person.map(|user| Present {
            since_ms: now.timestamp_millis(),
            user,
        });
        let place = (self.circle.feed.tenant(), record);
        self._stay = Some(self.live.presences.enter(place, who, outdated));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.live.running.metrics.subscriptions.dec();
        if !self.audience.leave(self.id) {
            return;
        }
        let mut circles = self.live.circles();
        if self.circle.remove_if_empty(&self.audience) {
            self.circle.closed.cancel();
            let is_known = circles
                .get(&self.circle.class)
                .is_some_and(|known| Arc::ptr_eq(known, &self.circle));
            if is_known {
                circles.remove(&self.circle.class);
            }
        }
        // One that waits for its value to change is told that nobody is left.
        if let Kind::Value { outdated, .. } = &self.audience.kind {
            outdated.notify_one();
        }
    }
}
