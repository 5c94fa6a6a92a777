//! Events as they are read back from the log.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{Epoch, EventCursor, FeedError, Versions};
use crate::{
    base::{
        error::{Error, Result},
        ids::{TenantId, Typed as _},
    },
    db::{AutocommitReader, Db, KnownRow, ReadTx, Sql, SystemReason, journal::EventKind},
};

/// Events that one statement reads.
pub(super) const PAGE: i64 = 200;

/// An event of a tenant.
#[derive(Debug)]
pub struct LoggedEvent {
    /// Its number; a tenant's events are numbered without holes, in the order of their commits.
    pub seq: i64,
    /// What happened.
    pub kind: EventKind,
    /// To what kind of record, for example `opportunity`.
    pub entity: String,
    /// To which one.
    pub id: Uuid,
    /// The record's version after it.
    pub version: i32,
    /// The columns that changed.
    pub changed: Vec<String>,
    /// The old values of columns, where they are known.
    pub before: KnownRow,
    /// The record after it; of a deleted one, as it was last.
    pub record: KnownRow,
    /// Who could see the record before; `None` when it did not exist.
    pub visible_before: Option<String>,
    /// Who can see it after; `None` when it is gone.
    pub visible_after: Option<String>,
    /// The author, as [`crate::access::Author`] is written.
    pub actor: String,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// The trace of the request that made it, as a `traceparent` header names it, if it was recorded.
    pub trace: Option<String>,
}

impl LoggedEvent {
    /// The record as it was before, as far as it is known.
    #[must_use]
    pub fn record_before(&self) -> KnownRow {
        let mut row = self.record.clone();
        for column in &self.changed {
            row.remove(column);
        }
        row.extend(self.before.clone());
        row
    }
}

#[derive(sqlx::FromRow)]
struct EventRow {
    seq: i64,
    kind: String,
    entity: String,
    entity_id: Uuid,
    version: i32,
    changed: Vec<String>,
    before: Option<Json>,
    record: Option<Json>,
    visible_before: Option<String>,
    visible_after: Option<String>,
    actor: String,
    occurred_at: DateTime<Utc>,
    trace: Option<String>,
}

impl From<EventRow> for LoggedEvent {
    fn from(row: EventRow) -> Self {
        Self {
            seq: row.seq,
            kind: EventKind::read(&row.kind),
            entity: row.entity,
            id: row.entity_id,
            version: row.version,
            changed: row.changed,
            before: object(row.before),
            record: object(row.record),
            visible_before: row.visible_before,
            visible_after: row.visible_after,
            actor: row.actor,
            occurred_at: row.occurred_at,
            trace: row.trace,
        }
    }
}

fn object(json: Option<Json>) -> Map<String, Json> {
    match json {
        Some(Json::Object(map)) => map,
        _ => Map::new(),
    }
}

/// Reads the events after a number, a page of them.
pub(super) async fn read(db: &Db, tenant: TenantId, after: i64) -> Result<Vec<Arc<LoggedEvent>>> {
    let sql = Sql::new(
        "SELECT e.seq, e.kind, e.entity, e.entity_id, e.version, e.changed, e.before, e.record, e.visible_before, \
         e.visible_after, e.actor, e.occurred_at, e.trace FROM events e WHERE e.tenant_id = ",
    )
    .bind(tenant)
    .push(" AND e.seq > ")
    .bind(after)
    .push(" ORDER BY e.seq LIMIT ")
    .bind(PAGE);
    let mut tx = db.system(SystemReason::Events).await?;
    let rows = tx.all::<EventRow>(sql).await?;
    Ok(rows.into_iter().map(|row| Arc::new(row.into())).collect())
}

/// Reads the events after a number for what follows the log by itself, a page of them; `known` is how far the log is at
/// least.
///
/// # Errors
/// [`FeedError::Lost`] when some of them are not kept any more; the database.
pub async fn after(
    db: &Db,
    tenant: TenantId,
    seq: i64,
    known: i64,
) -> Result<Vec<Arc<LoggedEvent>>, FeedError> {
    let events = read(db, tenant, seq).await?;
    let is_whole = events
        .iter()
        .zip(seq + 1..)
        .all(|(event, number)| event.seq == number);
    match is_whole && (known <= seq || !events.is_empty()) {
        true => Ok(events),
        false => Err(FeedError::Lost),
    }
}

/// The end of a tenant's log, and its history.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct LogHead {
    pub(super) tenant_id: TenantId,
    pub(super) last_seq: i64,
    pub(super) epoch: Epoch,
}

/// Reads the ends of tenants' logs, in one statement.
pub(super) async fn heads(db: &Db, tenants: Vec<TenantId>) -> Result<Vec<LogHead>> {
    let sql = Sql::new(
        "SELECT s.tenant_id, s.last_seq, app.epoch(s.epoch) AS epoch FROM tenant_seq s WHERE s.tenant_id = ANY(",
    )
    .bind(tenants)
    .push(")");
    let mut tx = db.system(SystemReason::Events).await?;
    tx.all(sql).await
}

#[derive(sqlx::FromRow)]
struct VersionRow {
    tenant_id: TenantId,
    last_seq: i64,
    epoch: Epoch,
    changed: Json,
}

/// Reads the versions of tenants' data, in one statement.
pub(super) async fn versions(
    reader: &mut AutocommitReader,
    tenants: &[TenantId],
) -> Result<HashMap<TenantId, Arc<Versions>>> {
    let ids: Vec<Uuid> = tenants.iter().map(|tenant| tenant.uuid()).collect();
    let sql = Sql::new(
        "SELECT s.tenant_id, s.last_seq, app.epoch(s.epoch) AS epoch, s.changed FROM tenant_seq s WHERE s.tenant_id",
    )
    .one_of(&ids);
    let rows = reader.all::<VersionRow>(sql).await?;
    let versions = rows.into_iter().map(|row| {
        let versions = Versions::new(row.epoch, row.last_seq, object(Some(row.changed)));
        (row.tenant_id, Arc::new(versions))
    });
    Ok(versions.collect())
}

/// Makes partitions for the days to come and drops events that are older than so many days.
pub(super) async fn keep(db: &Db, days: u16) -> Result<()> {
    let mut tx = db.system(SystemReason::Events).await?;
    let sql = Sql::new("SELECT app.keep_events(").bind(i32::from(days));
    let dropped: Vec<i32> = tx.column(sql.push(")")).await?;
    tx.commit().await?;
    if let Some(dropped @ 1..) = dropped.first() {
        tracing::info!(days = dropped, "old events were dropped");
    }
    Ok(())
}

/// The position of a transaction's snapshot in the log.
///
/// # Errors
/// The database.
pub async fn here(tx: &mut ReadTx) -> Result<EventCursor> {
    let sql = Sql::new(
        "SELECT t.tenant_id, t.last_seq, app.epoch(t.epoch) AS epoch FROM tenant_seq t WHERE t.tenant_id = ",
    );
    let tenant = tx.tenant();
    let head = tx.optional::<LogHead>(sql.bind(tenant)).await?;
    let head = head.ok_or(Error::Unavailable("the event log"))?;
    Ok(EventCursor {
        epoch: head.epoch,
        seq: head.last_seq,
    })
}
