//! The SQL of accounts. All of it runs as the system: who somebody is comes before what they may do.

use super::Place;
use crate::{
    db::{Sql, SystemTx},
    error::Result,
    ids::{TenantId, UserId},
};

/// A person as signing in sees them.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Person {
    pub(super) user_id: UserId,
    pub(super) password_hash: Option<String>,
}

/// What is known of a person beside the password.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Standing {
    pub(super) active: bool,
    pub(super) has_second_factor: bool,
    pub(super) has_verified_email: bool,
    pub(super) has_password: bool,
}

pub(super) async fn by_email(tx: &mut SystemTx, normalized: String) -> Result<Option<Person>> {
    let sql = Sql::new("SELECT user_id, password_hash FROM users WHERE email_normalized = ")
        .bind(normalized);
    tx.optional(sql).await
}

pub(super) async fn standing(tx: &mut SystemTx, user: UserId) -> Result<Option<Standing>> {
    let sql = Sql::new(
        "SELECT active, totp_confirmed_at IS NOT NULL AS has_second_factor, \
         email_verified_at IS NOT NULL AS has_verified_email, password_hash IS NOT NULL AS has_password \
         FROM users WHERE user_id = ",
    )
    .bind(user);
    tx.optional(sql).await
}

/// The tenants that a person can be in: as an active member, and until the tenant is deleted.
pub(super) async fn places(tx: &mut SystemTx, user: UserId) -> Result<Vec<Place>> {
    let sql = Sql::new(
        "SELECT t.tenant_id, t.slug, t.name, m.role, t.second_factor_required, t.required_provider \
         FROM memberships m JOIN tenants t ON t.tenant_id = m.tenant_id \
         WHERE m.status = 'ACTIVE' AND (t.delete_after IS NULL OR t.delete_after > now()) AND m.user_id = ",
    )
    .bind(user)
    .push(" ORDER BY t.name, t.slug");
    tx.all(sql).await
}

/// The tenant that a person was in last.
pub(super) async fn last_tenant(tx: &mut SystemTx, user: UserId) -> Result<Option<TenantId>> {
    let sql = Sql::new("SELECT tenant_id FROM sessions WHERE user_id = ")
        .bind(user)
        .push(" ORDER BY created_at DESC LIMIT 1");
    Ok(tx.column(sql).await?.into_iter().next())
}

pub(super) async fn note_login(tx: &mut SystemTx, user: UserId) -> Result<()> {
    let sql = Sql::new("UPDATE users SET last_login_at = ")
        .bind(tx.now())
        .push(" WHERE user_id = ")
        .bind(user);
    tx.execute(sql).await?;
    Ok(())
}

/// Replaces a hash by one of the same password, unless the password was changed in the meantime.
pub(super) async fn rehash(
    tx: &mut SystemTx,
    user: UserId,
    (old, new): (String, String),
) -> Result<()> {
    let sql = Sql::new("UPDATE users SET password_hash = ")
        .bind(new)
        .push(" WHERE user_id = ")
        .bind(user)
        .push(" AND password_hash = ")
        .bind(old);
    tx.execute(sql).await?;
    Ok(())
}
