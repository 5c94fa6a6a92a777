//! What the layers below HTTP learn about the running request, for its log line: a layer notes its fact where it knows
//! it, and nothing has to be passed up. Outside a request, notes are dropped.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{OperationKind, spans::cut};
use crate::base::ids::{TenantId, UserId};

tokio::task_local! {
    static CURRENT: Arc<Mutex<Noted>>;
}

#[derive(Debug, Default)]
pub(super) struct Noted {
    pub(super) operation: Option<OperationKind>,
    pub(super) operation_name: Option<String>,
    pub(super) tenant_id: Option<TenantId>,
    pub(super) user_id: Option<UserId>,
    pub(super) statements: u32,
    pub(super) phases: [Duration; PHASES.len()],
}

/// What the time of a request goes to. A phase may be within another one: the database's are within that of execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Finding out who asks.
    Authentication,
    /// Reading, validating and measuring the document.
    Document,
    /// Running the operation, or finding its answer in the cache.
    Execution,
    /// Waiting for a connection to the database and a snapshot.
    Connection,
    /// Statements.
    Database,
}

/// All of them, with the names that clients read.
pub const PHASES: [(Phase, &str); 5] = [
    (Phase::Authentication, "auth"),
    (Phase::Document, "document"),
    (Phase::Execution, "execute"),
    (Phase::Connection, "connect"),
    (Phase::Database, "db"),
];

/// Notes that so much more time went to a phase.
pub fn note_phase(phase: Phase, took: Duration) {
    note(|noted| noted.phases[phase as usize] += took);
}

/// What the time of the running request has gone to so far; nothing outside a request.
#[must_use]
pub fn phases() -> [Duration; PHASES.len()] {
    let phases = CURRENT.try_with(|noted| {
        let noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.phases
    });
    phases.unwrap_or_default()
}

/// Notes what kind of operation runs and the name that the client gave it.
pub fn note_operation(kind: OperationKind, name: Option<&str>) {
    note(|noted| {
        noted.operation = Some(kind);
        noted.operation_name = name.map(|name| cut(name).to_owned());
    });
}

/// Notes whom the request's token stands for.
pub fn note_person(tenant_id: TenantId, user_id: Option<UserId>) {
    note(|noted| {
        noted.tenant_id = Some(tenant_id);
        noted.user_id = user_id;
    });
}

/// Notes that so many more statements ran.
pub fn note_statements(count: u32) {
    note(|noted| noted.statements = noted.statements.saturating_add(count));
}

/// Runs the work so that what it notes is collected.
pub(super) async fn collect<F: Future>(noted: Arc<Mutex<Noted>>, work: F) -> F::Output {
    CURRENT.scope(noted, work).await
}

fn note(change: impl FnOnce(&mut Noted)) {
    // The only error is that no request runs here, and then there is no log line.
    let _ =
        CURRENT.try_with(|noted| change(&mut noted.lock().unwrap_or_else(PoisonError::into_inner)));
}
