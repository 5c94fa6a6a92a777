//! Counting lists.

use std::collections::HashMap;

use uuid::Uuid;

use super::{
    Count, EXACT_COUNT_UP_TO, ListQuery, Record, Relation,
    statement::{push_filter, push_related},
};
use crate::{
    db::{Sql, Tx, masked::refuse_hidden},
    error::Result,
};

/// What the planner takes the row scope's policy to let through, `strpos(..) > 0 OR strpos(..) > 0`, knowing nothing:
/// a third for each. Who sees all rows is let through everywhere.
const SCOPE_SELECTIVITY: f64 = 1.0 - (1.0 - 1.0 / 3.0) * (1.0 - 1.0 / 3.0);

/// Counts a list.
///
/// # Errors
/// As [`page`].
pub async fn count<R: Record>(tx: &mut Tx, query: &ListQuery<R>) -> Result<Count> {
    refuse_hidden(&tx.actor().rights, query)?;
    let matching = |tx: &Tx, head: &'static str| {
        let mut sql = Sql::new(head).push(R::TABLE).push(" t WHERE ");
        push_filter(&mut sql, tx, query);
        sql
    };
    let capped = matching(tx, "SELECT count(*) FROM (SELECT FROM ")
        .push(" LIMIT ")
        .bind(EXACT_COUNT_UP_TO + 1)
        .push(") c");
    let value = tx
        .column::<i64>(capped)
        .await?
        .first()
        .copied()
        .unwrap_or(0);
    if value <= EXACT_COUNT_UP_TO {
        return Ok(Count {
            value,
            estimated: false,
        });
    }
    let explain = matching(tx, "EXPLAIN (FORMAT JSON) SELECT FROM ");
    let plan = tx.column::<serde_json::Value>(explain).await?;
    let planned = plan
        .first()
        .and_then(|plan| plan.pointer("/0/Plan/Plan Rows")?.as_f64())
        .unwrap_or(0.0);
    let estimate = if tx.actor().sees(R::TABLE) == "|" {
        planned / SCOPE_SELECTIVITY
    } else {
        planned
    };
    Ok(Count {
        value: (estimate as i64).max(value),
        estimated: true,
    })
}

/// Counts the list of each parent, in one statement.
///
/// # Errors
/// As [`page`].
pub async fn counts<R: Record>(
    tx: &mut Tx,
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
    let count = |n: i64| Count {
        value: n.min(EXACT_COUNT_UP_TO),
        estimated: n > EXACT_COUNT_UP_TO,
    };
    Ok(rows
        .into_iter()
        .filter_map(|(parent, n)| Some((parent?, count(n))))
        .collect())
}
