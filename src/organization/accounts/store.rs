//! The SQL of accounts. All of it runs as the system: authentication comes before there is an actor.

use chrono::TimeDelta;

use super::JoinedTenant;
use crate::{
    base::{
        error::Result,
        ids::{SessionId, TenantId, UserId},
        text::normalize,
    },
    db::{Sql, SystemTx},
};

/// A person as signing in sees them.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct PersonCredentials {
    pub(super) user_id: UserId,
    pub(super) password_hash: Option<String>,
}

/// The state of an account that decides about a sign-in, beside the password.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct SignInState {
    pub(super) active: bool,
    pub(super) has_second_factor: bool,
    /// Whether it was set up by a person who proved that the account is theirs.
    pub(super) second_factor_is_own: bool,
}

pub(super) async fn by_email(
    tx: &mut SystemTx,
    normalized: String,
) -> Result<Option<PersonCredentials>> {
    let sql = Sql::new("SELECT user_id, password_hash FROM users WHERE email_normalized = ")
        .bind(normalized);
    tx.optional(sql).await
}

/// The session of a refresh token, also of one that has ended, if it is of the person with this address and was not taken
/// by a thief.
pub(super) async fn known_device(
    tx: &mut SystemTx,
    normalized: &str,
    hash: Vec<u8>,
) -> Result<Option<SessionId>> {
    let sql = Sql::new(
        "SELECT s.session_id FROM refresh_tokens r JOIN sessions s ON s.session_id = r.session_id \
         JOIN users u ON u.user_id = s.user_id \
         WHERE coalesce(s.ended_because, '') NOT IN ('STOLEN', 'REVOKED', 'OPERATOR') AND r.token_hash = ",
    )
    .bind(hash)
    .push(" AND u.email_normalized = ")
    .bind(normalized.to_owned());
    Ok(tx.column(sql).await?.into_iter().next())
}

pub(super) async fn standing(tx: &mut SystemTx, user: UserId) -> Result<Option<SignInState>> {
    let sql = Sql::new(
        "SELECT active, totp_confirmed_at IS NOT NULL AS has_second_factor, totp_own AS second_factor_is_own \
         FROM users WHERE user_id = ",
    )
    .bind(user);
    tx.optional(sql).await
}

/// The tenants that a person can be in: as an active member, and until the tenant is deleted.
pub(super) async fn joined_tenants(tx: &mut SystemTx, user: UserId) -> Result<Vec<JoinedTenant>> {
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

/// What a person authenticates with.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Secrets {
    pub(super) email: String,
    pub(super) name: String,
    pub(super) password_hash: Option<String>,
    pub(super) has_verified_email: bool,
}

pub(super) async fn secrets(tx: &mut SystemTx, user: UserId) -> Result<Option<Secrets>> {
    let sql = Sql::new(
        "SELECT email, name, password_hash, email_verified_at IS NOT NULL AS has_verified_email FROM users \
         WHERE active AND user_id = ",
    )
    .bind(user);
    tx.optional(sql).await
}

/// Sets a password, unless it was changed since it was checked. An app that is being set up was not asked for this one.
pub(super) async fn set_password(
    tx: &mut SystemTx,
    user: UserId,
    new: String,
    old: Option<String>,
) -> Result<bool> {
    let sql = Sql::new("UPDATE users SET totp_pending = NULL, password_hash = ")
        .bind(new)
        .push(", password_changed_at = ")
        .bind(tx.now())
        .push(" WHERE user_id = ")
        .bind(user)
        .push(" AND password_hash IS NOT DISTINCT FROM ")
        .bind(old);
    Ok(tx.execute(sql).await? == 1)
}

/// Sets a password by a mailed link, so the address is the person's.
pub(super) async fn reset_password(tx: &mut SystemTx, user: UserId, hash: String) -> Result<()> {
    let now = tx.now();
    let sql = Sql::new("UPDATE users SET totp_pending = NULL, password_hash = ")
        .bind(hash)
        .push(", password_changed_at = ")
        .bind(now)
        .push(", email_verified_at = coalesce(email_verified_at, ")
        .bind(now)
        .push(") WHERE user_id = ")
        .bind(user);
    tx.execute(sql).await?;
    Ok(())
}

pub(super) async fn verify_email(tx: &mut SystemTx, user: UserId) -> Result<()> {
    let sql = Sql::new("UPDATE users SET email_verified_at = coalesce(email_verified_at, ")
        .bind(tx.now())
        .push(") WHERE user_id = ")
        .bind(user);
    tx.execute(sql).await?;
    Ok(())
}

/// A person who registered.
pub(super) struct NewPerson {
    pub(super) user: UserId,
    pub(super) email: String,
    pub(super) normalized: String,
    pub(super) name: String,
    pub(super) password_hash: String,
}

/// Adds a person with a verified address, unless it is there already by its id.
pub(super) async fn add_person(tx: &mut SystemTx, new: NewPerson) -> Result<()> {
    let now = tx.now();
    let sql = Sql::new(
        "INSERT INTO users (user_id, email, email_normalized, name, password_hash, password_changed_at, \
         email_verified_at, created_at) VALUES ",
    )
    .row(|mut row| {
        row.bind(new.user)
            .bind(new.email)
            .bind(new.normalized)
            .bind(new.name)
            .bind(new.password_hash)
            .bind(now)
            .bind(now)
            .bind(now);
    });
    tx.execute(sql.push(" ON CONFLICT (user_id) DO NOTHING"))
        .await?;
    Ok(())
}

/// Which of these short names belong to tenants.
pub(super) async fn taken_slugs(tx: &mut SystemTx, slugs: Vec<String>) -> Result<Vec<String>> {
    let sql = Sql::new("SELECT slug FROM tenants WHERE slug = ANY(")
        .bind(slugs)
        .push(")");
    tx.column(sql).await
}

pub(super) async fn knows_time_zone(tx: &mut SystemTx, name: String) -> Result<bool> {
    let sql = Sql::new("SELECT count(*) FROM pg_timezone_names WHERE name = ").bind(name);
    Ok(tx.column::<i64>(sql).await?.first() != Some(&0))
}

/// Whether a tenant still has an audit log to write to.
pub(super) async fn has_log(tx: &mut SystemTx, tenant: TenantId) -> Result<bool> {
    let sql = Sql::new("SELECT 1 FROM tenant_seq WHERE tenant_id = ").bind(tenant);
    Ok(!tx.column::<i32>(sql).await?.is_empty())
}

/// Renames a person, and the copies that their tenants have of the name; false when the account is out of reach.
pub(super) async fn rename(tx: &mut SystemTx, user: UserId, name: &str) -> Result<bool> {
    let sql = Sql::new("UPDATE users SET name = ")
        .bind(name.to_owned())
        .push(" WHERE user_id = ")
        .bind(user);
    if tx.execute(sql).await? == 0 {
        return Ok(false);
    }
    let sql = Sql::new("UPDATE memberships SET name = ")
        .bind(name.to_owned())
        .push(", name_normalized = ")
        .bind(normalize(name))
        .push(", version = version + 1 WHERE user_id = ")
        .bind(user);
    tx.execute(sql).await?;
    Ok(true)
}

/// Removes what can't be used any more: secrets a day after their end, sessions after ninety.
pub(super) async fn sweep(tx: &mut SystemTx) -> Result<u64> {
    let now = tx.now();
    let sql =
        Sql::new("DELETE FROM one_time_tokens WHERE expires_at < ").bind(now - TimeDelta::days(1));
    let secrets = tx.execute(sql).await?;
    let long_ago = now - TimeDelta::days(90);
    let sql = Sql::new("DELETE FROM sessions WHERE expires_at < ")
        .bind(long_ago)
        .push(" OR ended_at < ")
        .bind(long_ago);
    Ok(secrets + tx.execute(sql).await?)
}
