//! Who is viewing a record now. Viewers are kept in Redis with an expiry that their server extends, so those of a
//! server that dies expire by themselves; without Redis each server knows its own.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use super::RedisAddress;
use crate::base::ids::{TenantId, Typed as _, UserId};

/// How often the viewers at other servers are refreshed.
const REFRESHED_EVERY: Duration = Duration::from_secs(1);
/// How often this server's own viewers are announced.
const ANNOUNCED_EVERY: Duration = Duration::from_secs(10);
/// Viewers that are not announced for this long are gone, in milliseconds.
const EXPIRY_MS: u64 = 30_000;
/// No command waits longer than this for Redis.
const PATIENCE: Duration = Duration::from_millis(200);

/// Announces viewers; the time is Redis' own.
const ANNOUNCE: &str = "
local now = redis.call('TIME')
local at = now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[1]
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], at, ARGV[i]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[1])";

/// Lists the viewers.
const LIST: &str = "
local now = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now[1] * 1000 + math.floor(now[2] / 1000))
return redis.call('ZRANGE', KEYS[1], 0, 999)";

/// A record of a tenant, by its id in the API.
type RecordKey = (TenantId, Arc<str>);

/// A person who views a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Viewer {
    /// Since when, in milliseconds since 1970.
    pub since_ms: i64,
    /// Who.
    pub user: UserId,
}

/// The viewers of all records.
#[derive(Default)]
pub struct Presences {
    redis: Option<ConnectionManager>,
    state: Mutex<PresenceState>,
    changed: Notify,
}

#[derive(Default)]
struct PresenceState {
    next: u64,
    /// The viewers of this server, by their number.
    local: HashMap<RecordKey, HashMap<u64, Viewer>>,
    /// Those who left since the last announcement.
    left: Vec<(RecordKey, String)>,
    /// The viewers, as last fetched, of records that are watched here.
    known: HashMap<RecordKey, Vec<Viewer>>,
    /// The watchers of each record.
    watching: HashMap<RecordKey, Vec<Weak<Notify>>>,
}

/// Viewing a record, or watching its viewers; dropped, it ends.
pub struct PresenceGuard {
    presences: Arc<Presences>,
    key: RecordKey,
    number: u64,
}

impl Presences {
    /// Shares viewers through Redis, if there is one; it connects at the first use.
    #[must_use]
    pub fn new(redis: &RedisAddress) -> Self {
        Self {
            redis: redis.url().and_then(manager),
            ..Self::default()
        }
    }

    /// Watches the viewers of a record, whose changes notify `changed`, and adds `viewer` to them.
    pub fn enter(
        self: &Arc<Self>,
        tenant: TenantId,
        record: &str,
        viewer: Option<Viewer>,
        changed: &Arc<Notify>,
    ) -> PresenceGuard {
        let key: RecordKey = (tenant, record.into());
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        if let Some(viewer) = viewer {
            let local = state.local.entry(key.clone()).or_default();
            local.insert(number, viewer);
        }
        let watching = state.watching.entry(key.clone()).or_default();
        watching.push(Arc::downgrade(changed));
        drop(state);
        self.changed.notify_one();
        PresenceGuard {
            presences: Arc::clone(self),
            key,
            number,
        }
    }

    /// The viewers of a record, the one who has been there longest first.
    pub async fn of(&self, tenant: TenantId, record: &str) -> Vec<Viewer> {
        let key: RecordKey = (tenant, record.into());
        if let Some(known) = self.state().known.get(&key) {
            return known.clone();
        }
        match self.fetch(&key).await {
            Some(viewers) => viewers,
            None => self.state().local_viewers(&key),
        }
    }

    /// Synchronizes viewers with the other servers until stopped.
    pub async fn run(&self, stop: &CancellationToken) {
        let mut refresh = interval(REFRESHED_EVERY);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut announced_at = Instant::now();
        loop {
            let is_tick = tokio::select! {
                () = stop.cancelled() => break,
                () = self.changed.notified() => false,
                _ = refresh.tick() => true,
            };
            let is_due = announced_at.elapsed() >= ANNOUNCED_EVERY;
            if self.is_idle() {
                continue;
            }
            if is_due || !is_tick {
                self.announce().await;
                announced_at = Instant::now();
            }
            self.refresh().await;
        }
        self.withdraw().await;
    }

    /// Announces this server's viewers, and withdraws those who left.
    async fn announce(&self) {
        let (local, left) = {
            let mut state = self.state();
            let local: Vec<(RecordKey, Vec<String>)> = state
                .local
                .iter()
                .map(|(key, local)| {
                    let members = local.iter().map(|(number, viewer)| member(*number, viewer));
                    (key.clone(), members.collect())
                })
                .collect();
            (local, std::mem::take(&mut state.left))
        };
        let Some(mut redis) = self.redis.clone() else {
            return;
        };
        let mut pipe = redis::pipe();
        for (key, member) in &left {
            pipe.zrem(redis_key(key), member).ignore();
        }
        for (key, members) in local.iter().filter(|(_, members)| !members.is_empty()) {
            pipe.cmd("EVAL")
                .arg(ANNOUNCE)
                .arg(1)
                .arg(redis_key(key))
                .arg(EXPIRY_MS)
                .arg(members)
                .ignore();
        }
        let said = timeout(PATIENCE, pipe.query_async::<()>(&mut redis)).await;
        if !matches!(said, Ok(Ok(()))) {
            // Those who left expire at the latest.
            tracing::debug!("viewers could not be announced in Redis");
        }
    }

    /// Fetches the viewers of the records that are watched here, and notifies the watchers of changes.
    async fn refresh(&self) {
        let keys: Vec<RecordKey> = {
            let mut state = self.state();
            state.watching.retain(|_, watchers| {
                watchers.retain(|watcher| watcher.strong_count() > 0);
                !watchers.is_empty()
            });
            let watched: HashSet<RecordKey> = state.watching.keys().cloned().collect();
            state.known.retain(|key, _| watched.contains(key));
            watched.into_iter().collect()
        };
        for key in keys {
            let fetched = self.fetch(&key).await;
            let mut state = self.state();
            let viewers = fetched.unwrap_or_else(|| state.local_viewers(&key));
            let is_changed = state.known.get(&key) != Some(&viewers);
            state.known.insert(key.clone(), viewers);
            if is_changed {
                let watchers = state.watching.get(&key).into_iter().flatten();
                for watcher in watchers.filter_map(Weak::upgrade) {
                    watcher.notify_one();
                }
            }
        }
    }

    async fn fetch(&self, key: &RecordKey) -> Option<Vec<Viewer>> {
        let mut redis = self.redis.clone()?;
        let mut command = redis::cmd("EVAL");
        command.arg(LIST).arg(1).arg(redis_key(key));
        let fetched = timeout(PATIENCE, command.query_async::<Vec<String>>(&mut redis)).await;
        let members = fetched.ok()?.ok()?;
        Some(distinct(members.iter().filter_map(|member| viewer(member))))
    }

    /// Withdraws all of this server's viewers: it shuts down.
    async fn withdraw(&self) {
        {
            let mut state = self.state();
            let local: Vec<_> = state.local.drain().collect();
            for (key, local) in local {
                let members = local.iter().map(|(number, viewer)| member(*number, viewer));
                let left = members.map(|member| (key.clone(), member));
                state.left.extend(left.collect::<Vec<_>>());
            }
        }
        self.announce().await;
    }

    fn is_idle(&self) -> bool {
        let state = self.state();
        state.local.is_empty() && state.left.is_empty() && state.watching.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, PresenceState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PresenceState {
    fn local_viewers(&self, key: &RecordKey) -> Vec<Viewer> {
        let local = self.local.get(key).into_iter().flat_map(HashMap::values);
        distinct(local.cloned())
    }
}

impl Drop for PresenceGuard {
    fn drop(&mut self) {
        let mut state = self.presences.state();
        let left = state
            .local
            .get_mut(&self.key)
            .and_then(|local| local.remove(&self.number));
        if state.local.get(&self.key).is_some_and(HashMap::is_empty) {
            state.local.remove(&self.key);
        }
        if let Some(viewer) = left {
            let member = member(self.number, &viewer);
            state.left.push((self.key.clone(), member));
        }
        drop(state);
        self.presences.changed.notify_one();
    }
}

/// Each person once, however many windows they have open, since the first of them.
fn distinct(viewers: impl Iterator<Item = Viewer>) -> Vec<Viewer> {
    let mut since: HashMap<UserId, i64> = HashMap::new();
    for Viewer { user, since_ms } in viewers {
        let first = since.entry(user).or_insert(since_ms);
        *first = since_ms.min(*first);
    }
    let mut viewers: Vec<_> = since
        .into_iter()
        .map(|(user, since_ms)| Viewer { since_ms, user })
        .collect();
    viewers.sort_unstable();
    viewers
}

fn redis_key((tenant, record): &RecordKey) -> String {
    format!("dealgraph:{{{}}}:presence:{record}", tenant.uuid().simple())
}

/// A viewer as Redis keeps it; numbers are a server's own, so the process is in it too.
fn member(number: u64, viewer: &Viewer) -> String {
    static PROCESS: std::sync::LazyLock<u64> = std::sync::LazyLock::new(|| fastrand::u64(..));
    let process = *PROCESS;
    format!(
        "{}/{}/{process:x}.{number}",
        viewer.user.uuid(),
        viewer.since_ms
    )
}

fn viewer(member: &str) -> Option<Viewer> {
    let mut parts = member.split('/');
    let user = UserId::from_uuid(parts.next()?.parse().ok()?);
    let since_ms = parts.next()?.parse().ok()?;
    Some(Viewer { since_ms, user })
}

fn manager(url: &str) -> Option<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_number_of_retries(1)
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    let client = redis::Client::open(url).ok()?;
    ConnectionManager::new_lazy_with_config(client, config).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_viewer_is_listed_once_until_the_last_of_their_windows_closes() {
        let presences = Arc::new(Presences::new(&RedisAddress::none()));
        let (tenant, user) = (TenantId::new(), UserId::new());
        let changed = Arc::new(Notify::new());
        let enter = |since_ms| {
            let viewer = Some(Viewer { since_ms, user });
            presences.enter(tenant, "deal:1", viewer, &changed)
        };
        let first = enter(1);
        let second = enter(2);
        let seen = vec![Viewer { since_ms: 1, user }];
        assert_eq!(presences.of(tenant, "deal:1").await, seen);
        assert_eq!(presences.of(tenant, "deal:2").await, []);
        drop(first);
        let seen = vec![Viewer { since_ms: 2, user }];
        assert_eq!(presences.of(tenant, "deal:1").await, seen);
        drop(second);
        assert_eq!(presences.of(tenant, "deal:1").await, []);
    }

    #[test]
    fn a_viewer_reads_back_as_stored() {
        let ada = Viewer {
            since_ms: 1_764_300_000_000,
            user: UserId::new(),
        };
        assert_eq!(viewer(&member(7, &ada)), Some(ada));
        assert_eq!(viewer("somebody/else"), None);
    }
}
