//! The kinds of transaction: what an actor reads by, what an actor changes by, and the system's.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Statements;
use crate::{
    access::Actor,
    base::{error::Result, ids::TenantId},
    db::journal::{self, Commit, Entry, Event, FirstDue, Origin, Pending},
    platform::telemetry::{self, Phase},
};

/// What an actor reads by: statements in the actor's name, at one instant. Nothing can be emitted from here, since nobody
/// would append it.
pub struct ReadTx {
    statements: Statements,
    actor: Arc<Actor>,
    now: DateTime<Utc>,
}

impl ReadTx {
    pub(super) fn new(statements: Statements, actor: Arc<Actor>, now: DateTime<Utc>) -> Self {
        Self {
            statements,
            actor,
            now,
        }
    }

    /// On whose behalf.
    #[must_use]
    pub fn actor(&self) -> &Arc<Actor> {
        &self.actor
    }

    /// The tenant; every statement binds it too, so that the planner sees it.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.actor.tenant
    }

    /// The one instant of this transaction.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }
}

/// A unit of work on behalf of an actor, which reads and writes. What a verb emits is appended to the event log when it
/// commits.
pub struct Tx {
    reads: ReadTx,
    pending: Pending,
    first_due: Option<FirstDue>,
    request_id: String,
    subject: Option<(&'static str, Uuid)>,
}

impl Tx {
    pub(super) fn new(reads: ReadTx, origin: &Origin) -> Self {
        Self {
            reads,
            pending: Pending::default(),
            first_due: None,
            request_id: origin.request_id.clone(),
            subject: None,
        }
    }

    /// Notes the record that the mutation's answer is made of, by its kind and id: an idempotency key remembers it, so
    /// that the answer can be rebuilt.
    pub(crate) fn note_subject(&mut self, subject: Option<(&'static str, Uuid)>) {
        self.subject = subject;
    }

    /// In whose name changes are recorded.
    #[must_use]
    pub fn author(&self) -> String {
        self.actor().author.to_string()
    }

    /// The request that it is a part of.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Notes that something happened; it is told, and stands in the audit log, when and if this transaction commits.
    ///
    /// What only followed for the same record before is a part of it.
    pub fn emit(&mut self, event: Event) {
        let entry = Entry::of(&event, &self.author());
        let Pending { events, entries } = &mut self.pending;
        events.retain(|earlier| !(earlier.only_follows() && earlier.is_about_the_same(&event)));
        entries.push(entry);
        events.push(event);
    }

    /// Notes what follows from something that is emitted too, and is no act of its own: those who watch are told, and
    /// the audit log says nothing of it.
    pub fn follow_up(&mut self, event: Event) {
        self.pending.events.push(event);
    }

    /// Notes something for the audit log that is no event.
    pub fn note(&mut self, entry: Entry) {
        self.pending.entries.push(entry);
    }

    /// Notes that a job was put into the tenant's queue, due at an instant or now, and so much later: workers look for
    /// it when and if this transaction commits.
    pub(crate) fn has_enqueued(&mut self, at: Option<DateTime<Utc>>, pause: Duration) {
        self.first_due.get_or_insert_default().include(at, pause);
    }

    /// When the first of the jobs is due that were put into the queue.
    pub(super) fn first_due(&self) -> Option<FirstDue> {
        self.first_due
    }

    /// The record that this is about: the answer's, else that of the first event.
    pub(super) fn subject(&self) -> Option<(&'static str, Uuid)> {
        let first = self.pending.events.first();
        self.subject
            .or_else(|| first.map(|event| (event.entity, event.id)))
    }

    /// Whether anything is to be told or audited.
    pub(super) fn has_pending(&self) -> bool {
        !self.pending.events.is_empty() || !self.pending.entries.is_empty()
    }

    pub(crate) fn take_pending(&mut self) -> Pending {
        std::mem::take(&mut self.pending)
    }

    pub(super) async fn commit(mut self) -> Result<()> {
        let committed = self.reads.statements.commit().await;
        telemetry::note_phase(Phase::Database, self.reads.statements.took());
        committed
    }
}

/// A transaction as the system login.
pub struct SystemTx {
    statements: Statements,
    now: DateTime<Utc>,
}

impl SystemTx {
    pub(super) fn new(statements: Statements, now: DateTime<Utc>) -> Self {
        Self { statements, now }
    }

    /// The one instant of this transaction.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Appends to a tenant's audit log what happens before or beyond an actor. Nothing of the tenant's may be
    /// written by this transaction afterwards, since the tenant's counter is locked from here on.
    ///
    /// # Errors
    /// The database.
    pub async fn audit(
        &mut self,
        tenant: TenantId,
        entries: Vec<Entry>,
        origin: &Origin,
    ) -> Result<()> {
        let commit = self.commit_for(tenant, origin);
        journal::append_entries(self, commit, &[], entries).await?;
        Ok(())
    }

    /// Appends to a tenant's event log and audit log what happens before there is an actor, such as becoming a
    /// member; every event has an entry by itself. Like [`Self::audit`] it comes last.
    ///
    /// # Errors
    /// The database.
    pub async fn tell(
        &mut self,
        tenant: TenantId,
        author: &str,
        mut pending: Pending,
        origin: &Origin,
    ) -> Result<()> {
        let of_events = pending.events.iter().map(|event| Entry::of(event, author));
        pending.entries.extend(of_events);
        let commit = self.commit_for(tenant, origin);
        journal::append_pending(self, commit, author, pending).await?;
        Ok(())
    }

    fn commit_for<'o>(&self, tenant: TenantId, origin: &'o Origin) -> Commit<'o> {
        Commit {
            tenant,
            at: self.now,
            origin,
        }
    }

    /// Makes what was done last.
    ///
    /// # Errors
    /// The database refused or does not answer.
    pub async fn commit(mut self) -> Result<()> {
        self.statements.commit().await
    }
}

macro_rules! deref {
    ($($kind:ty: $field:ident as $target:ty;)*) => {$(
        impl Deref for $kind {
            type Target = $target;
            fn deref(&self) -> &$target {
                &self.$field
            }
        }
        impl DerefMut for $kind {
            fn deref_mut(&mut self) -> &mut $target {
                &mut self.$field
            }
        }
    )*};
}
deref! {
    ReadTx: statements as Statements;
    Tx: reads as ReadTx;
    SystemTx: statements as Statements;
}
