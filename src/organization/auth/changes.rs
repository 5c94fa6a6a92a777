//! Publishing access changes to all servers, in the transaction that makes them.

use uuid::Uuid;

use crate::{
    base::{
        error::Result,
        ids::{ApiKeyId, SessionId, TenantId, Typed as _, UserId},
    },
    db::{Sql, Statements},
};

/// A change of rights, by whose they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessChange {
    /// All subjects' in a tenant: it was suspended, or a role of it changed.
    Tenant(TenantId),
    /// A member's.
    Member(TenantId, UserId),
    /// A program's.
    Key(TenantId, ApiKeyId),
    /// A person's in all tenants.
    Person(UserId),
    /// A device's.
    Session(SessionId),
    /// Of all subjects: a signing key was retired.
    All,
}

/// Publishes a change; all servers act on it within a second of the commit.
///
/// # Errors
/// The database.
pub async fn publish_access_change(
    statements: &mut Statements,
    change: AccessChange,
) -> Result<()> {
    let (tenant, user, session): (Option<TenantId>, Option<Uuid>, Option<SessionId>) = match change
    {
        AccessChange::Tenant(tenant) => (Some(tenant), None, None),
        AccessChange::Member(tenant, user) => (Some(tenant), Some(user.uuid()), None),
        AccessChange::Key(tenant, key) => (Some(tenant), Some(key.uuid()), None),
        AccessChange::Person(user) => (None, Some(user.uuid()), None),
        AccessChange::Session(session) => (None, None, Some(session)),
        AccessChange::All => (None, None, None),
    };
    // The app's login has no grant on session_id; it never changes one.
    let sql = match session {
        Some(session) => Sql::new("INSERT INTO access_changes (change_id, session_id) VALUES (")
            .bind(crate::base::ids::mint())
            .push(", ")
            .bind(session),
        None => Sql::new("INSERT INTO access_changes (change_id, tenant_id, user_id) VALUES (")
            .bind(crate::base::ids::mint())
            .push(", ")
            .bind(tenant)
            .push(", ")
            .bind(user),
    };
    statements.execute(sql.push(")")).await?;
    Ok(())
}
