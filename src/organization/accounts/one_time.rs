//! One-time secrets with an expiry and one purpose: mailed links, and the steps of a sign-in.

use chrono::TimeDelta;
use serde_json::Value as Json;

use crate::{
    base::{error::Result, ids::UserId, secret},
    db::{Sql, SystemTx},
};

/// What they begin with, so that a scanner finds one in a log.
const PREFIX: &str = "dgo_";

/// What a secret is for; it works for nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SecretPurpose {
    /// Finishes a registration.
    Register,
    /// Shows that an address is the person's.
    VerifyEmail,
    /// Sets a new password.
    ResetPassword,
    /// Continues a sign-in with the second factor.
    SecondFactor,
    /// Binds the return from a provider to the sign-in that began it.
    ProviderSignIn,
}

/// What was stored with a secret.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Taken {
    /// Whose it is, if it is known already.
    #[sqlx(rename = "user_id")]
    pub user: Option<UserId>,
    /// The data that it was issued with.
    pub data: Json,
}

/// Makes a secret; only its hash is stored.
///
/// # Errors
/// The database.
pub async fn issue(
    tx: &mut SystemTx,
    purpose: SecretPurpose,
    user: Option<UserId>,
    data: Json,
    ttl: TimeDelta,
) -> Result<String> {
    let (token, now) = (secret::token(PREFIX), tx.now());
    let sql = Sql::new(
        "INSERT INTO one_time_tokens (token_hash, purpose, user_id, data, created_at, expires_at) VALUES ",
    )
    .row(|mut row| {
        row.bind(secret::hash(&token))
            .bind(purpose)
            .bind(user)
            .bind(data)
            .bind(now)
            .bind(now + ttl);
    });
    tx.execute(sql).await?;
    Ok(token)
}

/// Uses a secret up. Of two concurrent requests one gets it.
///
/// # Errors
/// The database.
pub async fn take(tx: &mut SystemTx, purpose: SecretPurpose, token: &str) -> Result<Option<Taken>> {
    let now = tx.now();
    let sql = Sql::new("UPDATE one_time_tokens SET used_at = ")
        .bind(now)
        .push(" WHERE used_at IS NULL AND expires_at > ")
        .bind(now)
        .push(" AND purpose = ")
        .bind(purpose)
        .push(" AND token_hash = ")
        .bind(secret::hash(token))
        .push(" RETURNING user_id, data");
    tx.optional(sql).await
}

/// Counts a try with a secret that stays valid until it is taken; after `most` tries it is invalid. The caller commits
/// before it judges the try, or the count is lost.
///
/// # Errors
/// The database.
pub async fn attempt(
    tx: &mut SystemTx,
    purpose: SecretPurpose,
    token: &str,
    most: i32,
) -> Result<Option<Taken>> {
    let now = tx.now();
    let sql = Sql::new(
        "UPDATE one_time_tokens SET attempts = attempts + 1 WHERE used_at IS NULL AND attempts < ",
    )
    .bind(most)
    .push(" AND expires_at > ")
    .bind(now)
    .push(" AND purpose = ")
    .bind(purpose)
    .push(" AND token_hash = ")
    .bind(secret::hash(token))
    .push(" RETURNING user_id, data");
    tx.optional(sql).await
}

/// Looks at a secret without using it.
///
/// # Errors
/// The database.
pub async fn peek(tx: &mut SystemTx, purpose: SecretPurpose, token: &str) -> Result<Option<Taken>> {
    let now = tx.now();
    let sql = Sql::new(
        "SELECT user_id, data FROM one_time_tokens WHERE used_at IS NULL AND expires_at > ",
    )
    .bind(now)
    .push(" AND purpose = ")
    .bind(purpose)
    .push(" AND token_hash = ")
    .bind(secret::hash(token));
    tx.optional(sql).await
}

/// Revokes all of a person's secrets of a purpose.
///
/// # Errors
/// The database.
pub async fn revoke(tx: &mut SystemTx, purpose: SecretPurpose, user: UserId) -> Result<()> {
    let sql = Sql::new("DELETE FROM one_time_tokens WHERE user_id = ")
        .bind(user)
        .push(" AND purpose = ")
        .bind(purpose);
    tx.execute(sql).await?;
    Ok(())
}
