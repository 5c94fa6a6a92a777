//! One snapshot per query: every resolver and loader of a request reads the same state of the world.
//!
//! The transaction begins at the first statement, in one message with the actor's settings; the statements of a request
//! are serialised on it, so a request never holds more than one connection. Dropping the session releases the
//! connection without waiting for the end of the transaction.
//!
//! Where it may be somewhat old it is of the replica. All of it is, then: when that fails in the middle, what was read
//! can't be gone on with on the primary, which shows another state.

use std::{
    pin::pin,
    sync::{
        Arc, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use super::{Db, Fallback, Freshness, ReadTx, ReplicaPoint, Statements};
use crate::{
    access::Actor,
    base::error::{Error, Result},
};

/// What further reads of a session fail with whose replica has failed.
const INTERRUPTED: Error = Error::Unavailable("the replica");

/// A read-only snapshot on behalf of an actor.
pub struct ReadSession {
    db: Db,
    actor: Arc<Actor>,
    freshness: Freshness,
    route: std::sync::Mutex<Route>,
    tx: Mutex<Option<ReadTx>>,
    statements: AtomicU32,
    /// Microseconds that it waited for a connection and a snapshot, and that its statements took.
    waited: AtomicU64,
    took: AtomicU64,
    /// Bytes of rows that may still be read.
    room: AtomicUsize,
}

/// Where a session reads.
#[derive(Debug, Clone, Default)]
enum Route {
    /// That is decided at its first use.
    #[default]
    Open,
    /// On the primary, and why not on the replica, if that might have been.
    Primary(Option<Fallback>),
    /// On the replica.
    Replica(Arc<ReplicaPoint>),
    /// On the replica, which has failed.
    Interrupted(Fallback),
}

impl ReadSession {
    pub(super) fn new(db: Db, actor: Arc<Actor>, freshness: Freshness) -> Self {
        Self {
            db,
            actor,
            freshness,
            route: std::sync::Mutex::default(),
            tx: Mutex::new(None),
            statements: AtomicU32::new(0),
            waited: AtomicU64::new(0),
            took: AtomicU64::new(0),
            room: AtomicUsize::new(usize::MAX),
        }
    }

    /// Limits the bytes of rows that it reads.
    #[must_use]
    pub fn within(self, bytes: usize) -> Self {
        Self {
            room: AtomicUsize::new(bytes),
            ..self
        }
    }

    /// Runs `work` on the snapshot.
    ///
    /// # Errors
    /// What `work` fails with, or the database; `TooLarge` once the limit is reached.
    pub async fn run<T>(&self, work: impl AsyncFnOnce(&mut ReadTx) -> Result<T>) -> Result<T> {
        let mut guard = self.tx.lock().await;
        let room = self.room.load(Ordering::Relaxed);
        if room == 0 {
            return Err(Error::TooLarge);
        }
        if self.interruption().is_some() {
            return Err(INTERRUPTED);
        }
        let tx = match guard.as_mut() {
            Some(tx) => tx,
            None => {
                let began = Instant::now();
                let begun = self.begin().await?;
                add(&self.waited, began.elapsed());
                guard.insert(begun)
            }
        };
        let (before, took) = (tx.count(), tx.took());
        tx.set_room(room);
        let is_on_replica = tx.is_on_replica();
        let done = {
            let reading = pin!(async {
                // A statement that was refused to one caller must not fail the others.
                tx.recover().await?;
                work(tx).await
            });
            tokio::select! {
                biased;
                done = reading => Some(done),
                () = self.db.replica_is_out(), if is_on_replica => None,
            }
        };
        let (Some(done), Some(tx)) = (done, guard.as_mut()) else {
            return Err(self.interrupt(&mut guard, Fallback::Lost));
        };
        self.statements
            .fetch_add(tx.count() - before, Ordering::Relaxed);
        add(&self.took, tx.took() - took);
        let read = room - tx.room();
        let less = |room: usize| Some(room.saturating_sub(read));
        _ = self
            .room
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        match tx.interruption() {
            Some(why) => Err(self.interrupt(&mut guard, why)),
            None => done,
        }
    }

    /// Begins on the replica, if it may be somewhat old and there is one that will do, or else on the primary.
    async fn begin(&self) -> Result<ReadTx> {
        if let Some(tx) = self.begin_on_replica().await {
            return Ok(tx);
        }
        let statements = self.db.begin_read(&self.actor).await?;
        Ok(self.transaction(statements))
    }

    async fn begin_on_replica(&self) -> Option<ReadTx> {
        let Freshness::Within { age, seen } = self.freshness else {
            return None;
        };
        if !matches!(*self.route(), Route::Open) {
            return None;
        }
        // Boxed, as it is on the primary: most reads have no use for this.
        let begun = Box::pin(self.db.begin_on_replica(&self.actor, age, seen)).await;
        let (route, tx) = match begun {
            Some(Ok((statements, point))) => {
                let tx = self.transaction(statements);
                (Route::Replica(Arc::new(point)), Some(tx))
            }
            Some(Err(why)) => (Route::Primary(Some(why)), None),
            None => (Route::Primary(None), None),
        };
        *self.route() = route;
        tx
    }

    fn transaction(&self, statements: Statements) -> ReadTx {
        ReadTx::new(statements, Arc::clone(&self.actor), self.db.clock.now())
    }

    /// Lets the snapshot go, because the replica has failed.
    fn interrupt(&self, tx: &mut Option<ReadTx>, why: Fallback) -> Error {
        *tx = None;
        *self.route() = Route::Interrupted(why);
        self.db.note_interruption(why);
        INTERRUPTED
    }

    fn route(&self) -> MutexGuard<'_, Route> {
        self.route.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the snapshot shows, if it is of the replica; it begins here then, if it has not. Otherwise nothing is begun.
    pub async fn replica(&self) -> Option<Arc<ReplicaPoint>> {
        let mut guard = self.tx.lock().await;
        if guard.is_none() {
            let began = Instant::now();
            *guard = self.begin_on_replica().await;
            add(&self.waited, began.elapsed());
        }
        match &*self.route() {
            Route::Replica(point) => Some(Arc::clone(point)),
            _ => None,
        }
    }

    /// Why the replica failed while it was read. What was read has to be read again then.
    pub fn interruption(&self) -> Option<Fallback> {
        match *self.route() {
            Route::Interrupted(why) => Some(why),
            _ => None,
        }
    }

    /// Why it does not read from a replica, although it might have.
    pub fn fallback(&self) -> Option<Fallback> {
        match *self.route() {
            Route::Primary(why) => why,
            Route::Interrupted(why) => Some(why),
            Route::Open | Route::Replica(_) => None,
        }
    }

    /// Stops all further reads.
    pub fn stop(&self) {
        self.room.store(0, Ordering::Relaxed);
    }

    /// Whether reads are stopped, because the limit is reached or would be.
    pub fn is_stopped(&self) -> bool {
        self.room.load(Ordering::Relaxed) == 0
    }

    /// Drops the snapshot; the next use begins a new one, on the primary, that sees what was written since.
    pub async fn refresh(&self) {
        self.tx.lock().await.take();
        *self.route() = Route::Primary(None);
    }

    /// How many statements ran so far.
    pub fn statements(&self) -> u32 {
        self.statements.load(Ordering::Relaxed)
    }

    /// How long it waited for a connection and a snapshot, and how long its statements took.
    pub fn times(&self) -> (Duration, Duration) {
        let time = |micros: &AtomicU64| Duration::from_micros(micros.load(Ordering::Relaxed));
        (time(&self.waited), time(&self.took))
    }
}

fn add(micros: &AtomicU64, time: Duration) {
    let more = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    micros.fetch_add(more, Ordering::Relaxed);
}
