//! How many rows of a kind a tenant may have.

use crate::{
    base::error::{Error, Result},
    db::{Sql, Tx, list::Record},
};

/// How many rows of a kind a tenant may have.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// The column of the tenant that says it.
    pub column: &'static str,
    /// Which rows (alias `r`) count, as ` AND …`; empty for all of them.
    pub counted: &'static str,
    /// What they are called in the message.
    pub what: &'static str,
}

/// Refuses another row of a kind that the tenant has a quota for, once it is reached. Concurrent transactions wait for one another, so that together they don't exceed it
/// either.
///
/// # Errors
/// `QUOTA_EXCEEDED`.
pub async fn require_room<R: Record>(tx: &mut Tx, quota: Quota) -> Result<()> {
    let Quota {
        column,
        counted,
        what,
    } = quota;
    // Not a lock of the tenant's row: that is an admin's to change, and every insert of the tenant's refers to it.
    let key = format!("{column} {}", tx.tenant());
    let sql = Sql::new("SELECT pg_advisory_xact_lock(hashtextextended(").bind(key);
    tx.execute(sql.push(", 0))")).await?;
    let sql = Sql::new("SELECT t.")
        .push(column)
        .push("::bigint, (SELECT count(*) FROM ")
        .push(R::TABLE)
        .push(" r WHERE r.tenant_id = ")
        .bind(tx.tenant())
        .push(counted)
        .push(") FROM tenants t WHERE t.tenant_id = ")
        .bind(tx.tenant());
    let (limit, held) = tx.optional::<(i64, i64)>(sql).await?.unwrap_or_default();
    match held < limit {
        true => Ok(()),
        false => Err(Error::Quota { what, limit }),
    }
}

/// Refuses another row of a kind of which no tenant may have so many.
///
/// # Errors
/// `QUOTA_EXCEEDED`.
pub async fn require_fewer<R: Record>(tx: &mut Tx, most: i64, what: &'static str) -> Result<()> {
    let key = format!("{} {}", R::TABLE, tx.tenant());
    let sql = Sql::new("SELECT pg_advisory_xact_lock(hashtextextended(").bind(key);
    tx.execute(sql.push(", 0))")).await?;
    let sql = Sql::new("SELECT count(*) FROM ")
        .push(R::TABLE)
        .push(" r WHERE r.tenant_id = ")
        .bind(tx.tenant());
    let held = tx.column::<i64>(sql).await?.pop().unwrap_or_default();
    match held < most {
        true => Ok(()),
        false => Err(Error::Quota { what, limit: most }),
    }
}
