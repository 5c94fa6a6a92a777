//! Which rows changed lately, of tables whose changes are in no event.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Table;
use crate::{
    base::error::{Error, Result},
    db::{ReadTx, Sql},
};

/// A row with when it changed last, by the database's clock: when the transaction that did it began.
pub type RowChange = (Uuid, DateTime<Utc>);

/// Rows that changed at an instant or later, those that changed first, first; and the database's time.
///
/// # Errors
/// The database.
pub async fn changed(
    tx: &mut ReadTx,
    table: Table,
    since: DateTime<Utc>,
    most: i64,
) -> Result<(DateTime<Utc>, Vec<RowChange>)> {
    let sql = Sql::new(
        "SELECT now(), coalesce(array_agg(c.id ORDER BY c.changed_at, c.id), '{}'), \
         coalesce(array_agg(c.changed_at ORDER BY c.changed_at, c.id), '{}') FROM (SELECT t.",
    )
    .push(table.id_column)
    .push(" AS id, t.changed_at FROM ")
    .push(table.name)
    .push(" t WHERE t.tenant_id = ")
    .bind(tx.tenant())
    .push(" AND t.changed_at >= ")
    .bind(since)
    .push(" ORDER BY t.changed_at, t.")
    .push(table.id_column)
    .push(" LIMIT ")
    .bind(most)
    .push(") c");
    type Found = (DateTime<Utc>, Vec<Uuid>, Vec<DateTime<Utc>>);
    let found = tx.optional::<Found>(sql).await?;
    let (now, ids, times) = found.ok_or(Error::Unavailable("the database"))?;
    Ok((now, ids.into_iter().zip(times).collect()))
}

/// The database's time.
///
/// # Errors
/// The database.
pub async fn now(tx: &mut ReadTx) -> Result<DateTime<Utc>> {
    let now: Vec<DateTime<Utc>> = tx.column(Sql::new("SELECT now()")).await?;
    now.first()
        .copied()
        .ok_or(Error::Unavailable("the database"))
}
