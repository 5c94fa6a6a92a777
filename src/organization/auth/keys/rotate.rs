//! Changing keys while servers run; the operator's side.

use chrono::{DateTime, TimeDelta, Utc};

use super::{KeyError, pair, store};
use crate::{
    base::error::Result,
    db::{Db, SystemReason, SystemTx},
    organization::auth::{AccessChange, publish_access_change},
    platform::Vault,
};

/// So much longer for servers whose clocks differ, and for running requests.
const MARGIN: TimeDelta = TimeDelta::minutes(1);
/// Keys that ended are listed for so long.
const LISTED: TimeDelta = TimeDelta::days(30);

/// A key as operators see it.
#[derive(Debug, Clone)]
pub struct KnownKey {
    /// Its id, the `kid` of tokens.
    pub kid: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it signs.
    pub signs_from: DateTime<Utc>,
    /// Until when it checks, if it has an end.
    pub checks_until: Option<DateTime<Utc>>,
    /// What it does now.
    pub state: KeyState,
}

/// What a key does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It is known and does not sign yet.
    Next,
    /// It signs and checks.
    Signing,
    /// It checks only.
    Checking,
    /// Nothing any more.
    Ended,
}

/// Makes a new key that signs after `overlap`, by when all servers know it. The old ones check until the last token
/// that they can have signed has ended, `tokens_last` after that.
///
/// # Errors
/// The database.
pub async fn rotate(
    db: &Db,
    vault: &Vault,
    overlap: TimeDelta,
    tokens_last: TimeDelta,
) -> Result<String> {
    let mut tx = db.system(SystemReason::Keys).await?;
    store::lock(&mut tx).await?;
    let now = tx.now();
    let key = pair::generate(vault)?;
    let signs_from = now + overlap;
    store::insert(&mut tx, &key, signs_from).await?;
    store::end_others(&mut tx, &key.kid, signs_from + tokens_last + MARGIN).await?;
    store::forget(&mut tx, now - LISTED).await?;
    tx.commit().await?;
    Ok(key.kid)
}

/// Ends a key at once: all servers refuse its tokens within a second. When no other key could sign, a new one does, and
/// its id is answered.
///
/// # Errors
/// [`KeyError::Unknown`], or the database.
pub async fn retire(db: &Db, vault: &Vault, kid: &str) -> Result<Option<String>, KeyError> {
    let mut tx = db.system(SystemReason::Keys).await?;
    store::lock(&mut tx).await?;
    let now = tx.now();
    if !store::end(&mut tx, kid, now).await? {
        return Err(KeyError::Unknown(kid.to_owned()));
    }
    let made = replace_if_last(&mut tx, vault).await?;
    publish_access_change(&mut tx, AccessChange::All).await?;
    tx.commit().await?;
    Ok(made)
}

/// A key that is to sign later, or that has an end, can't stand in now.
async fn replace_if_last(tx: &mut SystemTx, vault: &Vault) -> Result<Option<String>> {
    let now = tx.now();
    let left = store::in_use(tx, now).await?;
    if left
        .iter()
        .any(|key| key.checks_until.is_none() && key.signs_from <= now)
    {
        return Ok(None);
    }
    let key = pair::generate(vault)?;
    store::insert(tx, &key, now).await?;
    Ok(Some(key.kid))
}

/// All keys, those that ended lately included, in the order in which they sign.
///
/// # Errors
/// The database.
pub async fn list(db: &Db) -> Result<Vec<KnownKey>> {
    let mut tx = db.system(SystemReason::Keys).await?;
    let now = tx.now();
    let rows = store::in_use(&mut tx, now - LISTED).await?;
    let ended = |key: &store::StoredKey| key.checks_until.is_some_and(|end| end <= now);
    let signing = rows
        .iter()
        .rposition(|key| !ended(key) && key.signs_from <= now);
    let known = rows.iter().enumerate().map(|(at, key)| KnownKey {
        kid: key.kid.clone(),
        created_at: key.created_at,
        signs_from: key.signs_from,
        checks_until: key.checks_until,
        state: match signing {
            _ if ended(key) => KeyState::Ended,
            Some(signing) if signing == at => KeyState::Signing,
            _ if key.signs_from > now => KeyState::Next,
            _ => KeyState::Checking,
        },
    });
    Ok(known.collect())
}
