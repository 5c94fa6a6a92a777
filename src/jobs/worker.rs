//! Doing jobs: going round the tenants that have some, each in a task of its own, and noting how they end.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use tokio::sync::{Notify, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{
    Handlers,
    claim::{Claimer, due_tenants},
    consumers::Growth,
    notes::Notes,
    seat::Seat,
};
use crate::{
    access::{Actor, Subject},
    base::{
        error::Result,
        ids::{TenantId, Typed as _},
    },
    db::Db,
};

/// Jobs of a tenant that are taken at once.
const AT_ONCE: usize = 16;
/// Tenants that are looked for at once.
const TENANTS: i64 = 200;
/// Jobs that wait for servers elsewhere at a time, beside those that run.
const OUTSIDE: usize = 1_000;
/// How long a tenant is left alone that had nothing for this server after all.
const REST: Duration = Duration::from_secs(1);
/// How often it is asked of all tenants whether a consumer of their event log is behind, whatever hints say.
const ALL_CONSUMERS: Duration = Duration::from_secs(5);
/// How long growth of event logs is gathered.
const GATHERED_FOR: Duration = Duration::from_millis(10);
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
    pub(super) db: Db,
    pub(super) handlers: Handlers,
    pub(super) authority: Arc<dyn Authority>,
    pub(super) settings: WorkerSettings,
    pub(super) slots: Arc<Semaphore>,
    /// How many may wait for servers elsewhere.
    pub(super) outside: Semaphore,
    /// How many of each tenant run here.
    running: Mutex<HashMap<TenantId, usize>>,
    pub(super) ended: Notify,
    pub(super) notes: Notes,
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
            outside: Semaphore::new(OUTSIDE),
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
                () = self.db.hints().grew(), if is_well => tokio::time::sleep(GATHERED_FOR).await,
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
        let growth = self.growth(round);
        let mut tenants = due_tenants(&self.db, round.after, &growth, TENANTS).await?;
        if tenants.is_empty() && round.after != Uuid::nil() {
            tenants = due_tenants(&self.db, Uuid::nil(), &growth, TENANTS).await?;
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
        for due in tenants {
            let tenant = due.tenant_id;
            round.after = tenant.uuid();
            if round.resting.contains_key(&tenant) && !due.is_behind {
                continue;
            }
            let busy = self.running().get(&tenant).copied().unwrap_or(0);
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
            let claims = match claimer.claim(due, slots.len()).await {
                Ok(claims) => claims,
                Err(error) => {
                    tracing::debug!(%error, tenant.id = %tenant, "no jobs were taken");
                    Vec::new()
                }
            };
            if claims.is_empty() {
                round.resting.insert(tenant, Instant::now() + REST);
            }
            for (claim, slot) in claims.into_iter().zip(slots) {
                took = true;
                let seat = Seat::take(self, tenant, slot);
                let (worker, stop) = (Arc::clone(self), stop.clone());
                tasks.spawn(async move { worker.attend(claim, seat, stop).await });
            }
        }
        Ok(took)
    }

    /// Whose consumers are looked at this time.
    fn growth(&self, round: &mut Round) -> Growth {
        let grown = self.db.hints().take_grown();
        let is_recent = |at: Instant| at.elapsed() < ALL_CONSUMERS;
        match round.all_looked_at.is_some_and(is_recent) {
            true => Growth::Of(grown),
            false => {
                round.all_looked_at = Some(Instant::now());
                Growth::Anywhere
            }
        }
    }

    pub(super) fn running(&self) -> MutexGuard<'_, HashMap<TenantId, usize>> {
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
    /// When all consumers were looked at last.
    all_looked_at: Option<Instant>,
}
