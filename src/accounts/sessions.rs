//! Sessions: one per signed-in device, each a family of refresh tokens of which the last one is good.

use chrono::{DateTime, TimeDelta, Utc};

use super::Place;
use crate::{
    audit::Origin,
    auth::{IssuedToken, Tokens, secret},
    db::{Sql, SystemTx},
    error::{Error, Result},
    ids::{SessionId, TenantId, UserId},
};

/// What refresh tokens begin with.
const PREFIX: &str = "dgr_";

/// A session to be opened. It gets an id and secrets of its own; nothing of it comes from the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// Whose.
    pub user: UserId,
    /// The tenant that its access tokens are for.
    pub tenant: TenantId,
    /// Whether a second factor was shown.
    pub second_factor: bool,
    /// The outside provider it came through, if it did.
    pub provider: Option<String>,
}

/// An open session, with what its client needs.
#[derive(Debug, Clone)]
pub struct OpenedSession {
    /// Which one.
    pub session: SessionId,
    /// Whose.
    pub user: UserId,
    /// The tenant that the access token is for.
    pub tenant: TenantId,
    /// What requests are sent with.
    pub access: IssuedToken,
    /// What the next access token is got with, and until when; none when the client keeps the one it has.
    pub refresh: Option<(String, DateTime<Utc>)>,
    /// All tenants the person can be in.
    pub places: Vec<Place>,
}

/// Opens a session. Whether the person may be in the tenant is the caller's to know; see [`super::enter`], which
/// knows, and records it.
///
/// # Errors
/// The database.
pub async fn open(
    tx: &mut SystemTx,
    new: NewSession,
    origin: &Origin,
    tokens: &Tokens,
    ttl: TimeDelta,
) -> Result<OpenedSession> {
    let (session, now) = (SessionId::new(), tx.now());
    let expires_at = now + ttl;
    let sql = Sql::new(
        "INSERT INTO sessions (session_id, user_id, tenant_id, second_factor, provider, address, user_agent, \
         created_at, last_used_at, expires_at) VALUES ",
    )
    .row(|mut row| {
        row.bind(session)
            .bind(new.user)
            .bind(new.tenant)
            .bind(new.second_factor)
            .bind(new.provider)
            .bind(origin.address.map(|address| address.to_string()))
            .bind(origin.user_agent.clone())
            .bind(now)
            .bind(now)
            .bind(expires_at);
    });
    tx.execute(sql).await?;
    let refresh_token = add_token(tx, session, (1, 0)).await?;
    let access = tokens
        .issue_for(session, new.user, new.tenant)
        .map_err(Error::internal)?;
    Ok(OpenedSession {
        session,
        user: new.user,
        tenant: new.tenant,
        access,
        refresh: Some((refresh_token, expires_at)),
        places: super::store::places(tx, new.user).await?,
    })
}

/// Adds a refresh token to a family: its number, and the number of the one that it was got with.
pub(super) async fn add_token(
    tx: &mut SystemTx,
    session: SessionId,
    (generation, parent): (i32, i32),
) -> Result<String> {
    let (token, now) = (secret::token(PREFIX), tx.now());
    let sql = Sql::new(
        "INSERT INTO refresh_tokens (token_hash, session_id, generation, parent, issued_at) VALUES ",
    )
    .row(|mut row| {
        row.bind(secret::hash(&token))
            .bind(session)
            .bind(generation)
            .bind(parent)
            .bind(now);
    });
    tx.execute(sql).await?;
    Ok(token)
}
