//! The SQL of the second factor. All of it runs as the system: it belongs to a person and to no tenant.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    base::{
        error::Result,
        ids::{SessionId, Typed as _, UserId},
    },
    db::{Sql, SystemTx},
};

/// What a person authenticates with.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Factors {
    pub(super) user_id: UserId,
    pub(super) email: String,
    pub(super) active: bool,
    pub(super) password_hash: Option<String>,
    /// The sealed secret of the app in use.
    pub(super) totp_secret: Option<Vec<u8>>,
    /// The sealed secret of the app that is being set up.
    pub(super) totp_pending: Option<Vec<u8>>,
    pub(super) is_on: bool,
}

pub(super) async fn factors(tx: &mut SystemTx, user: UserId) -> Result<Option<Factors>> {
    let sql = Sql::new(
        "SELECT user_id, email, active, password_hash, totp_secret, totp_pending, \
         totp_confirmed_at IS NOT NULL AS is_on FROM users WHERE user_id = ",
    )
    .bind(user);
    tx.optional(sql).await
}

/// Sealed secrets of apps in use, the latest first.
pub(super) async fn some_sealed(tx: &mut SystemTx, most: i64) -> Result<Vec<(UserId, Vec<u8>)>> {
    let sql = Sql::new(
        "SELECT user_id, totp_secret FROM users WHERE totp_secret IS NOT NULL \
         ORDER BY totp_confirmed_at DESC NULLS LAST LIMIT ",
    )
    .bind(most);
    let sealed: Vec<(Uuid, Vec<u8>)> = tx.all(sql).await?;
    let sealed = sealed.into_iter();
    Ok(sealed
        .map(|(user, secret)| (UserId::from_uuid(user), secret))
        .collect())
}

pub(super) async fn enabled_at(tx: &mut SystemTx, user: UserId) -> Result<Option<DateTime<Utc>>> {
    let sql = Sql::new("SELECT totp_confirmed_at FROM users WHERE user_id = ").bind(user);
    let dates: Vec<Option<DateTime<Utc>>> = tx.column(sql).await?;
    Ok(dates.into_iter().next().flatten())
}

/// Stores the secret of an app that is being set up; the one in use stays as it is.
pub(super) async fn set_pending(tx: &mut SystemTx, user: UserId, sealed: Vec<u8>) -> Result<()> {
    let sql = Sql::new("UPDATE users SET totp_pending = ")
        .bind(sealed)
        .push(" WHERE user_id = ")
        .bind(user);
    tx.execute(sql).await?;
    Ok(())
}

/// Puts the app that was set up into use, if it is still the one whose code was shown. That code is used up thereby.
/// `is_own`: whether it was set up by a person who proved that the account is theirs.
pub(super) async fn turn_on(
    tx: &mut SystemTx,
    user: UserId,
    pending: Vec<u8>,
    step: i64,
    is_own: bool,
) -> Result<bool> {
    let sql = Sql::new(
        "UPDATE users SET totp_secret = totp_pending, totp_pending = NULL, totp_confirmed_at = ",
    )
    .bind(tx.now())
    .push(", totp_last_step = ")
    .bind(step)
    .push(", totp_own = ")
    .bind(is_own)
    .push(" WHERE user_id = ")
    .bind(user)
    .push(" AND totp_pending = ")
    .bind(pending);
    Ok(tx.execute(sql).await? > 0)
}

/// Removes the app and the recovery codes, and that any session showed one: a tenant that begins to require a second
/// factor means one that the person has.
pub(super) async fn turn_off(tx: &mut SystemTx, user: UserId) -> Result<()> {
    let sql = Sql::new(
        "UPDATE users SET totp_secret = NULL, totp_pending = NULL, totp_confirmed_at = NULL, totp_own = false \
         WHERE user_id = ",
    )
    .bind(user);
    tx.execute(sql).await?;
    let sql =
        Sql::new("UPDATE sessions SET second_factor = false WHERE second_factor AND user_id = ")
            .bind(user);
    tx.execute(sql).await?;
    replace_codes(tx, user, Vec::new()).await
}

/// Uses a time step up: afterwards no code of it or an earlier one is valid. Of two concurrent requests with the same code
/// one gets it.
pub(super) async fn take_step(tx: &mut SystemTx, user: UserId, step: i64) -> Result<bool> {
    let sql = Sql::new("UPDATE users SET totp_last_step = ")
        .bind(step)
        .push(" WHERE totp_confirmed_at IS NOT NULL AND user_id = ")
        .bind(user)
        .push(" AND totp_last_step < ")
        .bind(step);
    Ok(tx.execute(sql).await? > 0)
}

pub(super) async fn use_code(tx: &mut SystemTx, user: UserId, hash: Vec<u8>) -> Result<bool> {
    let sql = Sql::new("UPDATE recovery_codes SET used_at = ")
        .bind(tx.now())
        .push(" WHERE used_at IS NULL AND user_id = ")
        .bind(user)
        .push(" AND code_hash = ")
        .bind(hash);
    Ok(tx.execute(sql).await? > 0)
}

pub(super) async fn replace_codes(
    tx: &mut SystemTx,
    user: UserId,
    hashes: Vec<Vec<u8>>,
) -> Result<()> {
    let sql = Sql::new("DELETE FROM recovery_codes WHERE user_id = ").bind(user);
    tx.execute(sql).await?;
    if hashes.is_empty() {
        return Ok(());
    }
    let sql = Sql::new("INSERT INTO recovery_codes (user_id, code_hash)");
    let sql = sql.rows(hashes, |mut row, hash| {
        row.bind(user).bind(hash);
    });
    tx.execute(sql).await?;
    Ok(())
}

pub(super) async fn codes_left(tx: &mut SystemTx, user: UserId) -> Result<i64> {
    let sql = Sql::new("SELECT count(*) FROM recovery_codes WHERE used_at IS NULL AND user_id = ")
        .bind(user);
    Ok(tx.column(sql).await?.first().copied().unwrap_or_default())
}

/// Whether any tenant that the person is a member of requires a second factor.
pub(super) async fn is_required(tx: &mut SystemTx, user: UserId) -> Result<bool> {
    let sql = Sql::new(
        "SELECT t.second_factor_required FROM memberships m JOIN tenants t ON t.tenant_id = m.tenant_id \
         WHERE t.second_factor_required AND m.status = 'ACTIVE' AND m.user_id = ",
    )
    .bind(user)
    .push(" LIMIT 1");
    Ok(!tx.column::<bool>(sql).await?.is_empty())
}

/// The tenants, by their short names, that a person is a member of in any way.
pub(super) async fn tenants(tx: &mut SystemTx, user: UserId) -> Result<Vec<String>> {
    let sql = Sql::new(
        "SELECT t.slug FROM memberships m JOIN tenants t ON t.tenant_id = m.tenant_id WHERE m.user_id = ",
    )
    .bind(user);
    tx.column(sql).await
}

/// Notes that the person of a session has shown a second factor in it.
pub(super) async fn strengthen(tx: &mut SystemTx, session: SessionId) -> Result<()> {
    let sql =
        Sql::new("UPDATE sessions SET second_factor = true WHERE session_id = ").bind(session);
    tx.execute(sql).await?;
    Ok(())
}
