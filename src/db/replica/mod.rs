//! Reading from a streaming replica, for those who need not have what is true at this very moment.
//!
//! Who opens a read says how old it may be, by a [`Freshness`]. One that may be somewhat old goes to the replica when
//! there is one, it is well, its state is not older than that, and it has come as far as the caller has seen of the
//! tenant before. In every other case, and when the replica fails under the read, the primary answers, and the caller
//! notices nothing but the time.
//!
//! - `state`: what is known of the replica, and from that what a snapshot of it has to show.
//! - `watch`: finding that out, twice a second.
//!
//! Rights are not read here: they come with the actor, from the primary, in the settings of each transaction. There are
//! only read-only transactions of the login of actors' requests.

mod state;
mod watch;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::{Map, Value as Json};
use sqlx::postgres::PgConnectOptions;
use tokio::{
    sync::{Notify, watch as channel},
    time::timeout,
};

use super::{
    Beginning, Db, ReadSession, ReadTx, Sql, Statements, admission::Admission,
    connections::Connections, constraint::is_lost, statements::Mode,
};
use crate::{
    access::Actor,
    base::{error::Result, ids::TenantId},
    platform::telemetry::metrics::{Metrics, Pool},
};
pub use state::{Fallback, Out, ReplicaState};
use state::{Mark, State};

/// How long a read waits for a snapshot of the replica.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long it waits to be admitted, which is short: the primary may have room.
const ADMISSION_PATIENCE: Duration = Duration::from_millis(250);
/// What Postgres says when the replica has not come as far as it was seen: a code of ours.
const BEHIND: &str = "DG001";

/// How old what is read may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Freshness {
    /// It shows all that was committed before it was asked for.
    #[default]
    Current,
    /// It shows all that was committed so long before it was asked for, and all that the caller has seen.
    Within {
        /// How old it may be; positions of the primary are remembered for five minutes.
        age: Duration,
        /// The last event of the tenant that the caller has seen the effect of, if that is known.
        seen: Option<i64>,
    },
}

/// What a snapshot of the replica shows.
#[derive(Debug, Clone)]
pub struct ReplicaPoint {
    /// All that was committed before this is in it.
    pub as_of: Instant,
    /// The last event of the tenant whose effect is in it.
    pub last_seq: i64,
    /// Which history that number belongs to.
    pub epoch: String,
    /// When which kinds of records have changed last, as the event log counts.
    pub changed: Map<String, Json>,
}

#[derive(sqlx::FromRow)]
struct PointRow {
    last_seq: i64,
    epoch: String,
    changed: Json,
}

/// A streaming replica of the database.
#[derive(Clone)]
pub(super) struct Replica(Arc<Inner>);

struct Inner {
    login: PgConnectOptions,
    connections: Connections,
    admission: Admission,
    state: Mutex<State>,
    /// Whether the last look has found it out; reads that are under way there are done again.
    is_out: channel::Sender<bool>,
    /// Notified when it should be looked at at once.
    doubted: Notify,
    metrics: Arc<Metrics>,
}

impl Db {
    /// The same database with a replica of it: the login of actors' requests there, under which at most as many
    /// connections are opened as there are for requests at the primary.
    #[must_use]
    pub fn with_replica(mut self, login: PgConnectOptions) -> Self {
        let metrics = Arc::clone(self.metrics());
        let (size, share) = self.sizes;
        let connections = super::connections(size, PATIENCE, login.clone(), "dealgraph-replica");
        connections.count_in(&metrics, Pool::Replica);
        // Who is not admitted here goes to the primary, and is counted there.
        let uncounted = Arc::<Metrics>::default();
        let inner = Arc::new(Inner {
            login,
            connections,
            admission: Admission::new(size, share, ADMISSION_PATIENCE, uncounted),
            state: Mutex::new(State::new(Instant::now())),
            is_out: channel::Sender::new(true),
            doubted: Notify::new(),
            metrics: Arc::clone(&metrics),
        });
        let (sampled, told) = (Arc::downgrade(&inner), metrics.replica.clone());
        metrics.sample(move || {
            if let Some(inner) = sampled.upgrade() {
                told.lag
                    .set(inner.state().lag(Instant::now()).as_secs_f64());
            }
        });
        self.replica = Some(Replica(inner));
        self
    }

    /// How the replica is, if there is one.
    #[must_use]
    pub fn replica_state(&self) -> Option<ReplicaState> {
        let replica = self.replica.as_ref()?;
        Some(replica.0.state().standing(Instant::now()))
    }

    /// Opens a read-only snapshot for an actor, at its first use, on the replica where `freshness` allows it.
    ///
    /// A replica can fail in the middle: then all further reads of the session fail too, [`ReadSession::interruption`]
    /// says why, and what was read has to be read again by a session that is current. [`Self::read`] does that.
    #[must_use]
    pub fn read_session_with(&self, actor: Arc<Actor>, freshness: Freshness) -> ReadSession {
        ReadSession::new(self.clone(), actor, freshness)
    }

    /// Reads on one snapshot, on the replica where `freshness` allows it. When that fails, `work` is run once more, on
    /// the primary.
    ///
    /// # Errors
    /// What `work` fails with, or the database.
    pub async fn read<T>(
        &self,
        actor: &Arc<Actor>,
        freshness: Freshness,
        work: impl AsyncFn(&mut ReadTx) -> Result<T>,
    ) -> Result<T> {
        let session = self.read_session_with(Arc::clone(actor), freshness);
        let done = session.run(async |tx| work(tx).await).await;
        if session.interruption().is_none() {
            return done;
        }
        let session = self.read_session(Arc::clone(actor));
        session.run(async |tx| work(tx).await).await
    }

    /// Begins on the replica; nothing if there is none.
    pub(super) async fn begin_on_replica(
        &self,
        actor: &Actor,
        age: Duration,
        seen: Option<i64>,
    ) -> Option<std::result::Result<(Statements, ReplicaPoint), Fallback>> {
        let replica = self.replica.as_ref()?;
        let begun = replica.begin(self, actor, age, seen).await;
        match &begun {
            Ok(_) => {
                replica.0.metrics.replica.reads.inc();
            }
            Err(why) => replica.note(*why),
        }
        Some(begun)
    }

    /// Resolves when the replica is found out, which ends what is read there.
    pub(super) async fn replica_is_out(&self) {
        if let Some(replica) = &self.replica {
            let mut is_out = replica.0.is_out.subscribe();
            _ = is_out.wait_for(|is_out| *is_out).await;
        }
    }

    /// Notes that a read was interrupted there.
    pub(super) fn note_interruption(&self, why: Fallback) {
        if let Some(replica) = &self.replica {
            replica.note(why);
        }
    }
}

impl Replica {
    async fn begin(
        &self,
        db: &Db,
        actor: &Actor,
        age: Duration,
        seen: Option<i64>,
    ) -> std::result::Result<(Statements, ReplicaPoint), Fallback> {
        let mark = self.0.state().choose(Instant::now(), age)?;
        let permit = self.0.admission.acquire(actor.tenant).await;
        let permit = permit.map_err(|_| Fallback::Busy)?;
        let beginning = Beginning {
            mode: Mode::Replica,
            guard: guard(mark),
            settings: super::reading_settings(actor),
        };
        let begin = async {
            let options = db.statement_options.clone();
            let begun =
                super::begin_on(&self.0.connections, &beginning, options, Some(permit)).await;
            let mut statements = begun.map_err(|error| why(&error))?;
            let point = statements.optional::<PointRow>(point(actor.tenant)).await;
            let point = match (point, statements.interruption()) {
                (Ok(Some(point)), None) => point,
                // A tenant that has not come there yet.
                (Ok(None), None) => return Err(Fallback::Position),
                (_, interruption) => return Err(interruption.unwrap_or(Fallback::Lost)),
            };
            if seen.is_some_and(|seen| point.last_seq < seen) {
                return Err(Fallback::Position);
            }
            Ok((statements, point.shown_at(mark)))
        };
        let begun = timeout(PATIENCE, begin).await;
        begun.unwrap_or(Err(Fallback::Lost))
    }

    /// Notes why a read is done on the primary instead. One that was lost may have been the first to find out.
    fn note(&self, why: Fallback) {
        self.0.metrics.replica.note_fallback(why.word());
        if why == Fallback::Lost {
            self.0.state().suspect();
            self.0.doubted.notify_one();
        }
    }

    pub(super) async fn close(&self) {
        self.0.connections.close().await;
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PointRow {
    fn shown_at(self, mark: Mark) -> ReplicaPoint {
        ReplicaPoint {
            as_of: mark.at,
            last_seq: self.last_seq,
            epoch: self.epoch,
            changed: match self.changed {
                Json::Object(changed) => changed,
                _ => Map::new(),
            },
        }
    }
}

/// What goes before the snapshot, in the same message. The replica may have been promoted since it was looked at, or
/// restarted, after which it can be further back for a moment. In the transaction of the snapshot this would come too
/// late: the snapshot would be taken before the position.
fn guard(mark: Mark) -> String {
    let (high, low) = (mark.lsn >> 32, mark.lsn & 0xFFFF_FFFF);
    format!(
        "BEGIN READ ONLY; DO $$ BEGIN IF NOT pg_is_in_recovery() \
         OR coalesce(pg_last_wal_replay_lsn(), '0/0') < '{high:X}/{low:X}'::pg_lsn THEN \
         RAISE 'this replica is behind' USING ERRCODE = '{BEHIND}'; END IF; END $$; COMMIT; "
    )
}

/// How far the snapshot is.
fn point(tenant: TenantId) -> Sql {
    Sql::new(
        "SELECT s.last_seq, app.epoch(s.epoch) AS epoch, s.changed FROM tenant_seq s WHERE s.tenant_id = ",
    )
    .bind(tenant)
}

/// What an error of the replica means.
pub(super) fn why(error: &sqlx::Error) -> Fallback {
    let code = error.as_database_error().and_then(|error| error.code());
    match code.as_deref() {
        Some(BEHIND) => Fallback::Lagging,
        Some("40001" | "40P01") => Fallback::Conflict,
        Some("57014") => Fallback::Timeout,
        Some(_) if !is_lost(error) => Fallback::Conflict,
        _ => Fallback::Lost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_written_as_postgres_reads_it() {
        let mark = Mark {
            at: Instant::now(),
            lsn: 0x0000_0016_B374_D848,
        };
        assert!(guard(mark).contains("'16/B374D848'::pg_lsn"));
    }
}
