//! Appending to the event log, with numbers that have no holes.

use serde_json::Value as Json;
use uuid::Uuid;

use crate::{
    db::{Sql, Tx},
    error::{Error, Result},
};

/// What happened to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names say it")]
pub enum EventKind {
    Created,
    Updated,
    Moved,
    Won,
    Lost,
    Reopened,
    NextActionCompleted,
    Archived,
    Restored,
    Deleted,
}

/// One thing that happened to one record.
#[derive(Debug, Clone)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// To what kind of record, for example `opportunity`.
    pub entity: &'static str,
    /// To which one.
    pub id: Uuid,
    /// The record's version after it.
    pub version: i32,
    /// The names of the columns that changed.
    pub changed: Vec<String>,
    /// Those columns before, as a JSON object.
    pub before: Option<Json>,
    /// Those columns after.
    pub after: Option<Json>,
    /// Who could see the record before; `None` when it did not exist.
    pub visible_before: Option<String>,
    /// Who can see it now; `None` when it is gone.
    pub visible_after: Option<String>,
}

/// Columns of an event row.
const COLUMNS: usize = 14;

/// Numbers the transaction's events and appends them; returns the last number. Must be the last thing before
/// COMMIT: the counter's row lock then lasts for one flush, and a rollback gives the numbers back, so a tenant's
/// visible events are always 1..n.
pub(crate) async fn append(tx: &mut Tx, request_id: &str) -> Result<Option<i64>> {
    let events = tx.take_events();
    if events.is_empty() {
        return Ok(None);
    }
    let take = Sql::new("UPDATE tenant_seq SET last_seq = last_seq + ")
        .bind(events.len() as i64)
        .push(" WHERE tenant_id = ")
        .bind(tx.tenant())
        .push(" RETURNING last_seq");
    let last = tx.column::<i64>(take).await?.first().copied();
    let last = last.ok_or_else(|| Error::internal("the tenant has no event counter"))?;

    let (tenant, author, now) = (tx.tenant(), tx.author(), tx.now());
    let first = last - events.len() as i64 + 1;
    let mut numbered = events.into_iter().zip(first..).peekable();
    while numbered.peek().is_some() {
        let sql = Sql::new(
            "INSERT INTO events (tenant_id, seq, kind, entity, entity_id, version, changed, before, after, \
             visible_before, visible_after, actor, request_id, occurred_at)",
        );
        let chunk = numbered
            .by_ref()
            .take(crate::db::rows_per_statement(COLUMNS));
        tx.execute(sql.rows(chunk, |mut row, (event, seq)| {
            row.bind(tenant)
                .bind(seq)
                .bind(event.kind)
                .bind(event.entity)
                .bind(event.id)
                .bind(event.version)
                .bind(event.changed)
                .bind(event.before)
                .bind(event.after)
                .bind(event.visible_before)
                .bind(event.visible_after)
                .bind(author.clone())
                .bind(request_id.to_owned())
                .bind(now);
        }))
        .await?;
    }
    Ok(Some(last))
}
