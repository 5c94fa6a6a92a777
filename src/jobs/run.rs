//! One attempt at a job, as its handler knows it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value as Json;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::{
    Claim, Done, Failure,
    ending::{self, Ending, Outcome},
    seat::Seat,
};
use crate::{
    access::Actor,
    base::{
        error::{Error, Result},
        ids::{JobId, TenantId, Typed as _},
    },
    db::{Db, ReadSession, Sql, Tx, journal::Origin},
};

/// How often progress is noted at the most.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// The longest message of progress, in bytes.
const MESSAGE_BYTES: usize = 200;

/// An attempt at a job: in whose name it is done, and the database in that name.
pub struct Run {
    pub(super) db: Db,
    pub(super) claim: Claim,
    pub(super) actor: Arc<Actor>,
    pub(super) origin: Origin,
    pub(super) cancelled: CancellationToken,
    /// Whether other jobs may wait for this one to end.
    pub(super) frees: bool,
    /// Whether people are shown that it was done.
    pub(super) is_kept: bool,
    pub(super) seat: Arc<Seat>,
    pub(super) progress_at: Mutex<Option<Instant>>,
}

impl Run {
    /// The job, the same at every attempt: what others can be told to recognise a repetition by.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.claim.job_id
    }

    /// The tenant.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.claim.tenant_id
    }

    /// Which attempt it is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.claim.attempts.unsigned_abs()
    }

    /// In whose name.
    #[must_use]
    pub fn actor(&self) -> &Arc<Actor> {
        &self.actor
    }

    /// What caused it, for the log and the audit log.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Ends when somebody wants the job to end, or the server stops: a long job looks at it between its steps.
    #[must_use]
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// The database, for what is read in somebody else's name.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Waits for a server elsewhere. Meanwhile another job is done in this one's place, so that those who answer slowly are
    /// in nobody's way; it is still this worker's, and its time goes on.
    pub async fn outside<T>(&self, wait: impl Future<Output = T>) -> T {
        self.seat.left_for(wait).await
    }

    /// Reads as the actor, one state of the world.
    #[must_use]
    pub fn read_session(&self) -> ReadSession {
        self.db.read_session(Arc::clone(&self.actor))
    }

    /// Runs a unit of work as the actor, which is only committed while the job is this worker's.
    ///
    /// # Errors
    /// What `work` fails with; `LEASE_LOST`.
    pub async fn write<T>(
        &self,
        work: impl AsyncFnOnce(&mut Tx) -> Result<T>,
    ) -> Result<T, Failure> {
        let written = self.db.write(&self.actor, &self.origin, async |tx| {
            let done = work(tx).await?;
            self.hold(tx).await?;
            Ok(done)
        });
        written.await.map_err(Failure::from)
    }

    /// Runs the last unit of work as the actor and ends the job with the result that it answers, both or neither.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn finish(
        &self,
        work: impl AsyncFnOnce(&mut Tx) -> Result<Json>,
    ) -> Result<Done, Failure> {
        let finished = self.db.write(&self.actor, &self.origin, async |tx| {
            let result = work(tx).await?;
            let outcome = match self.is_kept {
                true => Outcome::Succeeded(result),
                false => Outcome::Forgotten,
            };
            let ending = Ending::of(&self.claim, outcome);
            match ending::note_in(tx, &[ending], self.frees).await? {
                1 => Ok(()),
                _ => Err(Error::TakenOver),
            }
        });
        finished.await.map_err(Failure::from)?;
        Ok(Done::Finished)
    }

    /// Notes how far the job is, for whoever watches it; not more than once a second.
    ///
    /// # Errors
    /// `LEASE_LOST`, or the database.
    pub async fn progress(
        &self,
        done: i64,
        total: Option<i64>,
        message: &str,
    ) -> Result<(), Failure> {
        let mut noted_at = self.progress_at.lock().await;
        if noted_at.is_some_and(|at| at.elapsed() < PROGRESS_EVERY) {
            return Ok(());
        }
        *noted_at = Some(Instant::now());
        drop(noted_at);
        let message = &message[..message.floor_char_boundary(MESSAGE_BYTES)];
        let noted = self.db.write(&self.actor, &self.origin, async |tx| {
            let sql = Sql::new("UPDATE jobs SET progress_done = ")
                .bind(done)
                .push(", progress_total = ")
                .bind(total)
                .push(", progress_message = ")
                .bind(message.to_owned());
            match tx.execute(self.held(sql)).await? {
                1 => Ok(()),
                _ => Err(Error::TakenOver),
            }
        });
        noted.await.map_err(Failure::from)
    }

    /// Prolongs the lease; whether somebody wants the job to end, or nothing when it is another worker's by now.
    pub(super) async fn renew(&self, lease: Duration) -> Result<Option<bool>> {
        let worker = Arc::new(Actor::worker(self.tenant(), "jobs"));
        let renewed = self.db.write(&worker, &self.origin, async |tx| {
            let sql = Sql::new("UPDATE jobs SET due_at = now() + make_interval(secs => ")
                .bind(lease.as_secs_f64())
                .push(")");
            let sql = self.held(sql);
            let sql = sql.push(" RETURNING cancel_requested_at IS NOT NULL");
            Ok(tx.column(sql).await?.pop())
        });
        renewed.await
    }

    /// Keeps anybody else from taking the job before this unit of work is committed.
    async fn hold(&self, tx: &mut Tx) -> Result<()> {
        let sql = self.held(Sql::new("SELECT 1 FROM jobs"));
        let held: Vec<i32> = tx.column(sql.push(" FOR SHARE")).await?;
        match held.is_empty() {
            true => Err(Error::TakenOver),
            false => Ok(()),
        }
    }

    fn held(&self, sql: Sql) -> Sql {
        sql.push(" WHERE tenant_id = ")
            .bind(self.tenant())
            .push(" AND job_id = ")
            .bind(self.claim.job_id.uuid())
            .push(" AND fence = ")
            .bind(self.claim.fence)
            .push(" AND status = 'RUNNING'")
    }
}
