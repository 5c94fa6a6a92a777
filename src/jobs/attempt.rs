//! One attempt at a job, from being taken to how it ends.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{
    Claim, Done, Failure, Run, Worker,
    ending::{Ending, Outcome},
    seat::Seat,
};
use crate::{
    access::{Actor, Subject},
    base::error::Result,
    db::journal::Origin,
    platform::telemetry,
};

/// How an attempt ends.
enum End {
    /// As is still to be noted.
    Noted(Outcome),
    /// The job was ended by its last unit of work.
    Finished,
    /// The job is another worker's by now.
    Lost,
}

impl End {
    /// For metrics and log lines.
    fn name(&self) -> &'static str {
        match self {
            Self::Noted(outcome) => outcome.name(),
            Self::Finished => "succeeded",
            Self::Lost => "lost",
        }
    }
}

/// Why a job is not this worker's any more.
enum Kept {
    Lost,
    Cancelled,
}

impl Worker {
    /// Does one job from its begin to its end.
    pub(super) async fn attend(
        self: Arc<Self>,
        claim: Claim,
        seat: Arc<Seat>,
        stop: CancellationToken,
    ) {
        let began = Instant::now();
        let known = self.handlers.get(&claim.kind);
        let kind = known.as_ref().map_or("unknown", |(kind, _)| *kind);
        let metrics = &self.db.metrics().jobs;
        metrics.note_begin(Duration::from_secs_f64(claim.waited_s.max(0.0)));
        let span = telemetry::job_span(
            kind,
            &claim.request_id,
            &claim.job_id.to_string(),
            claim.trace_parent.as_deref(),
        );
        let end = self
            .attempt(&claim, &seat, &stop)
            .instrument(span.clone())
            .await;
        metrics.note_end(kind, end.name(), began.elapsed());
        span.in_scope(|| match &end {
            End::Noted(Outcome::Failed(code, message)) => {
                tracing::warn!(code, message, "a job failed for good");
            }
            End::Noted(Outcome::Retried(pause, code, message)) => {
                tracing::info!(code, message, ?pause, "a job is tried again later");
            }
            End::Lost => tracing::warn!("a job was given to another worker meanwhile"),
            end => tracing::debug!(outcome = end.name(), took = ?began.elapsed(), "a job was done"),
        });
        if let End::Noted(outcome) = end {
            let frees = known.is_some_and(|(_, handler)| handler.policy().per_tenant.is_some());
            self.notes.add(Ending::of(&claim, outcome), frees);
        }
    }

    /// Tries a job.
    async fn attempt(&self, claim: &Claim, seat: &Arc<Seat>, stop: &CancellationToken) -> End {
        let Some((kind, handler)) = self.handlers.get(&claim.kind) else {
            return End::Lost;
        };
        let policy = handler.policy();
        if claim.is_cancelled || claim.is_left_out {
            return End::Noted(Outcome::Cancelled);
        }
        if claim.attempts.unsigned_abs() > policy.attempts {
            let message = "its workers died, or took too long, as often as it may be tried";
            return End::Noted(Outcome::Failed("WORKER_LOST", message.to_owned()));
        }
        if claim.is_too_late {
            let message = "its time has passed";
            return End::Noted(Outcome::Failed("TOO_LATE", message.to_owned()));
        }
        let judge = |attempt| {
            let outcome = Outcome::of(attempt, claim, policy, fastrand::f64());
            outcome.map_or(End::Finished, End::Noted)
        };
        let actor = match self.actor(claim, kind).await {
            Ok(actor) => actor,
            Err(failure) => return judge(Err(failure)),
        };
        let run = Run {
            db: self.db.clone(),
            origin: Origin::process(claim.request_id.clone()),
            claim: claim.clone(),
            actor,
            cancelled: CancellationToken::new(),
            frees: policy.per_tenant.is_some(),
            is_kept: policy.is_kept,
            seat: Arc::clone(seat),
            progress_at: tokio::sync::Mutex::default(),
        };
        let attempt = std::panic::AssertUnwindSafe(handler.run(claim.arguments.clone(), &run));
        let attempt = async {
            match attempt.catch_unwind().await {
                Ok(attempt) => attempt,
                Err(_) => Err(Failure::passing("PANICKED", "an internal error occurred")),
            }
        };
        let stopped = async {
            stop.cancelled().await;
            run.cancelled.cancel();
            tokio::time::sleep(self.settings.patience).await;
        };
        tokio::select! {
            attempt = attempt => judge(attempt),
            () = tokio::time::sleep(policy.time_limit) => {
                judge(Err(Failure::passing("TIMED_OUT", "it took longer than it may")))
            }
            kept = self.keep(&run) => match kept {
                Kept::Lost => End::Lost,
                Kept::Cancelled => End::Noted(Outcome::Cancelled),
            },
            // It goes on elsewhere; that this server stops is no failure of the job.
            () = stopped => judge(Ok(Done::Again(Duration::ZERO))),
        }
    }

    /// Keeps a job this worker's; ends when it is not any more, or somebody wants it to end and it has not.
    async fn keep(&self, run: &Run) -> Kept {
        let lease = self.settings.lease;
        let mut held_until = Instant::now() + lease;
        loop {
            tokio::time::sleep(lease / 3).await;
            let asked_at = Instant::now();
            match run.renew(lease).await {
                Ok(Some(is_cancelled)) => {
                    held_until = asked_at + lease;
                    if is_cancelled && run.cancelled.is_cancelled() {
                        return Kept::Cancelled;
                    }
                    if is_cancelled {
                        run.cancelled.cancel();
                    }
                }
                Ok(None) => return Kept::Lost,
                Err(_) if Instant::now() < held_until => {}
                Err(_) => return Kept::Lost,
            }
        }
    }

    /// In whose name a job is done, with their rights now.
    async fn actor(&self, claim: &Claim, kind: &'static str) -> Result<Arc<Actor>, Failure> {
        let tenant = claim.tenant_id;
        let Some(subject) = Subject::of(&claim.author) else {
            return Ok(Arc::new(Actor::worker(tenant, kind)));
        };
        match self.authority.actor(tenant, subject).await? {
            Some(actor) => Ok(actor),
            None => Err(Failure::lasting(
                "ACTOR_GONE",
                "whoever had this done is not in the tenant any more",
            )),
        }
    }
}
