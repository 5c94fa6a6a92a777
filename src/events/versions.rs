//! How far a tenant's data is, kind by kind: what was answered of some kinds is as good as new for as long as their
//! numbers stand still.
//!
//! They are asked of the database and of nothing else, since it alone knows what is committed, whatever has become of
//! servers, hints and caches meanwhile. One statement serves all who wait; it begins after they asked, so whoever was
//! told of a write, by whichever server, finds it.

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
    db::{Db, SystemReason},
};

/// Nobody waits longer; whoever has waited is answered without what is kept.
const PATIENCE: Duration = Duration::from_millis(500);

/// Tenants of which it is remembered how far they were, and for how long.
const KNOWN: u64 = 10_000;
const REMEMBERED: Duration = Duration::from_secs(60);

/// How far the data of a tenant is.
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

    /// A text that stays the same until a record of these kinds changes, or the database is put back.
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

type Waiting = Vec<(TenantId, oneshot::Sender<Arc<Versions>>)>;

/// Asks how far tenants are.
#[derive(Clone)]
pub struct Progress(Arc<Inner>);

struct Inner {
    db: Db,
    state: Mutex<State>,
    /// How far tenants were when they were last asked about, with the instant before that.
    known: Cache<TenantId, (Instant, Arc<Versions>)>,
}

#[derive(Default)]
struct State {
    waiting: Waiting,
    is_asking: bool,
}

impl Progress {
    /// Asks a database.
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

    /// How far a tenant was so long ago at the most, and when; `None` when the database does not say.
    pub async fn within(
        &self,
        tenant: TenantId,
        age: Duration,
    ) -> Option<(Instant, Arc<Versions>)> {
        if age > Duration::ZERO
            && let Some((asked, versions)) = self.0.known.get(&tenant)
            && asked.elapsed() <= age
        {
            return Some((asked, versions));
        }
        let asked = Instant::now();
        let versions = self.of(tenant).await?;
        Some((asked, versions))
    }

    /// How far a tenant is now; `None` when the database does not say.
    pub async fn of(&self, tenant: TenantId) -> Option<Arc<Versions>> {
        let (sender, versions) = oneshot::channel();
        let is_asking = {
            let mut state = self.state();
            state.waiting.push((tenant, sender));
            std::mem::replace(&mut state.is_asking, true)
        };
        // In a task of its own: whoever asked first may go away, and the others wait for the same answer.
        if !is_asking {
            tokio::spawn(self.clone().ask());
        }
        versions.await.ok()
    }

    /// Asks for all who wait, until nobody does.
    async fn ask(self) {
        let _end = LetGo(&self);
        let mut glances = None;
        loop {
            let waiting = {
                let mut state = self.state();
                state.is_asking = !state.waiting.is_empty();
                std::mem::take(&mut state.waiting)
            };
            if waiting.is_empty() {
                return;
            }
            let began = Instant::now();
            let asked = async {
                let glances = match &mut glances {
                    Some(glances) => glances,
                    none => none.insert(self.0.db.glances(SystemReason::Events).await?),
                };
                let mut tenants: Vec<_> = waiting.iter().map(|(tenant, _)| *tenant).collect();
                tenants.sort_unstable();
                tenants.dedup();
                logged::versions(glances, &tenants).await
            };
            let found: Result<HashMap<_, _>> = tokio::time::timeout(PATIENCE, asked)
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
                // Who waits is told by what they wait for being dropped; the connection may be broken.
                Err(error) => {
                    tracing::debug!(%error, "it can't be said how far tenants are");
                    glances = None;
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets go of those who wait if the asking panics: nobody else would ask for them.
struct LetGo<'a>(&'a Progress);

impl Drop for LetGo<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            *self.0.state() = State::default();
        }
    }
}
