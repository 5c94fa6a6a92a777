//! All SQL of the log of deliveries that people cause.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::model::Attempt;
use crate::{
    base::{
        error::{Error, Result},
        ids::WebhookEndpointId,
    },
    db::{ReadTx, Sql, Tx},
};

/// Deliveries that are sent again at once, at most.
const MOST_RESENT: i64 = 10_000;

/// Attempts that are shown of a delivery.
const MOST_ATTEMPTS: i64 = 30;

const AGAIN: &str = "UPDATE webhook_deliveries SET status = 'PENDING', due_at = now(), tries = 0, ended_at = NULL, \
                     changed_at = now()";

/// Makes these pending again.
pub(super) async fn resend(tx: &mut Tx, ids: &[Uuid]) -> Result<()> {
    let sql = Sql::new(AGAIN)
        .push(" WHERE tenant_id = ")
        .bind(tx.tenant())
        .push(" AND webhook_delivery_id")
        .one_of(ids);
    tx.execute(sql).await?;
    Ok(())
}

/// Makes those pending again that have ended and came about within some time.
pub(super) async fn resend_range(
    tx: &mut Tx,
    endpoint: WebhookEndpointId,
    runs_as: &str,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    only_failed: bool,
) -> Result<u64> {
    let within = |sql: Sql, tx: &Tx| {
        sql.push(" WHERE tenant_id = ")
            .bind(tx.tenant())
            .push(" AND webhook_endpoint_id = ")
            .bind(endpoint)
            .push(" AND created_at >= ")
            .bind(from)
            .push(" AND created_at < ")
            .bind(to)
            .push(" AND runs_as = ")
            .bind(runs_as.to_owned())
            .push(" AND due_at IS NULL AND (status <> 'DELIVERED' OR NOT ")
            .bind(only_failed)
            .push(")")
    };
    let count = Sql::new("SELECT 1 FROM webhook_deliveries");
    let count = within(count, tx).push(" LIMIT ").bind(MOST_RESENT + 1);
    let found: Vec<i32> = tx.column(count).await?;
    if found.len() as i64 > MOST_RESENT {
        let message = format!("that is more than {MOST_RESENT} deliveries, take a shorter time");
        return Err(Error::invalid("TOO_MANY", "to", message));
    }
    let again = within(Sql::new(AGAIN), tx);
    tx.execute(again).await
}

pub(super) async fn insert_ping(
    tx: &mut Tx,
    endpoint: WebhookEndpointId,
    id: Uuid,
    (body, runs_as): (String, String),
) -> Result<()> {
    let now = tx.now();
    let sql = Sql::new(
        "INSERT INTO webhook_deliveries (tenant_id, webhook_delivery_id, webhook_endpoint_id, due_at, body, runs_as, \
         created_at) VALUES (",
    )
    .bind(tx.tenant())
    .push(", ")
    .bind(id)
    .push(", ")
    .bind(endpoint)
    .push(", now(), ")
    .bind(body)
    .push(", ")
    .bind(runs_as)
    .push(", ")
    .bind(now)
    .push(")");
    tx.execute(sql).await?;
    Ok(())
}

/// The last attempts at deliveries, each delivery's latest first.
pub(super) async fn attempts(tx: &mut ReadTx, ids: &[Uuid]) -> Result<HashMap<Uuid, Vec<Attempt>>> {
    let sql = Sql::new("SELECT l.* FROM ")
        .keys(ids)
        .push(
            " CROSS JOIN LATERAL (SELECT a.webhook_delivery_id, a.attempt, a.started_at, a.outcome, a.response_status, \
             a.error_code, a.took_ms, CASE WHEN d.runs_as = app.author() OR app.tenant_for('admin') IS NOT NULL \
             THEN a.response END AS response FROM webhook_attempts a JOIN webhook_deliveries d \
             ON d.tenant_id = a.tenant_id AND d.webhook_delivery_id = a.webhook_delivery_id WHERE a.tenant_id = ",
        )
        .bind(tx.tenant())
        .push(" AND d.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND a.webhook_delivery_id = k.key ORDER BY a.attempt DESC LIMIT ")
        .bind(MOST_ATTEMPTS)
        .push(") l");
    let mut by_delivery: HashMap<Uuid, Vec<Attempt>> = HashMap::new();
    for attempt in tx.all::<Attempt>(sql).await? {
        let of = by_delivery.entry(attempt.webhook_delivery_id).or_default();
        of.push(attempt);
    }
    Ok(by_delivery)
}
