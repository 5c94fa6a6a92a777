//! Who is looking at a record now. Everybody who looks is kept in Redis with an expiry that their server moves on, so
//! whoever's server dies is gone by itself; without Redis each server knows its own.

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

use crate::base::ids::{TenantId, Typed as _, UserId};

/// How often this server looks who has come and gone at others.
const LOOKED_EVERY: Duration = Duration::from_secs(1);
/// How often it says that its own are still there.
const SAID_EVERY: Duration = Duration::from_secs(10);
/// Whoever is not heard of for so long is gone, in milliseconds.
const EXPIRY_MS: u64 = 30_000;
/// Nothing waits longer than this for Redis.
const PATIENCE: Duration = Duration::from_millis(200);

/// Says that somebody looks; the time is Redis' own.
const STAY: &str = "
local now = redis.call('TIME')
local at = now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[1]
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], at, ARGV[i]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[1])";

/// Answers who looks.
const LOOK: &str = "
local now = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now[1] * 1000 + math.floor(now[2] / 1000))
return redis.call('ZRANGE', KEYS[1], 0, 999)";

/// A record of a tenant, by its id in the API.
type Place = (TenantId, Arc<str>);

/// Somebody who looks at a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Present {
    /// Since when, in milliseconds since 1970.
    pub since_ms: i64,
    /// Who.
    pub user: UserId,
}

/// Who looks at what.
#[derive(Default)]
pub struct Presences {
    redis: Option<ConnectionManager>,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    next: u64,
    /// Those who look from this server.
    here: HashMap<Place, HashMap<u64, Present>>,
    /// Those who left since Redis was told.
    left: Vec<(Place, String)>,
    /// Who looks, as it was last known, of places that somebody watches.
    known: HashMap<Place, Vec<Present>>,
    /// Who wants to know.
    watching: HashMap<Place, Vec<Weak<Notify>>>,
}

/// Somebody's looking at a record and knowing who else does; dropped, it ends.
pub struct Stay {
    presences: Arc<Presences>,
    place: Place,
    number: u64,
}

impl Presences {
    /// Keeps who looks in Redis, if there is one; it is connected to at the first use.
    #[must_use]
    pub fn new(redis_url: Option<&str>) -> Self {
        Self {
            redis: redis_url.and_then(manager),
            ..Self::default()
        }
    }

    /// Wants to know who looks at a record, told by `changed`, and looks too when it is a person.
    pub fn enter(
        self: &Arc<Self>,
        (tenant, record): (TenantId, &str),
        who: Option<Present>,
        changed: &Arc<Notify>,
    ) -> Stay {
        let place: Place = (tenant, record.into());
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        if let Some(who) = who {
            let here = state.here.entry(place.clone()).or_default();
            here.insert(number, who);
        }
        let watching = state.watching.entry(place.clone()).or_default();
        watching.push(Arc::downgrade(changed));
        drop(state);
        self.changed.notify_one();
        Stay {
            presences: Arc::clone(self),
            place,
            number,
        }
    }

    /// Who looks at a record, the one who has been there longest first.
    pub async fn of(&self, tenant: TenantId, record: &str) -> Vec<Present> {
        let place: Place = (tenant, record.into());
        if let Some(known) = self.state().known.get(&place) {
            return known.clone();
        }
        match self.ask(&place).await {
            Some(present) => present,
            None => self.state().here_at(&place),
        }
    }

    /// Keeps who looks in step with the other servers until told to stop.
    pub async fn run(&self, stop: &CancellationToken) {
        let mut look = interval(LOOKED_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut said_at = Instant::now();
        loop {
            let came_by_itself = tokio::select! {
                () = stop.cancelled() => break,
                () = self.changed.notified() => false,
                _ = look.tick() => true,
            };
            let is_due = said_at.elapsed() >= SAID_EVERY;
            if self.is_idle() {
                continue;
            }
            if is_due || !came_by_itself {
                self.say().await;
                said_at = Instant::now();
            }
            self.look().await;
        }
        self.leave_all().await;
    }

    /// Tells Redis who is here and who left.
    async fn say(&self) {
        let (here, left) = {
            let mut state = self.state();
            let here: Vec<(Place, Vec<String>)> = state
                .here
                .iter()
                .map(|(place, here)| {
                    let members = here.iter().map(|(number, who)| member(*number, who));
                    (place.clone(), members.collect())
                })
                .collect();
            (here, std::mem::take(&mut state.left))
        };
        let Some(mut redis) = self.redis.clone() else {
            return;
        };
        let mut pipe = redis::pipe();
        for (place, member) in &left {
            pipe.zrem(key(place), member).ignore();
        }
        for (place, members) in here.iter().filter(|(_, members)| !members.is_empty()) {
            pipe.cmd("EVAL")
                .arg(STAY)
                .arg(1)
                .arg(key(place))
                .arg(EXPIRY_MS)
                .arg(members)
                .ignore();
        }
        let said = timeout(PATIENCE, pipe.query_async::<()>(&mut redis)).await;
        if !matches!(said, Ok(Ok(()))) {
            // Whoever left is gone by expiry at the latest.
            tracing::debug!("redis was not told who looks at what");
        }
    }

    /// Finds out who looks at the places that somebody watches here, and tells those of a change.
    async fn look(&self) {
        let places: Vec<Place> = {
            let mut state = self.state();
            state.watching.retain(|_, watchers| {
                watchers.retain(|watcher| watcher.strong_count() > 0);
                !watchers.is_empty()
            });
            let watched: HashSet<Place> = state.watching.keys().cloned().collect();
            state.known.retain(|place, _| watched.contains(place));
            watched.into_iter().collect()
        };
        for place in places {
            let asked = self.ask(&place).await;
            let mut state = self.state();
            let present = asked.unwrap_or_else(|| state.here_at(&place));
            let is_news = state.known.get(&place) != Some(&present);
            state.known.insert(place.clone(), present);
            if is_news {
                let watchers = state.watching.get(&place).into_iter().flatten();
                for watcher in watchers.filter_map(Weak::upgrade) {
                    watcher.notify_one();
                }
            }
        }
    }

    async fn ask(&self, place: &Place) -> Option<Vec<Present>> {
        let mut redis = self.redis.clone()?;
        let mut command = redis::cmd("EVAL");
        command.arg(LOOK).arg(1).arg(key(place));
        let asked = timeout(PATIENCE, command.query_async::<Vec<String>>(&mut redis)).await;
        let members = asked.ok()?.ok()?;
        Some(distinct(
            members.iter().filter_map(|member| present(member)),
        ))
    }

    /// Whoever looked from here does not any more: the server stops.
    async fn leave_all(&self) {
        {
            let mut state = self.state();
            let here: Vec<_> = state.here.drain().collect();
            for (place, here) in here {
                let members = here.iter().map(|(number, who)| member(*number, who));
                let left = members.map(|member| (place.clone(), member));
                state.left.extend(left.collect::<Vec<_>>());
            }
        }
        self.say().await;
    }

    fn is_idle(&self) -> bool {
        let state = self.state();
        state.here.is_empty() && state.left.is_empty() && state.watching.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn here_at(&self, place: &Place) -> Vec<Present> {
        let here = self.here.get(place).into_iter().flat_map(HashMap::values);
        distinct(here.cloned())
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        let mut state = self.presences.state();
        let left = state
            .here
            .get_mut(&self.place)
            .and_then(|here| here.remove(&self.number));
        if state.here.get(&self.place).is_some_and(HashMap::is_empty) {
            state.here.remove(&self.place);
        }
        if let Some(who) = left {
            let member = member(self.number, &who);
            state.left.push((self.place.clone(), member));
        }
        drop(state);
        self.presences.changed.notify_one();
    }
}

/// Each person once, however many windows they have open, since the first of them.
fn distinct(present: impl Iterator<Item = Present>) -> Vec<Present> {
    let mut since: HashMap<UserId, i64> = HashMap::new();
    for Present { user, since_ms } in present {
        let first = since.entry(user).or_insert(since_ms);
        *first = since_ms.min(*first);
    }
    let mut present: Vec<_> = since
        .into_iter()
        .map(|(user, since_ms)| Present { since_ms, user })
        .collect();
    present.sort_unstable();
    present
}

fn key((tenant, record): &Place) -> String {
    format!("dealgraph:{{{}}}:presence:{record}", tenant.uuid().simple())
}

/// How somebody is kept; numbers are a server's own, so the process is in it too.
fn member(number: u64, who: &Present) -> String {
    static PROCESS: std::sync::LazyLock<u64> = std::sync::LazyLock::new(|| fastrand::u64(..));
    let process = *PROCESS;
    format!("{}/{}/{process:x}.{number}", who.user.uuid(), who.since_ms)
}

fn present(member: &str) -> Option<Present> {
    let mut parts = member.split('/');
    let user = UserId::from_uuid(parts.next()?.parse().ok()?);
    let since_ms = parts.next()?.parse().ok()?;
    Some(Present { since_ms, user })
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
    async fn whoever_enters_is_seen_once_until_the_last_of_their_windows_closes() {
        let presences = Arc::new(Presences::new(None));
        let (tenant, user) = (TenantId::new(), UserId::new());
        let changed = Arc::new(Notify::new());
        let enter = |since_ms| {
            let who = Some(Present { since_ms, user });
            presences.enter((tenant, "deal:1"), who, &changed)
        };
        let first = enter(1);
        let second = enter(2);
        let seen = vec![Present { since_ms: 1, user }];
        assert_eq!(presences.of(tenant, "deal:1").await, seen);
        assert_eq!(presences.of(tenant, "deal:2").await, []);
        drop(first);
        let seen = vec![Present { since_ms: 2, user }];
        assert_eq!(presences.of(tenant, "deal:1").await, seen);
        drop(second);
        assert_eq!(presences.of(tenant, "deal:1").await, []);
    }

    #[test]
    fn somebody_reads_back_as_they_were_kept() {
        let who = Present {
            since_ms: 1_764_300_000_000,
            user: UserId::new(),
        };
        assert_eq!(present(&member(7, &who)), Some(who));
        assert_eq!(present("somebody/else"), None);
    }
}
