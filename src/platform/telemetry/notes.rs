//! What the layers below HTTP learn about the running request, for its log line: a layer notes its fact where it knows
//! it, and nothing has to be passed up. Outside a request, notes are dropped.

use std::sync::{Arc, Mutex, PoisonError};

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
