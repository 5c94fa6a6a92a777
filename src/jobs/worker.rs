//! Doing jobs: going round the tenants that have some, each in a task of its own, and noting how they end.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{
    Claim, Done, Failure, Handlers, Run,
    claim::{Claimer, due_tenants},
    ending::{Ending, Outcome},
    notes::Notes,
};
use crate::{
    access::{Actor, Subject},
    base::{
        error::Result,
        ids::{ApiKeyId, TenantId, Typed as _, UserId},
    },
    db::{Db, journal::Origin},
    platform::telemetry,
};

/// Jobs of a tenant that are taken at once.
const AT_ONCE: usize = 16;
/// Tenants that are looked for at once.
const TENANTS: i64 = 200;
/// How long a tenant is left alone that had nothing for this server after all.
const REST: Duration = Duration::from_secs(1);
/// The shortest time between two looks.
const BREATH: Duration = Duration::from_millis(2);

/// Who has the rights of people and programs.
pub trait Authority: Send + Sync + 'static {
    /// What a person or a program is in a tenant now; nothing when they are not in it (any more).
    fn actor(
        &self,
        tenant: TenantId,
        subject: Subject,
    ) -> BoxFuture<'_, Result<Option<Arc<Actor>>>>;
}

/// How a server does jobs.
#[derive(Debug, Clone, Copy)]
pub struct WorkerSettings {
    /// How many at a time; none with 0, so that other servers do them.
    pub slots: usize,
    /// For how long a job is a worker's before it has to say again that it is there.
    pub lease: Duration,
    /// How often it is asked which tenants have something to do, while no hint tells of one.
    pub poll: Duration,
    /// How long those that run may go on when the server stops.
    pub patience: Duration,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            slots: 32,
            lease: Duration::from_secs(30),
            poll: Duration::from_secs(1),
            patience: Duration::from_secs(5),
        }
    }
}

/// What does the jobs of a server.
pub struct Worker {
    db: Db,
    handlers: Handlers,
    authority: Arc<dyn Authority>,
    settings: WorkerSettings,
    slots: Arc<Semaphore>,
    /// How many of each tenant run here.
    running: Mutex<HashMap<TenantId, usize>>,
    ended: Notify,
    notes: Notes,
}

impl Worker {
    /// A worker that does nothing yet.
    #[must_use]
    pub fn new(
        db: Db,
        handlers: Handlers,
        authority: Arc<dyn Authority>,
        settings: WorkerSettings,
    ) -> Self {
        db.metrics().jobs.know(handlers.kinds());
        Self {
            notes: Notes::new(db.clone(), settings.lease),
            db,
            handlers,
            authority,
            slots: Arc::new(Semaphore::new(settings.slots)),
            settings,
            running: Mutex::default(),
            ended: Notify::new(),
        }
    }

    /// Does jobs until stopped. Those that run then may end for a while; the others go back into the queue.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        if self.settings.slots == 0 {
            return;
        }
        let (tasks, over) = (TaskTracker::new(), CancellationToken::new());
        let noting = async {
            self.notes.run(&over).await;
        };
        let working = async {
            self.go_round(&tasks, &stop).await;
            tasks.close();
            tasks.wait().await;
            over.cancel();
        };
        tokio::join!(noting, working);
    }

    async fn go_round(self: &Arc<Self>, tasks: &TaskTracker, stop: &CancellationToken) {
        let mut round = Round::default();
        let mut is_well = true;
        // It ends between two looks: what was taken is begun.
        while !stop.is_cancelled() {
            let looked = self.look(&mut round, tasks, stop).await;
            if looked.is_ok() != is_well {
                is_well = looked.is_ok();
                match &looked {
                    Ok(_) => tracing::info!("jobs are done again"),
                    Err(error) => tracing::warn!(%error, "jobs wait: the queue can't be read"),
                }
            }
            if matches!(looked, Ok(true)) {
                tokio::time::sleep(BREATH).await;
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.db.hints().enqueued(), if is_well => {}
                () = self.ended.notified(), if is_well && round.was_full => {}
                () = tokio::time::sleep(self.settings.poll) => {}
            }
        }
    }

    /// Takes a few jobs of each of the next tenants that have some; whether it took any.
    async fn look(
        self: &Arc<Self>,
        round: &mut Round,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Result<bool> {
        let mut tenants = due_tenants(&self.db, round.after, TENANTS).await?;
        if tenants.is_empty() && round.after != Uuid::nil() {
            tenants = due_tenants(&self.db, Uuid::nil(), TENANTS).await?;
        }
        let now = Instant::now();
        round.resting.retain(|_, until| *until > now);
        round.was_full = false;
        // A tenant may have a quarter of the slots at a time, so that some are left for others.
        let share = (self.settings.slots / 4).max(1);
        let claimer = Claimer {
            db: &self.db,
            handlers: &self.handlers,
            lease: self.settings.lease,
        };
        let mut took = false;
        for tenant in &tenants {
            round.after = tenant.uuid();
            if round.resting.contains_key(tenant) {
                continue;
            }
            let busy = self.running().get(tenant).copied().unwrap_or(0);
            let most = share.saturating_sub(busy).min(AT_ONCE);
            if most == 0 {
                round.was_full = true;
                continue;
            }
            let slot = stop.run_until_cancelled(Arc::clone(&self.slots).acquire_owned());
            let Some(Ok(slot)) = slot.await else {
                return Ok(false);
            };
            let mut slots = vec![slot];
            while slots.len() < most
                && let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned()
            {
                slots.push(slot);
            }
            // A tenant whose requests take all there is for it has its jobs done later.
            let claims = match claimer.claim(*tenant, slots.len()).await {
                Ok(claims) => claims,
                Err(error) => {
                    tracing::debug!(%error, tenant.id = %tenant, "no jobs were taken");
                    Vec::new()
                }
            };
            if claims.is_empty() {
                round.resting.insert(*tenant, Instant::now() + REST);
            }
            for (claim, slot) in claims.into_iter().zip(slots) {
                took = true;
                *self.running().entry(*tenant).or_default() += 1;
                let (worker, stop) = (Arc::clone(self), stop.clone());
                tasks.spawn(async move { worker.attend(claim, slot, stop).await });
            }
        }
        Ok(took)
    }

    /// Does one job from its begin to its end.
    async fn attend(
        self: Arc<Self>,
        claim: Claim,
        slot: OwnedSemaphorePermit,
        stop: CancellationToken,
    ) {
        let tenant = claim.tenant_id;
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
        let outcome =
            tracing::Instrument::instrument(self.outcome(&claim, &stop), span.clone()).await;
        let name = outcome.as_ref().map_or("succeeded", Outcome::name);
        metrics.note_end(kind, name, began.elapsed());
        span.in_scope(|| match &outcome {
            Some(Outcome::Failed(code, message)) => {
                tracing::warn!(code, message, "a job failed for good")
            }
            Some(Outcome::Retried(pause, code, message)) => {
                tracing::info!(code, message, ?pause, "a job is tried again later");
            }
            _ => tracing::debug!(outcome = name, took = ?began.elapsed(), "a job was done"),
        });
        if let Some(outcome) = outcome {
            let frees = known.is_some_and(|(_, handler)| handler.policy().per_tenant.is_some());
            self.notes.add(Ending::of(&claim, outcome), frees);
        }
        drop(slot);
        let mut running = self.running();
        if let Some(count) = running.get_mut(&tenant) {
            *count -= 1;
            if *count == 0 {
                running.remove(&tenant);
            }
        }
        drop(running);
        self.ended.notify_one();
    }

    /// Tries a job; nothing when it has ended by itself, or is another worker's by now.
    async fn outcome(&self, claim: &Claim, stop: &CancellationToken) -> Option<Outcome> {
        let (kind, handler) = self.handlers.get(&claim.kind)?;
        let policy = handler.policy();
        if claim.is_cancelled || claim.is_left_out {
            return Some(Outcome::Cancelled);
        }
        if claim.attempts.unsigned_abs() > policy.attempts {
            let message = "its workers died, or took too long, as often as it may be tried";
            return Some(Outcome::Failed("WORKER_LOST", message.to_owned()));
        }
        if claim.is_too_late {
            return Some(Outcome::Failed(
                "TOO_LATE",
                "its time has passed".to_owned(),
            ));
        }
        let judge = |attempt| Outcome::of(attempt, claim, policy, fastrand::f64());
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
                Kept::Lost => None,
                Kept::Cancelled => Some(Outcome::Cancelled),
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
        let subject = if let Ok(user) = claim.author.parse::<UserId>() {
            Subject::Person(user, None)
        } else if let Ok(key) = claim.author.parse::<ApiKeyId>() {
            Subject::Key(key)
        } else {
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

    fn running(&self) -> MutexGuard<'_, HashMap<TenantId, usize>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a worker goes round.
#[derive(Default)]
struct Round {
    /// The tenant that was served last.
    after: Uuid,
    /// Tenants that had nothing after all, and until when they are left alone.
    resting: HashMap<TenantId, Instant>,
    /// Whether a tenant was passed by because it has its share.
    was_full: bool,
}

/// Why a job is not this worker's any more.
enum Kept {
    Lost,
    Cancelled,
}
