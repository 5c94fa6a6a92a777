//! Telling all servers that somebody's rights changed, in the transaction that changes them.

use uuid::Uuid;

use crate::{
    base::{
        error::Result,
        ids::{ApiKeyId, SessionId, TenantId, Typed as _, UserId},
    },
    db::{Sql, Statements},
};

/// Whose rights changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// Everybody's in a tenant: it was suspended, or a role of it changed.
    Tenant(TenantId),
    /// A member's.
    Member(TenantId, UserId),
    /// A program's.
    Key(TenantId, ApiKeyId),
    /// A person's in all tenants.
    Person(UserId),
    /// A device's.
    Session(SessionId),
    /// Anybody's: a signing key was retired.
    Everybody,
}

/// Says so to all servers, which act on it within a second of the commit.
///
/// # Errors
/// The database.
pub async fn tell(statements: &mut Statements, changed: Changed) -> Result<()> {
    let (tenant, user, session): (Option<TenantId>, Option<Uuid>, Option<SessionId>) = match changed
    {
        Changed::Tenant(tenant) => (Some(tenant), None, None),
        Changed::Member(tenant, user) => (Some(tenant), Some(user.uuid()), None),
        Changed::Key(tenant, key) => (Some(tenant), Some(key.uuid()), None),
        Changed::Person(user) => (None, Some(user.uuid()), None),
        Changed::Session(session) => (None, None, Some(session)),
        Changed::Everybody => (None, None, None),
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
