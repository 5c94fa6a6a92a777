//! Counting lists, up to a bound. Nothing here may follow from what the planner expects: its statistics are of all
//! tenants' rows together, and a guess from them tells of rows that the reader has no right to know of.

use std::collections::HashMap;

use uuid::Uuid;

use super::{
    Count, EXACT_COUNT_UP_TO, ListQuery, Record, Relation,
    statement::{push_filter, push_related},
};
use crate::{
    base::error::Result,
    db::{ReadTx, Sql, masked::refuse_hidden},
};

/// Counts a list.
///
/// # Errors
/// As [`page`].
pub async fn count<R: Record>(tx: &mut ReadTx, query: &ListQuery<R>) -> Result<Count> {
    refuse_hidden(&tx.actor().rights, query)?;
    let mut sql = Sql::new("SELECT count(*) FROM (SELECT FROM ")
        .push(R::TABLE)
        .push(" t WHERE ");
    push_filter(&mut sql, tx, query);
    sql = sql.push(" LIMIT ").bind(EXACT_COUNT_UP_TO + 1).push(") c");
    let counted = tx.column::<i64>(sql).await?;
    Ok(Count::of(counted.first().copied().unwrap_or(0)))
}

/// Counts the list of each parent, in one statement.
///
/// # Errors
/// As [`page`].
pub async fn counts<R: Record>(
    tx: &mut ReadTx,
    relation: &Relation,
    parents: &[Uuid],
    query: &ListQuery<R>,
) -> Result<HashMap<Uuid, Count>> {
    refuse_hidden(&tx.actor().rights, query)?;
    let mut sql = Sql::new("SELECT k.key, c.n FROM ")
        .keys(parents)
        .push(" CROSS JOIN LATERAL (SELECT count(*) AS n FROM (SELECT");
    push_related::<R>(&mut sql, tx, relation);
    sql = sql.push(" AND ");
    push_filter(&mut sql, tx, query);
    sql = sql
        .push(" LIMIT ")
        .bind(EXACT_COUNT_UP_TO + 1)
        .push(") r) c");
    // What fills up the keys is counted as well, for nobody.
    let rows = tx.all::<(Option<Uuid>, i64)>(sql).await?;
    Ok(rows
        .into_iter()
        .filter_map(|(parent, n)| Some((parent?, Count::of(n))))
        .collect())
}
