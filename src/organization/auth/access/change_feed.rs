//! The feed of access changes: whose rights changed, when this server learned of it, and until when it has missed none.
//!
//! A change evicts nothing from a cache: what was read before the change was learned of is stale from then on. So a read
//! that was running meanwhile can't enter the cache afterwards.

use std::{
    array,
    collections::{HashMap, HashSet},
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, Instant},
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::TenantSubject;
use crate::{
    access::Subject,
    base::ids::{SessionId, TenantId, Typed as _},
};

/// How long what was read is relied on without another poll. A little less than the second that is promised.
pub(super) const LEASE: Duration = Duration::from_millis(900);
/// How long changes are remembered. What was read longer ago than this may have changed.
pub(super) const CHANGES_KEPT_FOR: Duration = Duration::from_secs(600);
/// After a gap of this length between polls, changes may have been missed.
const LONGEST_GAP: Duration = Duration::from_secs(15);
/// Listeners are woken by shard, or one tenant could wake those of all by signing in and out.
const SHARDS: usize = 256;
/// How often a lost heartbeat is checked for having come back.
const CHECKED_EVERY: Duration = Duration::from_millis(50);

/// Whose rights changed, as the rows of `access_changes` say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum ChangeTarget {
    All,
    Tenant(TenantId),
    /// A person or a key in a tenant.
    Member(TenantId, Uuid),
    Person(Uuid),
    Session(SessionId),
}

impl ChangeTarget {
    /// What a row is about.
    pub(super) fn of(
        tenant: Option<TenantId>,
        user: Option<Uuid>,
        session: Option<SessionId>,
    ) -> Self {
        match (tenant, user, session) {
            (_, _, Some(session)) => Self::Session(session),
            (Some(tenant), Some(user), None) => Self::Member(tenant, user),
            (Some(tenant), None, None) => Self::Tenant(tenant),
            (None, Some(user), None) => Self::Person(user),
            (None, None, None) => Self::All,
        }
    }

    /// The shard of its listeners; `None` for all of them.
    fn shard(self) -> Option<usize> {
        match self {
            Self::All => None,
            Self::Tenant(tenant) => Some(shard(tenant.uuid())),
            Self::Member(_, id) | Self::Person(id) => Some(shard(id)),
            Self::Session(session) => Some(shard(session.uuid())),
        }
    }

    /// All targets that concern a subject in a tenant.
    fn concerning(who: TenantSubject) -> impl Iterator<Item = Self> {
        let TenantSubject { tenant, subject } = who;
        let (id, person, session) = match subject {
            Subject::Person(user, session) => (Some(user.uuid()), Some(user.uuid()), session),
            Subject::Key(key) => (Some(key.uuid()), None, None),
            Subject::Worker => (None, None, None),
        };
        [
            Some(Self::All),
            Some(Self::Tenant(tenant)),
            id.map(|id| Self::Member(tenant, id)),
            person.map(Self::Person),
            session.map(Self::Session),
        ]
        .into_iter()
        .flatten()
    }
}

/// How long what was read may be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lease {
    /// Until a change concerns it, or the heartbeat of polls is lost: a [`Listener`] wakes for both.
    WhileFollowed,
    /// No longer than this, since no poll that succeeded has begun after it, or the heartbeat is not monitored.
    Until(Instant),
}

/// The changes that this server has learned of.
pub(super) struct ChangeFeed {
    state: RwLock<FeedState>,
    /// The wake-ups of listeners, by shard.
    shards: Vec<watch::Sender<()>>,
}

/// Waits for changes of a tenant, a person or key, and a session.
pub(super) struct Listener([watch::Receiver<()>; 3]);

impl Listener {
    /// Resolves when there may be a change.
    pub(super) async fn notified(&mut self) {
        let [tenant, member, session] = &mut self.0;
        // None of them fails while the feed exists.
        tokio::select! {
                    _ = tenant.changed() => {}
        _ = member.changed() => {}
                    _ = session.changed() => {}
                }
        // Changes are recorded before they wake: the caller now finds all that any of them woke for.
        self.0.iter_mut().for_each(watch::Receiver::mark_unchanged);
    }
}

/// Stands for a running monitor. When it is gone, no lease lasts until a change any more.
struct HeartbeatMonitor<'a>(&'a ChangeFeed);

impl<'a> HeartbeatMonitor<'a> {
    fn begin(changes: &'a ChangeFeed) -> Self {
        changes.write().is_monitored = true;
        Self(changes)
    }
}

impl Drop for HeartbeatMonitor<'_> {
    fn drop(&mut self) {
        self.0.write().is_monitored = false;
        self.0.notify([ChangeTarget::All]);
    }
}

/// The shard of an id: its last byte is random, whatever its kind.
fn shard(id: Uuid) -> usize {
    usize::from(id.as_bytes()[15]) % SHARDS
}

#[derive(Default)]
struct FeedState {
    changes: HashMap<ChangeTarget, Instant>,
    /// When the last poll that succeeded began.
    polled_at: Option<Instant>,
    /// Whether listeners are woken when the heartbeat is lost.
    is_monitored: bool,
}

impl ChangeFeed {
    pub(super) fn new() -> Self {
        Self {
            state: RwLock::default(),
            shards: (0..SHARDS).map(|_| watch::Sender::new(())).collect(),
        }
    }

    /// Records what a poll found that began at `began`.
    pub(super) fn record(&self, began: Instant, targets: impl IntoIterator<Item = ChangeTarget>) {
        let mut state = self.write();
        let is_gap = |last: Instant| began.duration_since(last) > LONGEST_GAP;
        let missed = state
            .polled_at
            .is_none_or(is_gap)
            .then_some(ChangeTarget::All);
        let now = Instant::now();
        let fresh: HashSet<ChangeTarget> = targets.into_iter().chain(missed).collect();
        if !fresh.is_empty() {
            state
                .changes
                .extend(fresh.iter().map(|target| (*target, now)));
            state
                .changes
                .retain(|_, at| now.duration_since(*at) < CHANGES_KEPT_FOR);
        }
        state.polled_at = Some(began);
        drop(state);
        self.notify(fresh);
    }

    /// The lease of what was read of a subject at `as_of`; `None` when it is stale. `since` is when it was last found
    /// to be current, which is `as_of` at first.
    pub(super) fn lease(
        &self,
        who: TenantSubject,
        as_of: Instant,
        since: Instant,
    ) -> Option<Lease> {
        let state = self.read();
        let now = Instant::now();
        let is_covered = now.duration_since(since) < CHANGES_KEPT_FOR;
        let is_changed = |target| state.changes.get(&target).is_some_and(|at| *at >= since);
        if !is_covered || ChangeTarget::concerning(who).any(is_changed) {
            return None;
        }
        let until = state
            .polled_at
            .map_or(as_of, |polled_at| polled_at.max(as_of))
            + LEASE;
        let is_followed = state.is_monitored && state.polled_at >= Some(as_of);
        let lease = match is_followed {
            true => Lease::WhileFollowed,
            false => Lease::Until(until),
        };
        (until > now).then_some(lease)
    }

    /// A listener for changes of a subject, and for the loss of the heartbeat.
    pub(super) fn listen(&self, who: TenantSubject) -> Listener {
        let mut shards: Vec<usize> = ChangeTarget::concerning(who)
            .filter_map(ChangeTarget::shard)
            .collect();
        // A member is a person too.
        shards.dedup();
        Listener(array::from_fn(|n| {
            let shard = shards.get(n).unwrap_or(&shards[0]);
            self.shards[*shard].subscribe()
        }))
    }

    fn notify(&self, fresh: impl IntoIterator<Item = ChangeTarget>) {
        for target in fresh {
            let shard = target.shard();
            let shards = shard.map_or(&self.shards[..], |shard| &self.shards[shard..=shard]);
            shards.iter().for_each(|shard| {
                shard.send_replace(());
            });
        }
    }

    /// Wakes listeners as soon as the heartbeat of polls is lost, until stopped. One timer for all of them: ten
    /// thousand open sockets with a timer each would wake ten thousand times a second to find that all is well. If it
    /// ends in any other way, leases end by their own time again.
    pub(super) async fn monitor_heartbeat(&self, stop: &CancellationToken) {
        let _monitor = HeartbeatMonitor::begin(self);
        let mut reported = None;
        let mut wake_at = Instant::now();
        let sleep = |at: Instant| stop.run_until_cancelled(tokio::time::sleep_until(at.into()));
        while sleep(wake_at).await.is_some() {
            let (now, polled_at) = (Instant::now(), self.read().polled_at);
            let ends = polled_at.map(|polled_at| polled_at + LEASE);
            wake_at = match ends.filter(|ends| *ends > now) {
                Some(ends) => ends,
                None => {
                    if std::mem::replace(&mut reported, polled_at) != polled_at {
                        self.notify([ChangeTarget::All]);
                    }
                    now + CHECKED_EVERY
                }
            };
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, FeedState> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, FeedState> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::base::ids::{ApiKeyId, UserId};

    fn a_key() -> TenantSubject {
        TenantSubject {
            tenant: TenantId::new(),
            subject: Subject::Key(ApiKeyId::new()),
        }
    }

    #[test]
    fn each_change_concerns_those_that_it_names_and_no_others() {
        // Each in a shard of its own.
        let id = |n: u128| Uuid::from_u128(n);
        let (tenant, other) = (TenantId::from_uuid(id(1)), TenantId::from_uuid(id(2)));
        let (user, session) = (UserId::from_uuid(id(3)), SessionId::from_uuid(id(4)));
        let (key, another) = (ApiKeyId::from_uuid(id(5)), UserId::from_uuid(id(6)));
        let device = Subject::Person(user, Some(session));
        let all = [
            (tenant, device),
            (tenant, Subject::Person(user, None)),
            (other, device),
            (tenant, Subject::Person(another, None)),
            (tenant, Subject::Key(key)),
        ]
        .map(|(tenant, subject)| TenantSubject { tenant, subject });
        for (target, hit) in [
            (ChangeTarget::All, [true; 5]),
            (
                ChangeTarget::Tenant(tenant),
                [true, true, false, true, true],
            ),
            (
                ChangeTarget::Member(tenant, user.uuid()),
                [true, true, false, false, false],
            ),
            (
                ChangeTarget::Person(user.uuid()),
                [true, true, true, false, false],
            ),
            (
                ChangeTarget::Session(session),
                [true, false, true, false, false],
            ),
            (
                ChangeTarget::Member(tenant, key.uuid()),
                [false, false, false, false, true],
            ),
        ] {
            let changes = ChangeFeed::new();
            changes.record(Instant::now(), []);
            let read = Instant::now();
            let mut listeners = all.map(|who| changes.listen(who));
            changes.record(Instant::now(), [target]);
            let mut woken = listeners
                .each_mut()
                .map(|listener| listener.notified().now_or_never().is_some());
            // A person is woken by what concerns them as a member of another tenant too.
            if matches!(target, ChangeTarget::Member(_, id) if id == user.uuid()) {
                woken[2] = false;
            }
            assert_eq!(woken, hit, "{target:?} wakes");
            let concerns = all.map(|who| changes.lease(who, read, read).is_none());
            assert_eq!(concerns, hit, "{target:?}");
            let again = Instant::now();
            assert!(changes.lease(all[0], again, again).is_some());
        }
    }

    #[test]
    fn without_polls_leases_are_short_and_after_a_gap_all_is_stale() {
        let who = a_key();
        let changes = ChangeFeed::new();
        let now = Instant::now();
        let ago = |time| now.checked_sub(time).expect("the machine runs for longer");
        assert!(changes.lease(who, now, now).is_some());
        let old = ago(LEASE);
        assert!(changes.lease(who, old, old).is_none());
        changes.record(ago(LONGEST_GAP * 2), []);
        let read = Instant::now();
        assert!(changes.lease(who, read, read).is_some());
        changes.record(Instant::now(), []);
        assert!(
            changes.lease(who, read, read).is_none(),
            "a gap between polls"
        );
        let read = Instant::now();
        changes.record(Instant::now(), []);
        assert!(changes.lease(who, read, read).is_some());
    }

    #[tokio::test]
    async fn each_lost_heartbeat_is_reported_once() {
        let (changes, stop) = (ChangeFeed::new(), CancellationToken::new());
        let who = a_key();
        let subscribe = async {
            // What came before the first poll is unknown, as after a gap.
            changes.record(Instant::now(), []);
            let mut listener = changes.listen(who);
            for _ in 0..2 {
                let read = Instant::now();
                let alone = changes.lease(who, read, read);
                assert_eq!(alone, Some(Lease::Until(read + LEASE)));
                changes.record(Instant::now(), []);
                assert_eq!(changes.lease(who, read, read), Some(Lease::WhileFollowed));
                listener.notified().await;
                assert!(read.elapsed() >= LEASE, "not yet");
                assert_eq!(changes.lease(who, read, read), None);
                tokio::time::sleep(CHECKED_EVERY * 3).await;
                assert!(listener.notified().now_or_never().is_none(), "twice");
            }
            stop.cancel();
        };
        tokio::join!(changes.monitor_heartbeat(&stop), subscribe);
    }

    #[tokio::test]
    async fn without_a_monitor_leases_end_by_their_own_time() {
        let (changes, stop) = (ChangeFeed::new(), CancellationToken::new());
        let who = a_key();
        changes.record(Instant::now(), []);
        let read = Instant::now();
        changes.record(Instant::now(), []);
        let mut monitor = Box::pin(changes.monitor_heartbeat(&stop));
        assert!(monitor.as_mut().now_or_never().is_none());
        assert_eq!(changes.lease(who, read, read), Some(Lease::WhileFollowed));
        let mut listener = changes.listen(who);
        drop(monitor);
        assert!(listener.notified().now_or_never().is_some(), "it is gone");
        let alone = changes.lease(who, read, read);
        assert!(matches!(alone, Some(Lease::Until(_))), "{alone:?}");
    }
}
