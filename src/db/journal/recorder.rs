//! Recording what no transaction of its own records: refused sign-ins, refused access, attempts on other tenants.
//!
//! The caller that notes something never waits, so an answer's time tells nothing about what was noted. One task writes, per
//! tenant and batch in one transaction. What does not fit the queue is lost and counted.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::{Entry, Origin, chain, folding::Folding};
use crate::{
    base::{
        clock::Clock,
        error::Result,
        ids::{TenantId, UserId},
    },
    db::{
        Db, Sql, SystemReason,
        journal::attempts::{self, Suspicion, Watch},
    },
    platform::telemetry::metrics::Metrics,
};

/// So many notes wait to be written; beyond them they are lost.
const QUEUE: usize = 4_096;
/// So many are written at once.
const BATCH: usize = 512;
/// How often windows are looked at and losses told.
const TICK: Duration = Duration::from_secs(1);
/// How often losses are told at most.
const LOSSES_TOLD_EVERY: Duration = Duration::from_secs(10);
/// The pauses before a batch is tried again: a database that restarts is back within seconds.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(150),
    Duration::from_millis(450),
    Duration::from_millis(1_350),
];

/// In whose log something is noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Whom {
    /// A tenant's.
    Tenant(TenantId),
    /// That of every tenant that the person is an active member of.
    TenantsOf(UserId),
}

/// Something to be written, and when it happened.
#[derive(Debug, Clone)]
pub(super) struct Note {
    pub(super) whom: Whom,
    pub(super) entry: Entry,
    pub(super) origin: Origin,
    pub(super) at: DateTime<Utc>,
}

enum Message {
    Note(Box<Note>),
    /// Answered when all before it is written.
    Flush(oneshot::Sender<()>),
    /// Answered when all before it is written, the counts with it.
    Finish(oneshot::Sender<()>),
}

/// Where things are noted. Clones note in the same place.
#[derive(Clone)]
pub struct Recorder {
    queue: mpsc::Sender<Message>,
    suspicions: mpsc::Sender<Suspicion>,
    lost: Arc<AtomicU64>,
    clock: Clock,
    metrics: Arc<Metrics>,
}

/// The task that writes; it ends when this and all recorders are gone.
pub struct Recording {
    queue: mpsc::Sender<Message>,
    task: JoinHandle<()>,
    watch: JoinHandle<()>,
}

impl Recorder {
    /// Begins to write what is noted, in a task.
    #[must_use]
    pub fn start(db: Db) -> (Self, Recording) {
        let (queue, notes) = mpsc::channel(QUEUE);
        let lost = Arc::new(AtomicU64::new(0));
        let (suspicions, watched) = mpsc::channel(attempts::QUEUE);
        let recorder = Self {
            queue: queue.clone(),
            suspicions,
            lost: Arc::clone(&lost),
            clock: db.clock().clone(),
            metrics: Arc::clone(db.metrics()),
        };
        let writer = Writer {
            db,
            folding: Folding::default(),
            lost,
            losses: (0, Instant::now()),
        };
        // The watch notes what it finds, in a recorder that keeps no task alive by itself.
        let notes_of_watch = recorder.without_watch();
        let watch = Watch::new(writer.db.clone(), notes_of_watch);
        let watch = tokio::spawn(watch.run(watched));
        let task = tokio::spawn(writer.run(notes));
        (recorder, Recording { queue, task, watch })
    }

    /// Notes something; never waits.
    pub fn note(&self, whom: Whom, entry: Entry, origin: Origin) {
        let note = Note {
            whom,
            entry,
            origin,
            at: self.clock.now(),
        };
        if self.queue.try_send(Message::Note(Box::new(note))).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
            self.metrics.service.audit_entries_lost.inc();
        }
    }

    /// Leaves ids to be looked at, which a caller was told do not exist; never waits.
    pub(crate) fn suspect(&self, suspicion: Suspicion) {
        if self.suspicions.try_send(suspicion).is_err() {
            tracing::debug!("unknown ids not looked up");
        }
    }

    /// The same recorder, which suspects nobody.
    fn without_watch(&self) -> Self {
        Self {
            suspicions: mpsc::channel(1).0,
            ..self.clone()
        }
    }

    /// Waits until what was noted so far is written, or lost.
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.queue.send(Message::Flush(done)).await.is_ok() {
            _ = written.await;
        }
    }
}

impl Recording {
    /// Writes what is left, the counts with it, and ends.
    pub async fn finish(self) {
        // What nobody has looked at yet is not looked at any more; the answers are long gone.
        self.watch.abort();
        let (done, written) = oneshot::channel();
        if self.queue.send(Message::Finish(done)).await.is_ok() {
            _ = written.await;
        }
        _ = self.task.await;
    }
}

struct Writer {
    db: Db,
    folding: Folding,
    lost: Arc<AtomicU64>,
    /// How many losses were told, and when.
    losses: (u64, Instant),
}

impl Writer {
    async fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        let mut tick = tokio::time::interval(TICK);
        let mut messages = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                received = queue.recv_many(&mut messages, BATCH) => if received == 0 { break },
                _ = tick.tick() => {
                    let counts = self.folding.ended(Instant::now());
                    self.write(counts).await;
                    self.tell_losses(LOSSES_TOLD_EVERY);
                    continue;
                }
            }
            let (mut fresh, mut waiting, mut finished) = (Vec::new(), Vec::new(), false);
            for message in messages.drain(..) {
                match message {
                    Message::Note(note) => fresh.extend(self.folding.take(*note, Instant::now())),
                    Message::Flush(done) => waiting.push(done),
                    Message::Finish(done) => {
                        waiting.push(done);
                        finished = true;
                    }
                }
            }
            if finished {
                fresh.extend(self.folding.rest());
            }
            self.write(fresh).await;
            for done in waiting {
                _ = done.send(());
            }
            if finished {
                break;
            }
        }
        self.tell_losses(Duration::ZERO);
    }

    /// Writes notes, a transaction per tenant. What the database refuses again and again is lost, and the rest not.
    async fn write(&self, mut notes: Vec<Note>) {
        for pause in PAUSES {
            notes = self.try_write(notes).await;
            if notes.is_empty() {
                return;
            }
            tokio::time::sleep(pause).await;
        }
        let left = self.try_write(notes).await;
        self.lost.fetch_add(left.len() as u64, Ordering::Relaxed);
        let metrics = &self.db.metrics().service;
        metrics.audit_entries_lost.inc_by(left.len() as u64);
    }

    /// Writes notes and gives back those that were not written.
    async fn try_write(&self, notes: Vec<Note>) -> Vec<Note> {
        let places = match self.places(&notes).await {
            Ok(places) => places,
            Err(error) => {
                tracing::debug!(%error, "audit notes not written yet");
                return notes;
            }
        };
        let mut left = Vec::new();
        for (tenant, notes) in by_tenant(notes, &places) {
            if let Err(error) = self.append(tenant, &notes).await {
                tracing::debug!(%error, "audit notes not written yet");
                left.extend(notes);
            }
        }
        left
    }

    /// The tenants that people are active members of.
    async fn places(&self, notes: &[Note]) -> Result<Vec<(TenantId, UserId)>> {
        let people: Vec<UserId> = notes
            .iter()
            .filter_map(|note| match note.whom {
                Whom::TenantsOf(user) => Some(user),
                Whom::Tenant(_) => None,
            })
            .collect();
        if people.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.db.system(SystemReason::Audit).await?;
        let sql = Sql::new(
            "SELECT m.tenant_id, m.user_id FROM memberships m WHERE m.status = 'ACTIVE' AND m.user_id = ANY(",
        )
        .bind(people)
        .push(")");
        tx.all(sql).await
    }

    async fn append(&self, tenant: TenantId, notes: &[Note]) -> Result<()> {
        let mut tx = self.db.system(SystemReason::Audit).await?;
        chain::append_notes(&mut tx, tenant, notes).await?;
        tx.commit().await
    }

    fn tell_losses(&mut self, at_most_every: Duration) {
        let lost = self.lost.load(Ordering::Relaxed);
        let (told, at) = self.losses;
        if lost > told && at.elapsed() >= at_most_every {
            tracing::warn!(count = lost - told, "audit notes were lost");
            self.losses = (lost, Instant::now());
        }
    }
}

/// What is to be written in which tenant's log.
fn by_tenant(notes: Vec<Note>, places: &[(TenantId, UserId)]) -> HashMap<TenantId, Vec<Note>> {
    let mut by_tenant: HashMap<TenantId, Vec<Note>> = HashMap::new();
    let mut add = |tenant, note| {
        by_tenant.entry(tenant).or_default().push(Note {
            whom: Whom::Tenant(tenant),
            ..note
        });
    };
    for note in notes {
        match note.whom {
            Whom::Tenant(tenant) => add(tenant, note),
            Whom::TenantsOf(user) => {
                for (tenant, _) in places.iter().filter(|(_, member)| *member == user) {
                    add(*tenant, note.clone());
                }
            }
        }
    }
    by_tenant
}
