//! Reading what the database has, past all policies: for judging.

use serde_json::Value as Json;
use sqlx::{AssertSqlSafe, FromRow, PgConnection};
use uuid::Uuid;

use super::{
    history::{Entry, Event, Stored},
    kind::Kind,
    sight::Row,
};
use crate::Outcome;

/// Events that are read at a time.
const PAGE: i64 = 2_000;
const EVENTS: &str = "SELECT seq, kind, entity, entity_id, version, changed, before::text, record::text, \
    visible_before, visible_after, request_id FROM events WHERE tenant_id = $1 AND seq > $2 ORDER BY seq LIMIT $3";

#[derive(FromRow)]
struct Logged {
    seq: i64,
    kind: String,
    entity: String,
    entity_id: Uuid,
    version: i32,
    changed: Vec<String>,
    before: Option<String>,
    record: Option<String>,
    visible_before: Option<String>,
    visible_after: Option<String>,
    request_id: String,
}

impl Logged {
    fn event(self) -> Outcome<Event> {
        let row = |text: Option<String>| -> Outcome<Option<Row>> {
            let json = text
                .map(|text| serde_json::from_str::<Json>(&text))
                .transpose()?;
            Ok(json.and_then(|json| json.as_object().cloned()))
        };
        Ok(Event {
            seq: self.seq,
            kind: Kind::read(&self.entity),
            id: self.entity_id,
            word: self.kind,
            version: self.version,
            changed: self.changed,
            before: row(self.before)?,
            row: row(self.record)?.unwrap_or_default(),
            visible_before: self.visible_before,
            visible_after: self.visible_after,
            request: self.request_id,
        })
    }
}

/// Reads the events of a tenant after a number, in order.
pub(crate) async fn events(
    database: &mut PgConnection,
    tenant: Uuid,
    after: i64,
    mut take: impl FnMut(&Event),
) -> Outcome<()> {
    let mut after = after;
    loop {
        let page: Vec<Logged> = sqlx::query_as(EVENTS)
            .bind(tenant)
            .bind(after)
            .bind(PAGE)
            .fetch_all(&mut *database)
            .await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = last.seq;
        for logged in page {
            take(&logged.event()?);
        }
    }
}

/// Where a tenant's counter is.
pub(crate) async fn counter(database: &mut PgConnection, tenant: Uuid) -> Outcome<i64> {
    let sql = "SELECT last_seq FROM tenant_seq WHERE tenant_id = $1";
    Ok(sqlx::query_scalar(sql)
        .bind(tenant)
        .fetch_one(database)
        .await?)
}

/// All records of a tenant.
pub(crate) async fn stored(database: &mut PgConnection, tenant: Uuid) -> Outcome<Vec<Stored>> {
    let mut stored = Vec::new();
    for kind in Kind::ALL {
        let (id, mark, table) = (kind.word(), kind.mark(), kind.table());
        let sql = format!(
            "SELECT {id}_id, version, {mark}, visible_to, archived_at IS NOT NULL FROM {table} WHERE tenant_id = $1"
        );
        let rows: Vec<(Uuid, i32, String, String, bool)> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(tenant)
            .fetch_all(&mut *database)
            .await?;
        let row = |(id, version, mark, visible_to, is_archived)| Stored {
            kind,
            id,
            version,
            mark,
            visible_to,
            is_archived,
        };
        stored.extend(rows.into_iter().map(row));
    }
    Ok(stored)
}

/// What is noted of all deliveries to an endpoint.
pub(crate) async fn ledger(
    database: &mut PgConnection,
    tenant: Uuid,
    endpoint: Uuid,
) -> Outcome<Vec<Entry>> {
    let sql = "SELECT 'msg_' || replace(d.webhook_delivery_id::text, '-', ''), d.status, d.attempts::bigint, \
        count(a.attempt), count(*) FILTER (WHERE a.outcome = 'DELIVERED') FROM webhook_deliveries d \
        LEFT JOIN webhook_attempts a USING (tenant_id, webhook_delivery_id) \
        WHERE d.tenant_id = $1 AND d.webhook_endpoint_id = $2 GROUP BY d.tenant_id, d.webhook_delivery_id";
    let rows: Vec<(String, String, i64, i64, i64)> = sqlx::query_as(sql)
        .bind(tenant)
        .bind(endpoint)
        .fetch_all(database)
        .await?;
    let entry = |(id, status, attempts, noted, delivered)| Entry {
        id,
        status,
        attempts,
        noted,
        delivered,
    };
    Ok(rows.into_iter().map(entry).collect())
}

/// Why an endpoint is disabled, if it is.
pub(crate) async fn disabled(
    database: &mut PgConnection,
    tenant: Uuid,
    endpoint: Uuid,
) -> Outcome<Option<String>> {
    let sql = "SELECT disabled_reason FROM webhook_endpoints WHERE tenant_id = $1 AND webhook_endpoint_id = $2";
    Ok(sqlx::query_scalar(sql)
        .bind(tenant)
        .bind(endpoint)
        .fetch_one(database)
        .await?)
}
