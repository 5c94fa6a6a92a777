//! The versions of a tenant's data, kind by kind: a response that depends on some kinds is current for as long as their
//! versions stay the same.
//!
//! They are read from the database and from nothing else, since it alone knows what is committed, whatever has become
//! of servers, hints and caches meanwhile. One statement serves all waiting callers; it begins after they called, so a
//! caller that knows of a write, by whichever server, finds it.

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use moka::sync::Cache;
use serde_json::{Map, Value as Json};
use tokio::sync::oneshot;

use super::{Epoch, logged};
use crate::{
    base::{
        error::{Error, Result},
        ids::TenantId,
    },
    db::{Db, ReplicaPoint, SystemReason},
};

/// No caller waits longer; after this the response cache is bypassed.
const PATIENCE: Duration = Duration::from_millis(500);

/// Tenants whose last versions are remembered, and for how long.
const KNOWN: u64 = 10_000;
const REMEMBERED: Duration = Duration::from_secs(60);

/// The versions of a tenant's data.
#[derive(Debug, Clone)]
pub struct Versions {
    epoch: Epoch,
    last_seq: i64,
    changed: Map<String, Json>,
}

impl Versions {
    pub(super) fn new(epoch: Epoch, last_seq: i64, changed: Map<String, Json>) -> Self {
        Self {
            epoch,
            last_seq,
            changed,
        }
    }

    /// Those that a snapshot of the replica shows.
    #[must_use]
    pub fn at(point: &ReplicaPoint) -> Self {
        let epoch = Epoch::read(&point.epoch);
        Self::new(epoch, point.last_seq, point.changed.clone())
    }

    /// The last event of the tenant.
    #[must_use]
    pub fn last_seq(&self) -> i64 {
        self.last_seq
    }

    /// A text that stays the same until a record of these kinds changes, or the database is restored.
    #[must_use]
    pub fn of<'a>(&self, kinds: impl IntoIterator<Item = &'a str>) -> String {
        let mut text = self.epoch.to_string();
        for kind in kinds {
            let number = self.changed.get(kind).and_then(Json::as_i64).unwrap_or(0);
            _ = write!(text, " {kind} {number}");
        }
        text
    }

    /// A text that stays the same until anything happens.
    #[must_use]
    pub fn of_all(&self) -> String {
        format!("{} {}", self.epoch, self.last_seq)
    }
}

type Waiters = Vec<(TenantId, oneshot::Sender<Arc<Versions>>)>;

/// Reads the versions of tenants' data.
#[derive(Clone)]
pub struct VersionReader(Arc<Inner>);

struct Inner {
    db: Db,
    state: Mutex<ReaderState>,
    /// The last versions of tenants, with the instant before they were read.
    known: Cache<TenantId, (Instant, Arc<Versions>)>,
}

#[derive(Default)]
struct ReaderState {
    waiting: Waiters,
    is_reading: bool,
}

impl VersionReader {
    /// Reads from a database.
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self(Arc::new(Inner {
            db,
            state: Mutex::default(),
            known: Cache::builder()
                .max_capacity(KNOWN)
                .time_to_live(REMEMBERED)
                .build(),
        }))
    }

    /// The versions of a tenant at most so long ago, and when they were read; `None` when the database does not answer.
    pub async fn within(
        &self,
        tenant: TenantId,
        age: Duration,
    ) -> Option<(Instant, Arc<Versions>)> {
        if age > Duration::ZERO
            && let Some((read_at, versions)) = self.0.known.get(&tenant)
            && read_at.elapsed() <= age
        {
            return Some((read_at, versions));
        }
        let read_at = Instant::now();
        let versions = self.of(tenant).await?;
        Some((read_at, versions))
    }

    /// Notes versions that a replica has shown, which were current at this instant or after it.
    pub fn note(&self, tenant: TenantId, as_of: Instant, versions: &Arc<Versions>) {
        let known = self.0.known.get(&tenant);
        if known.is_none_or(|(read_at, _)| read_at < as_of) {
            let noted = (as_of, Arc::clone(versions));
            self.0.known.insert(tenant, noted);
        }
    }

    /// The versions of a tenant now; `None` when the database does not answer.
    pub async fn of(&self, tenant: TenantId) -> Option<Arc<Versions>> {
        let (sender, versions) = oneshot::channel();
        let is_reading = {
            let mut state = self.state();
            state.waiting.push((tenant, sender));
            std::mem::replace(&mut state.is_reading, true)
        };
        // In a task of its own: the first caller may be cancelled while others wait for the same answer.
        if !is_reading {
            tokio::spawn(self.clone().read());
        }
        versions.await.ok()
    }

    /// Reads for all waiting callers, until there are none.
    async fn read(self) {
        let _end = FailWaiters(&self);
        let mut reader = None;
        loop {
            let waiting = {
                let mut state = self.state();
                state.is_reading = !state.waiting.is_empty();
                std::mem::take(&mut state.waiting)
            };
            if waiting.is_empty() {
                return;
            }
            let began = Instant::now();
            let reading = async {
                let reader = match &mut reader {
                    Some(reader) => reader,
                    none => none.insert(self.0.db.autocommit_reader(SystemReason::Events).await?),
                };
                let mut tenants: Vec<_> = waiting.iter().map(|(tenant, _)| *tenant).collect();
                tenants.sort_unstable();
                tenants.dedup();
                logged::versions(reader, &tenants).await
            };
            let found: Result<HashMap<_, _>> = tokio::time::timeout(PATIENCE, reading)
                .await
                .unwrap_or(Err(Error::Unavailable("how far tenants are")));
            match found {
                Ok(found) => {
                    for (tenant, sender) in waiting {
                        if let Some(versions) = found.get(&tenant) {
                            let known = (began, Arc::clone(versions));
                            self.0.known.insert(tenant, known);
                            _ = sender.send(Arc::clone(versions));
                        }
                    }
                }
                // Dropping the senders fails the callers; the connection may be broken.
                Err(error) => {
                    tracing::debug!(%error, "the versions of tenants could not be read");
                    reader = None;
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, ReaderState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fails the waiting callers if the task panics: no other would read for them.
struct FailWaiters<'a>(&'a VersionReader);

impl Drop for FailWaiters<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            *self.0.state() = ReaderState::default();
        }
    }
}
