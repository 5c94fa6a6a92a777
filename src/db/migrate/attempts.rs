//! Attempts at a step. One that does not get a lock in time gives way to those who queue behind it, and is repeated after a
//! pause.

use std::time::{Duration, Instant};

use sqlx::{PgConnection, postgres::PgConnectOptions};
use tokio::time::sleep;

use super::{MigrateError, Patience, watch::Watch};

/// What a run has waited for so far.
pub(super) struct Attempts {
    patience: Patience,
    watch: Watch,
    pid: i32,
    waited: Duration,
    repeated: u32,
}

impl Attempts {
    pub(super) async fn new(
        owner: &PgConnectOptions,
        connection: &mut PgConnection,
        patience: Patience,
    ) -> Result<Self, MigrateError> {
        let pid = sqlx::query_scalar("SELECT pg_backend_pid()")
            .fetch_one(connection)
            .await?;
        Ok(Self {
            patience,
            watch: Watch::start(owner.clone(), pid),
            pid,
            waited: Duration::ZERO,
            repeated: 0,
        })
    }

    pub(super) fn patience(&self) -> Patience {
        self.patience
    }

    pub(super) fn repeated(&self) -> u32 {
        self.repeated
    }

    /// Does a step that leaves nothing behind when it fails; repeated while others are in its way.
    pub(super) async fn attempt<T>(
        &mut self,
        connection: &mut PgConnection,
        step: &str,
        mut work: impl AsyncFnMut(&mut PgConnection) -> Result<T, MigrateError>,
    ) -> Result<T, MigrateError> {
        let mut attempts = 0;
        loop {
            self.set_lock_timeout(connection, self.lock_timeout(attempts))
                .await?;
            self.watch.begin(step, None);
            let began = Instant::now();
            let done = work(connection).await;
            let (lock, _) = self.watch.end();
            let error = match done {
                Err(error) if error.is_contention() => error,
                done => return done,
            };
            attempts += 1;
            self.repeated += 1;
            let pause = self.pause(attempts);
            self.waited += began.elapsed() + pause;
            if self.waited >= self.patience.total {
                return Err(self.blocked(step, attempts, lock));
            }
            tracing::warn!(step, attempt = attempts, %error, "waiting for {lock}");
            sleep(pause).await;
        }
    }

    /// Does a step that nobody queues behind, whatever it waits for, and that would have to begin anew if it did not wait:
    /// it may wait for a lock for all the time that there is.
    pub(super) async fn wait_out<T>(
        &mut self,
        connection: &mut PgConnection,
        step: &str,
        mut work: impl AsyncFnMut(&mut PgConnection) -> Result<T, MigrateError>,
    ) -> Result<T, MigrateError> {
        self.set_lock_timeout(connection, Duration::ZERO).await?;
        let left = self.patience.total.saturating_sub(self.waited);
        self.watch.begin(step, Some(left));
        let done = work(connection).await;
        let (lock, was_ended) = self.watch.end();
        match done {
            Err(error) if was_ended && error.is_cancelled() => {
                self.waited += left;
                Err(self.blocked(step, 1, lock))
            }
            done => done,
        }
    }

    fn blocked(&self, step: &str, attempts: u32, lock: String) -> MigrateError {
        MigrateError::Blocked {
            step: step.to_owned(),
            attempts,
            waited: self.waited,
            lock,
        }
    }

    /// Each attempt waits somewhat longer for a lock: where transactions overlap, a short wait never sees the end of all.
    fn lock_timeout(&self, attempts: u32) -> Duration {
        let grown = self
            .patience
            .lock
            .mul_f64(1.5_f64.powi(attempts.min(20).cast_signed()));
        grown.min(self.patience.longest_lock)
    }

    /// A pause of up to twice the last one, by chance, so that several don't meet again.
    fn pause(&self, attempts: u32) -> Duration {
        let most = self.patience.lock * 2_u32.saturating_pow(attempts.min(10));
        let most = most.min(self.patience.longest_pause);
        most.mul_f64(fastrand::f64().mul_add(0.5, 0.5))
    }

    async fn set_lock_timeout(
        &self,
        connection: &mut PgConnection,
        longest: Duration,
    ) -> Result<(), MigrateError> {
        let set = "SELECT pg_backend_pid() FROM set_config('lock_timeout', $1, false)";
        let pid: i32 = sqlx::query_scalar(set)
            .bind(format!("{}ms", longest.as_millis()))
            .fetch_one(connection)
            .await?;
        if pid == self.pid {
            Ok(())
        } else {
            Err(MigrateError::Pooled)
        }
    }
}
