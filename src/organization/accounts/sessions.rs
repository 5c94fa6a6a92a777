//! Sessions: one per signed-in device, each a family of refresh tokens of which the last one is valid.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    Accounts, Entering, JoinedTenant, TenantChoice,
    one_time::{self, SecretPurpose},
    refresh::StoredToken,
};
use crate::{
    access::Oneself,
    base::{
        error::{Error, Result},
        ids::{SessionId, TenantId, Typed as _, UserId},
        secret,
    },
    db::{
        Sql, SystemTx,
        journal::{Entry, Origin, Whom},
    },
    organization::auth::{AccessChange, IssuedToken, Tokens, publish_access_change},
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
    /// Whether it is good for all of the account.
    pub account: bool,
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
    /// The refresh token, and until when; none when the client keeps the one it has.
    pub refresh: Option<(String, DateTime<Utc>)>,
    /// All tenants the person can be in.
    pub tenants: Vec<JoinedTenant>,
}

/// Opens a session. The caller has checked that the person may enter the tenant; see [`super::enter`], which checks and
/// records it.
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
        "INSERT INTO sessions (session_id, user_id, tenant_id, second_factor, account, provider, address, user_agent, \
         created_at, last_used_at, expires_at) VALUES ",
    )
    .row(|mut row| {
        row.bind(session)
            .bind(new.user)
            .bind(new.tenant)
            .bind(new.second_factor)
            .bind(new.account)
            .bind(new.provider)
            .bind(origin.address.map(|address| address.to_string()))
            .bind(origin.user_agent.clone())
            .bind(now)
            .bind(now)
            .bind(expires_at);
    });
    tx.execute(sql).await?;
    let refresh_token = add_token(tx, session, 1, 0).await?;
    let access = tokens
        .issue_for(session, new.user, new.tenant)
        .map_err(Error::internal)?;
    Ok(OpenedSession {
        session,
        user: new.user,
        tenant: new.tenant,
        access,
        refresh: Some((refresh_token, expires_at)),
        tenants: super::store::joined_tenants(tx, new.user).await?,
    })
}

/// Adds a refresh token to a family: its number is its generation, and its parent's that of the one it was issued for.
pub(super) async fn add_token(
    tx: &mut SystemTx,
    session: SessionId,
    generation: i32,
    parent: i32,
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

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Ended {
    /// The person signed out.
    SignedOut,
    /// The person ended it from elsewhere.
    Revoked,
    /// The password changed.
    PasswordChanged,
    /// An old refresh token came back.
    Stolen,
    /// The person may not be in the tenant any more.
    NoAccess,
    /// The tenant wants a second factor that was not shown.
    SecondFactorRequired,
    /// The tenant wants another way of signing in.
    ProviderRequired,
    /// The platform's operator closed the account, or took its second factor away.
    Operator,
}

impl Ended {
    fn word(self) -> &'static str {
        match self {
            Self::SignedOut => "SIGNED_OUT",
            Self::Revoked => "REVOKED",
            Self::PasswordChanged => "PASSWORD_CHANGED",
            Self::Stolen => "STOLEN",
            Self::NoAccess => "NO_ACCESS",
            Self::SecondFactorRequired => "SECOND_FACTOR_REQUIRED",
            Self::ProviderRequired => "PROVIDER_REQUIRED",
            Self::Operator => "OPERATOR",
        }
    }
}

/// A session, locked until the transaction ends.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Family {
    #[sqlx(rename = "session_id")]
    pub(super) session: SessionId,
    #[sqlx(rename = "user_id")]
    pub(super) user: UserId,
    #[sqlx(rename = "tenant_id")]
    pub(super) tenant: TenantId,
    /// The other tenants that access tokens were issued for.
    beside: Vec<Uuid>,
    pub(super) second_factor: bool,
    pub(super) account: bool,
    pub(super) provider: Option<String>,
    pub(super) expires_at: DateTime<Utc>,
    pub(super) ended_at: Option<DateTime<Utc>>,
}

impl Family {
    pub(super) fn is_open(&self, now: DateTime<Utc>) -> bool {
        self.ended_at.is_none() && self.expires_at > now
    }

    /// All tenants that it is in.
    pub(super) fn tenants(&self) -> Vec<TenantId> {
        let beside = self.beside.iter().copied().map(TenantId::from_uuid);
        std::iter::once(self.tenant).chain(beside).collect()
    }

    /// The person as they would enter one of the session's tenants again.
    pub(super) fn entering(&self, tenant: TenantChoice) -> Entering {
        Entering {
            user: self.user,
            tenant,
            second_factor: self.second_factor,
            provider: self.provider.clone(),
            resumed: true,
        }
    }
}

/// One's own session in a list of them.
#[derive(Debug, Clone, sqlx::FromRow)]
#[expect(missing_docs, reason = "the names say it; the schema describes each")]
pub struct Device {
    #[sqlx(rename = "session_id")]
    pub session: SessionId,
    pub provider: Option<String>,
    pub address: Option<String>,
    pub user_agent: Option<String>,
    pub created_at: DateTime<Utc>,
    pub last_used_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// What is read of a session that is locked.
const FAMILY: &str = "SELECT session_id, user_id, tenant_id, beside, second_factor, account, provider, expires_at, \
    ended_at FROM sessions WHERE session_id = ";

/// Locks the session that a refresh token is of.
pub(super) async fn lock_by_token(tx: &mut SystemTx, hash: &[u8]) -> Result<Option<Family>> {
    let sql = Sql::new(FAMILY)
        .push("(SELECT session_id FROM refresh_tokens WHERE token_hash = ")
        .bind(hash.to_vec())
        .push(") FOR UPDATE");
    tx.optional(sql).await
}

/// Locks a session of a person.
pub(super) async fn lock(
    tx: &mut SystemTx,
    user: UserId,
    session: SessionId,
) -> Result<Option<Family>> {
    let sql = Sql::new(FAMILY)
        .bind(session)
        .push(" AND user_id = ")
        .bind(user)
        .push(" FOR UPDATE");
    tx.optional(sql).await
}

/// How a session that is open and good for all of the account was opened: whether with a second factor, and through
/// which provider.
///
/// # Errors
/// The database.
pub async fn strength(
    tx: &mut SystemTx,
    user: UserId,
    session: SessionId,
) -> Result<Option<(bool, Option<String>)>> {
    let family = lock(tx, user, session).await?;
    let family = family.filter(|family| family.is_open(tx.now()) && family.account);
    Ok(family.map(|family| (family.second_factor, family.provider)))
}

/// A refresh token, and the last one of its family. Read after the family was locked, so that it is the last one.
pub(super) async fn tokens(
    tx: &mut SystemTx,
    session: SessionId,
    hash: &[u8],
) -> Result<Option<(StoredToken, StoredToken)>> {
    let sql =
        Sql::new("SELECT generation, parent, used_at FROM refresh_tokens WHERE token_hash = ")
            .bind(hash.to_vec())
            .push(" AND session_id = ")
            .bind(session);
    let presented = tx.optional(sql).await?;
    let sql =
        Sql::new("SELECT generation, parent, used_at FROM refresh_tokens WHERE session_id = ")
            .bind(session)
            .push(" ORDER BY generation DESC LIMIT 1");
    Ok(presented.zip(tx.optional(sql).await?))
}

/// Marks a refresh token as used up.
pub(super) async fn use_token(
    tx: &mut SystemTx,
    session: SessionId,
    generation: i32,
) -> Result<()> {
    let sql = Sql::new("UPDATE refresh_tokens SET used_at = ")
        .bind(tx.now())
        .push(" WHERE session_id = ")
        .bind(session)
        .push(" AND generation = ")
        .bind(generation);
    tx.execute(sql).await?;
    Ok(())
}

/// Removes the tokens of old generations.
pub(super) async fn forget_tokens(tx: &mut SystemTx, session: SessionId, up_to: i32) -> Result<()> {
    if up_to <= 0 {
        return Ok(());
    }
    let sql = Sql::new("DELETE FROM refresh_tokens WHERE session_id = ")
        .bind(session)
        .push(" AND generation <= ")
        .bind(up_to);
    tx.execute(sql).await?;
    Ok(())
}

/// Notes that a session was used, and from where.
pub(super) async fn touch(tx: &mut SystemTx, session: SessionId, origin: &Origin) -> Result<()> {
    let sql = Sql::new("UPDATE sessions SET last_used_at = ")
        .bind(tx.now())
        .push(", address = ")
        .bind(origin.address.map(|address| address.to_string()))
        .push(", user_agent = ")
        .bind(origin.user_agent.clone())
        .push(" WHERE session_id = ")
        .bind(session);
    tx.execute(sql).await?;
    Ok(())
}

/// Moves a session from one of its tenants into another, and ends the access tokens for the first. The tenants of other
/// tabs stay.
pub(super) async fn move_to(
    tx: &mut SystemTx,
    family: &Family,
    (from, to): (TenantId, TenantId),
) -> Result<()> {
    let beside = family.tenants().into_iter();
    let beside = beside.filter(|tenant| *tenant != from && *tenant != to);
    set_tenants(tx, family.session, to, beside).await?;
    publish_access_change(tx, AccessChange::Session(family.session)).await
}

/// Adds a tenant to those of a session.
pub(super) async fn add_to(tx: &mut SystemTx, family: &Family, tenant: TenantId) -> Result<()> {
    let mut tenants = family.tenants();
    if tenants.contains(&tenant) {
        return Ok(());
    }
    tenants.push(tenant);
    let beside = tenants.into_iter().skip(1);
    set_tenants(tx, family.session, family.tenant, beside).await?;
    // A server may have cached that the session is not in the tenant.
    publish_access_change(tx, AccessChange::Session(family.session)).await
}

async fn set_tenants(
    tx: &mut SystemTx,
    session: SessionId,
    tenant: TenantId,
    beside: impl Iterator<Item = TenantId>,
) -> Result<()> {
    let beside: Vec<Uuid> = beside.map(TenantId::uuid).collect();
    let sql = Sql::new("UPDATE sessions SET tenant_id = ")
        .bind(tenant)
        .push(", beside = ")
        .bind(beside)
        .push(", last_used_at = ")
        .bind(tx.now())
        .push(" WHERE session_id = ")
        .bind(session);
    tx.execute(sql).await?;
    Ok(())
}

/// The open sessions of a person, the last used first.
///
/// # Errors
/// The database.
pub async fn list(tx: &mut SystemTx, user: UserId) -> Result<Vec<Device>> {
    let now = tx.now();
    let sql = Sql::new(
        "SELECT session_id, provider, address, user_agent, created_at, last_used_at, expires_at FROM sessions \
         WHERE ended_at IS NULL AND user_id = ",
    )
    .bind(user)
    .push(" AND expires_at > ")
    .bind(now)
    .push(" ORDER BY last_used_at DESC, session_id LIMIT 200");
    tx.all(sql).await
}

/// Ends a session.
pub(super) async fn end(tx: &mut SystemTx, session: SessionId, because: Ended) -> Result<()> {
    let sql = Sql::new("UPDATE sessions SET ended_at = ")
        .bind(tx.now())
        .push(", ended_because = ")
        .bind(because)
        .push(" WHERE ended_at IS NULL AND session_id = ")
        .bind(session);
    tx.execute(sql).await?;
    publish_access_change(tx, AccessChange::Session(session)).await
}

/// Which of a person's sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// This one.
    One(SessionId),
    /// All.
    All,
    /// All but this one.
    Others(SessionId),
}

/// A session that was ended, and the tenants that it was in.
pub type EndedSession = (SessionId, Vec<TenantId>);

/// Ends sessions of a person, notifies all servers in the same transaction, and answers which and where they were. In a
/// transaction of the person's own the policies decide which of them are reached.
///
/// # Errors
/// The database.
pub async fn end_all(
    tx: &mut SystemTx,
    user: UserId,
    which: Which,
    because: Ended,
) -> Result<Vec<EndedSession>> {
    let now = tx.now();
    let sql = Sql::new("UPDATE sessions SET ended_at = ")
        .bind(now)
        .push(", ended_because = ")
        .bind(because)
        .push(" WHERE ended_at IS NULL AND expires_at > ")
        .bind(now)
        .push(" AND user_id = ")
        .bind(user);
    let sql = match which {
        Which::All => sql,
        Which::One(session) => sql.push(" AND session_id = ").bind(session),
        Which::Others(session) => sql.push(" AND session_id <> ").bind(session),
    };
    let sql = sql.push(" RETURNING session_id, array_prepend(tenant_id, beside)");
    let ended: Vec<(SessionId, Vec<Uuid>)> = tx.all(sql).await?;
    for (session, _) in &ended {
        publish_access_change(tx, AccessChange::Session(*session)).await?;
    }
    let named = |ids: Vec<Uuid>| ids.into_iter().map(TenantId::from_uuid).collect();
    let ended = ended.into_iter();
    Ok(ended.map(|(session, ids)| (session, named(ids))).collect())
}

/// Notes for the logs of a session's tenants that it ended.
pub(super) fn note_ended(
    accounts: &Accounts,
    user: UserId,
    (session, tenants): &EndedSession,
    because: Ended,
    origin: &Origin,
) {
    let entry = Entry::new(user, "session.ended")
        .about("session", session.uuid())
        .noting("reason", because.word());
    for tenant in tenants {
        let whom = Whom::Tenant(*tenant);
        accounts.recorder.note(whom, entry.clone(), origin.clone());
    }
}

/// Ends sessions of the caller, and answers how many.
///
/// # Errors
/// The database.
pub async fn end_now(
    accounts: &Accounts,
    oneself: &Oneself,
    which: Which,
    because: Ended,
    origin: &Origin,
) -> Result<usize> {
    let (mut tx, user) = (accounts.db.account(oneself).await?, oneself.user());
    if !matches!(which, Which::One(_)) {
        // A sign-in that waits for its second factor would become a session.
        one_time::revoke(&mut tx, SecretPurpose::SecondFactor, user).await?;
    }
    let ended = end_all(&mut tx, user, which, because).await?;
    tx.commit().await?;
    for ended in &ended {
        note_ended(accounts, user, ended, because, origin);
    }
    Ok(ended.len())
}
