//! What a server knows of changed rights: who changed when it heard of it, and until when it surely missed nothing.
//!
//! Nothing is thrown out of a cache when somebody changes: what was read before the change was heard of does not count
//! any more. So a reading that was under way meanwhile can't slip in afterwards.

use std::{
    array,
    collections::{HashMap, HashSet},
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, Instant},
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    access::Subject,
    base::ids::{SessionId, TenantId, Typed as _},
};

/// What was read so long ago, and not confirmed since, is read again. A little less than the second that is promised.
pub(super) const TRUSTED_FOR: Duration = Duration::from_millis(900);
/// How long changes are remembered. Whatever is older than this may have changed.
pub(super) const REMEMBERED_FOR: Duration = Duration::from_secs(600);
/// After a silence of this length changes may have come and gone unheard.
const LONGEST_SILENCE: Duration = Duration::from_secs(15);
/// Listeners are told group by group, or those of one tenant could wake those of all by signing in and out.
const GROUPS: usize = 256;
/// How often it is looked during a silence whether it has ended.
const LOOKED_EVERY: Duration = Duration::from_millis(50);

/// Whose rights changed, as the rows of `access_changes` say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Target {
    Everybody,
    Tenant(TenantId),
    /// A person or a key in a tenant.
    Member(TenantId, Uuid),
    Person(Uuid),
    Session(SessionId),
}

impl Target {
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
            (None, None, None) => Self::Everybody,
        }
    }

    /// Whose listeners it concerns; `None` for all of them.
    fn group(self) -> Option<usize> {
        match self {
            Self::Everybody => None,
            Self::Tenant(tenant) => Some(group(tenant.uuid())),
            Self::Member(_, id) | Self::Person(id) => Some(group(id)),
            Self::Session(session) => Some(group(session.uuid())),
        }
    }

    /// All that concerns somebody in a tenant.
    fn concerning(tenant: TenantId, subject: Subject) -> impl Iterator<Item = Self> {
        let (id, person, session) = match subject {
            Subject::Person(user, session) => (Some(user.uuid()), Some(user.uuid()), session),
            Subject::Key(key) => (Some(key.uuid()), None, None),
            Subject::Worker => (None, None, None),
        };
        [
            Some(Self::Everybody),
            Some(Self::Tenant(tenant)),
            id.map(|id| Self::Member(tenant, id)),
            person.map(Self::Person),
            session.map(Self::Session),
        ]
        .into_iter()
        .flatten()
    }
}

/// How long something that was read may be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Until there is news that concerns it, or none is heard any more: a [`Listener`] wakes for both.
    WhileHeard,
    /// No longer than this, since no reading of changes that succeeded has begun after it, or nobody tells of a silence.
    Until(Instant),
}

/// What was heard.
pub(super) struct News {
    heard: RwLock<Heard>,
    /// One for each group.
    told: Vec<watch::Sender<()>>,
}

/// Somebody who waits for news of a tenant, a person or key, and a session.
pub(super) struct Listener([watch::Receiver<()>; 3]);

impl Listener {
    /// Resolves when there may be some.
    pub(super) async fn told(&mut self) {
        let [tenant, who, session] = &mut self.0;
        // None of them fails while there is news to listen to.
        tokio::select! {
            _ = tenant.changed() => {}
            _ = who.changed() => {}
            _ = session.changed() => {}
        }
        // What is told is known before: whoever looks now finds all that any of them was told of.
        self.0.iter_mut().for_each(watch::Receiver::mark_unchanged);
    }
}

/// Whoever tells of a silence. Gone, it leaves nothing that is relied on until it tells.
struct Announcer<'a>(&'a News);

impl<'a> Announcer<'a> {
    fn begin(news: &'a News) -> Self {
        news.write().is_announced = true;
        Self(news)
    }
}

impl Drop for Announcer<'_> {
    fn drop(&mut self) {
        self.0.write().is_announced = false;
        self.0.tell([Target::Everybody]);
    }
}

/// The group of an id: the end of one is random, whatever its kind.
fn group(id: Uuid) -> usize {
    usize::from(id.as_bytes()[15]) % GROUPS
}

#[derive(Default)]
struct Heard {
    changes: HashMap<Target, Instant>,
    /// When the last reading that succeeded began.
    until: Option<Instant>,
    /// Whether somebody tells when there is none any more.
    is_announced: bool,
}

impl News {
    pub(super) fn new() -> Self {
        Self {
            heard: RwLock::default(),
            told: (0..GROUPS).map(|_| watch::Sender::new(())).collect(),
        }
    }

    /// Takes in what a reading found that began at `began`.
    pub(super) fn hear(&self, began: Instant, targets: impl IntoIterator<Item = Target>) {
        let mut heard = self.write();
        let is_silent = |last: Instant| began.duration_since(last) > LONGEST_SILENCE;
        let missed = heard
            .until
            .is_none_or(is_silent)
            .then_some(Target::Everybody);
        let now = Instant::now();
        let fresh: HashSet<Target> = targets.into_iter().chain(missed).collect();
        if !fresh.is_empty() {
            heard
                .changes
                .extend(fresh.iter().map(|target| (*target, now)));
            heard
                .changes
                .retain(|_, at| now.duration_since(*at) < REMEMBERED_FOR);
        }
        heard.until = Some(began);
        drop(heard);
        self.tell(fresh);
    }

    /// How long what was read of somebody at `as_of` may be relied on; `None` when it may not. `since` is when it was
    /// last found to be good, which is `as_of` at first.
    pub(super) fn trust(
        &self,
        (tenant, subject): (TenantId, Subject),
        as_of: Instant,
        since: Instant,
    ) -> Option<Trust> {
        let heard = self.read();
        let now = Instant::now();
        let is_remembered = now.duration_since(since) < REMEMBERED_FOR;
        let is_changed = |target| heard.changes.get(&target).is_some_and(|at| *at >= since);
        if !is_remembered || Target::concerning(tenant, subject).any(is_changed) {
            return None;
        }
        let until = heard.until.map_or(as_of, |until| until.max(as_of)) + TRUSTED_FOR;
        let is_followed = heard.is_announced && heard.until >= Some(as_of);
        let trust = match is_followed {
            true => Trust::WhileHeard,
            false => Trust::Until(until),
        };
        (until > now).then_some(trust)
    }

    /// Wakes when there may be news of somebody, and when no news has been heard for too long.
    pub(super) fn listen(&self, (tenant, subject): (TenantId, Subject)) -> Listener {
        let mut groups: Vec<usize> = Target::concerning(tenant, subject)
            .filter_map(Target::group)
            .collect();
        // A member is a person too.
        groups.dedup();
        Listener(array::from_fn(|n| {
            let group = groups.get(n).unwrap_or(&groups[0]);
            self.told[*group].subscribe()
        }))
    }

    fn tell(&self, fresh: impl IntoIterator<Item = Target>) {
        for target in fresh {
            let group = target.group();
            let told = group.map_or(&self.told[..], |group| &self.told[group..=group]);
            told.iter().for_each(|listeners| {
                listeners.send_replace(());
            });
        }
    }

    /// Tells listeners of each silence as soon as it is one, until told to stop. One clock for all of them: ten thousand
    /// open sockets with a timer each would wake ten thousand times a second to find that all is well.
    /// Whatever ends it but that makes everybody look for themselves again.
    pub(super) async fn announce_silence(&self, stop: &CancellationToken) {
        let _announcer = Announcer::begin(self);
        let mut announced = None;
        let mut wake_at = Instant::now();
        let sleep = |at: Instant| stop.run_until_cancelled(tokio::time::sleep_until(at.into()));
        while sleep(wake_at).await.is_some() {
            let (now, until) = (Instant::now(), self.read().until);
            let ends = until.map(|until| until + TRUSTED_FOR);
            wake_at = match ends.filter(|ends| *ends > now) {
                Some(ends) => ends,
                None => {
                    if std::mem::replace(&mut announced, until) != until {
                        self.tell([Target::Everybody]);
                    }
                    now + LOOKED_EVERY
                }
            };
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Heard> {
        self.heard.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Heard> {
        self.heard.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::base::ids::{ApiKeyId, UserId};

    #[test]
    fn each_change_concerns_those_that_it_names_and_nobody_else() {
        // Each in a group of its own.
        let id = |n: u128| Uuid::from_u128(n);
        let (tenant, other) = (TenantId::from_uuid(id(1)), TenantId::from_uuid(id(2)));
        let (user, session) = (UserId::from_uuid(id(3)), SessionId::from_uuid(id(4)));
        let (key, somebody) = (ApiKeyId::from_uuid(id(5)), UserId::from_uuid(id(6)));
        let device = Subject::Person(user, Some(session));
        let all = [
            (tenant, device),
            (tenant, Subject::Person(user, None)),
            (other, device),
            (tenant, Subject::Person(somebody, None)),
            (tenant, Subject::Key(key)),
        ];
        for (target, hit) in [
            (Target::Everybody, [true; 5]),
            (Target::Tenant(tenant), [true, true, false, true, true]),
            (
                Target::Member(tenant, user.uuid()),
                [true, true, false, false, false],
            ),
            (
                Target::Person(user.uuid()),
                [true, true, true, false, false],
            ),
            (Target::Session(session), [true, false, true, false, false]),
            (
                Target::Member(tenant, key.uuid()),
                [false, false, false, false, true],
            ),
        ] {
            let news = News::new();
            news.hear(Instant::now(), []);
            let read = Instant::now();
            let mut listeners = all.map(|who| news.listen(who));
            news.hear(Instant::now(), [target]);
            let mut woken = listeners
                .each_mut()
                .map(|listener| listener.told().now_or_never().is_some());
            // A person is woken by what concerns them as a member of another tenant too.
            if matches!(target, Target::Member(_, id) if id == user.uuid()) {
                woken[2] = false;
            }
            assert_eq!(woken, hit, "{target:?} wakes");
            let concerns = all.map(|who| news.trust(who, read, read).is_none());
            assert_eq!(concerns, hit, "{target:?}");
            let again = Instant::now();
            assert!(news.trust(all[0], again, again).is_some());
        }
    }

    #[test]
    fn without_news_nothing_is_trusted_for_long_and_after_a_silence_nothing_of_before() {
        let who = (TenantId::new(), Subject::Key(ApiKeyId::new()));
        let news = News::new();
        let now = Instant::now();
        let ago = |time| now.checked_sub(time).expect("the machine runs for longer");
        assert!(news.trust(who, now, now).is_some());
        let old = ago(TRUSTED_FOR);
        assert!(news.trust(who, old, old).is_none());
        news.hear(ago(LONGEST_SILENCE * 2), []);
        let read = Instant::now();
        assert!(news.trust(who, read, read).is_some());
        news.hear(Instant::now(), []);
        assert!(news.trust(who, read, read).is_none(), "a silence");
        let read = Instant::now();
        news.hear(Instant::now(), []);
        assert!(news.trust(who, read, read).is_some());
    }

    #[tokio::test]
    async fn each_silence_is_announced_once() {
        let (news, stop) = (News::new(), CancellationToken::new());
        let who = (TenantId::new(), Subject::Key(ApiKeyId::new()));
        let listen = async {
            // What came before the first time is not known, as after a silence.
            news.hear(Instant::now(), []);
            let mut listener = news.listen(who);
            for _ in 0..2 {
                let read = Instant::now();
                let alone = news.trust(who, read, read);
                assert_eq!(alone, Some(Trust::Until(read + TRUSTED_FOR)));
                news.hear(Instant::now(), []);
                assert_eq!(news.trust(who, read, read), Some(Trust::WhileHeard));
                listener.told().await;
                assert!(read.elapsed() >= TRUSTED_FOR, "not yet");
                assert_eq!(news.trust(who, read, read), None);
                tokio::time::sleep(LOOKED_EVERY * 3).await;
                assert!(listener.told().now_or_never().is_none(), "twice");
            }
            stop.cancel();
        };
        tokio::join!(news.announce_silence(&stop), listen);
    }

    #[tokio::test]
    async fn without_an_announcer_everybody_looks_for_themselves() {
        let (news, stop) = (News::new(), CancellationToken::new());
        let who = (TenantId::new(), Subject::Key(ApiKeyId::new()));
        news.hear(Instant::now(), []);
        let read = Instant::now();
        news.hear(Instant::now(), []);
        let mut announcer = Box::pin(news.announce_silence(&stop));
        assert!(announcer.as_mut().now_or_never().is_none());
        assert_eq!(news.trust(who, read, read), Some(Trust::WhileHeard));
        let mut listener = news.listen(who);
        drop(announcer);
        assert!(listener.told().now_or_never().is_some(), "it is gone");
        let alone = news.trust(who, read, read);
        assert!(matches!(alone, Some(Trust::Until(_))), "{alone:?}");
    }
}
