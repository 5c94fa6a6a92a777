//! One snapshot per query: every resolver and loader of a request reads the same state of the world.
//!
//! The transaction begins at the first statement, in one message with the actor's settings; the statements of a request
//! are serialised on it, so a request never holds more than one connection. Dropping the session releases the
//! connection without waiting for the end of the transaction.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use super::{Db, ReadTx};
use crate::{
    access::Actor,
    base::error::{Error, Result},
};

/// A read-only snapshot on behalf of an actor.
pub struct ReadSession {
    db: Db,
    actor: Arc<Actor>,
    tx: Mutex<Option<ReadTx>>,
    statements: AtomicU32,
    /// Microseconds that it waited for a connection and a snapshot, and that its statements took.
    waited: AtomicU64,
    took: AtomicU64,
    /// Bytes of rows that may still be read.
    room: AtomicUsize,
}

impl ReadSession {
    pub(super) fn new(db: Db, actor: Arc<Actor>) -> Self {
        Self {
            db,
            actor,
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
        let tx = match guard.as_mut() {
            Some(tx) => {
                // A statement that was refused to one caller must not fail the others.
                tx.recover().await?;
                tx
            }
            None => {
                let began = Instant::now();
                let statements = self.db.begin_read(&self.actor).await?;
                add(&self.waited, began.elapsed());
                guard.insert(ReadTx::new(
                    statements,
                    Arc::clone(&self.actor),
                    self.db.clock.now(),
                ))
            }
        };
        let (before, took) = (tx.count(), tx.took());
        tx.set_room(room);
        let done = work(tx).await;
        self.statements
            .fetch_add(tx.count() - before, Ordering::Relaxed);
        add(&self.took, tx.took() - took);
        let read = room - tx.room();
        let less = |room: usize| Some(room.saturating_sub(read));
        _ = self
            .room
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        done
    }

    /// Stops all further reads.
    pub fn stop(&self) {
        self.room.store(0, Ordering::Relaxed);
    }

    /// Whether reads are stopped, because the limit is reached or would be.
    pub fn is_stopped(&self) -> bool {
        self.room.load(Ordering::Relaxed) == 0
    }

    /// Drops the snapshot; the next use begins a new one that sees what was written since.
    pub async fn refresh(&self) {
        self.tx.lock().await.take();
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
