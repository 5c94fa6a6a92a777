//! The SQL of signing keys.

use chrono::{DateTime, Utc};

use crate::{
    base::error::Result,
    db::{Sql, SystemTx},
};

/// The advisory lock for adding or ending keys; any number that nothing else uses.
const LOCK: i64 = 0x6b65_7973;

/// A key that is about to get a row.
pub(super) struct NewKey {
    pub(super) kid: String,
    pub(super) public_key: Vec<u8>,
    pub(super) private_key: Vec<u8>,
}

/// A row.
#[derive(sqlx::FromRow)]
pub(super) struct StoredKey {
    pub(super) kid: String,
    pub(super) public_key: Vec<u8>,
    pub(super) private_key: Vec<u8>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) signs_from: DateTime<Utc>,
    pub(super) checks_until: Option<DateTime<Utc>>,
}

/// The keys that are of use after an instant, in the order in which they sign.
pub(super) async fn in_use(tx: &mut SystemTx, after: DateTime<Utc>) -> Result<Vec<StoredKey>> {
    let sql = Sql::new(
        "SELECT kid, public_key, private_key, created_at, signs_from, checks_until FROM signing_keys \
         WHERE checks_until IS NULL OR checks_until > ",
    )
    .bind(after);
    tx.all(sql.push(" ORDER BY signs_from, kid")).await
}

/// Serialises changes of keys.
pub(super) async fn lock(tx: &mut SystemTx) -> Result<()> {
    tx.execute(
        Sql::new("SELECT pg_advisory_xact_lock(")
            .bind(LOCK)
            .push(")"),
    )
    .await?;
    Ok(())
}

pub(super) async fn insert(
    tx: &mut SystemTx,
    key: &NewKey,
    signs_from: DateTime<Utc>,
) -> Result<()> {
    let now = tx.now();
    let sql = Sql::new(
        "INSERT INTO signing_keys (kid, public_key, private_key, created_at, signs_from) VALUES ",
    )
    .row(|mut row| {
        row.bind(key.kid.clone())
            .bind(key.public_key.clone())
            .bind(key.private_key.clone())
            .bind(now)
            .bind(signs_from);
    });
    tx.execute(sql).await?;
    Ok(())
}

/// Sets an end to all keys that have none, but one.
pub(super) async fn end_others(
    tx: &mut SystemTx,
    kept: &str,
    checks_until: DateTime<Utc>,
) -> Result<()> {
    let sql = Sql::new("UPDATE signing_keys SET checks_until = ")
        .bind(checks_until)
        .push(" WHERE checks_until IS NULL AND kid <> ")
        .bind(kept.to_owned());
    tx.execute(sql).await?;
    Ok(())
}

/// Ends one key that is in use; false if there was none.
pub(super) async fn end(tx: &mut SystemTx, kid: &str, at: DateTime<Utc>) -> Result<bool> {
    let sql = Sql::new("UPDATE signing_keys SET checks_until = ")
        .bind(at)
        .push(" WHERE kid = ")
        .bind(kid.to_owned())
        .push(" AND (checks_until IS NULL OR checks_until > ")
        .bind(at);
    Ok(tx.execute(sql.push(")")).await? > 0)
}

/// Removes the keys that ended before an instant.
pub(super) async fn forget(tx: &mut SystemTx, before: DateTime<Utc>) -> Result<()> {
    tx.execute(Sql::new("DELETE FROM signing_keys WHERE checks_until < ").bind(before))
        .await?;
    Ok(())
}
