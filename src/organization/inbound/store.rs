//! All SQL that only endpoints and their messages need.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    handler::Incoming,
    message::InboundMessageStatus,
    model::{InboundEndpoint, InboundEndpointFields},
    verify::{MessageName, SAME_WITHIN_S},
};
use crate::{
    base::{
        error::{Error, Result},
        ids::{InboundEndpointId, InboundMessageId, JobId},
        text::LONG_CHARS,
    },
    db::{ReadTx, Sql, Tx, list},
};

/// A message as it is stored.
pub(super) struct NewMessage<'a> {
    pub(super) id: InboundMessageId,
    pub(super) endpoint: InboundEndpointId,
    pub(super) name: &'a MessageName,
    pub(super) content_type: Option<String>,
    pub(super) headers: Json,
    pub(super) body: Vec<u8>,
}

/// How the tenant stands, as it says itself.
pub(super) async fn standing(tx: &mut ReadTx) -> Result<Option<String>> {
    let sql = Sql::new("SELECT t.status FROM tenants t WHERE t.tenant_id = ").bind(tx.tenant());
    Ok(tx.column(sql).await?.pop())
}

/// Refuses a form or an account that is not there.
///
/// # Errors
/// `NOT_FOUND` on `leadFormId` or `integrationId`.
pub(super) async fn require_goal(tx: &mut Tx, fields: &InboundEndpointFields) -> Result<()> {
    if let Some(form) = fields.lead_form_id {
        let sql = Sql::new("SELECT 1 FROM lead_forms f WHERE f.tenant_id = ")
            .bind(tx.tenant())
            .push(" AND f.lead_form_id = ")
            .bind(form);
        require(tx, sql, "leadForm", "leadFormId").await?;
    }
    if let Some(integration) = fields.integration_id {
        let sql = Sql::new("SELECT 1 FROM integrations i WHERE i.tenant_id = ")
            .bind(tx.tenant())
            .push(" AND i.integration_id = ")
            .bind(integration);
        require(tx, sql, "integration", "integrationId").await?;
    }
    Ok(())
}

async fn require(tx: &mut Tx, sql: Sql, kind: &'static str, field: &'static str) -> Result<()> {
    match tx.column::<i32>(sql).await?.is_empty() {
        false => Ok(()),
        true => Err(Error::NotFound { kind, field }),
    }
}

/// Stores a message, unless it is there; tells whether it did. Who stores the same one meanwhile is waited for.
pub(super) async fn insert(tx: &mut Tx, new: NewMessage<'_>) -> Result<bool> {
    if let Some(earlier) = &new.name.earlier {
        let since = tx.now() - TimeDelta::seconds(SAME_WITHIN_S);
        let sql = Sql::new("SELECT 1 FROM inbound_messages m WHERE m.tenant_id = ")
            .bind(tx.tenant())
            .push(" AND m.inbound_endpoint_id = ")
            .bind(new.endpoint)
            .push(" AND m.message_id = ")
            .bind(earlier.clone())
            .push(" AND m.received_at > ")
            .bind(since);
        if !tx.column::<i32>(sql).await?.is_empty() {
            return Ok(false);
        }
    }
    let (tenant, now, size) = (tx.tenant(), tx.now(), new.body.len() as i32);
    let sql = Sql::new(
        "INSERT INTO inbound_messages (tenant_id, inbound_message_id, inbound_endpoint_id, message_id, content_type, \
         headers, body, size, received_at) VALUES ",
    );
    let sql = sql.row(|mut row| {
        row.bind(tenant)
            .bind(new.id)
            .bind(new.endpoint)
            .bind(new.name.id.clone())
            .bind(new.content_type)
            .bind(new.headers)
            .bind(new.body)
            .bind(size)
            .bind(now);
    });
    let sql = sql.push(" ON CONFLICT (tenant_id, inbound_endpoint_id, message_id) DO NOTHING");
    Ok(tx.execute(sql).await? == 1)
}

/// Notes the job that a message is handled by.
pub(super) async fn note_job(tx: &mut Tx, id: InboundMessageId, job: JobId) -> Result<()> {
    let sql = Sql::new("UPDATE inbound_messages SET job_id = ").bind(job);
    let sql = of(sql, tx, id);
    tx.execute(sql).await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Stored {
    inbound_endpoint_id: Uuid,
    message_id: String,
    content_type: Option<String>,
    body: Vec<u8>,
}

/// Reads a message to handle it, and keeps anybody else from handling it meanwhile.
pub(super) async fn incoming(tx: &mut Tx, id: InboundMessageId) -> Result<Option<Incoming>> {
    let sql = Sql::new(
        "SELECT m.inbound_endpoint_id, m.message_id, m.content_type, m.body FROM inbound_messages m WHERE m.tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" AND m.inbound_message_id = ")
    .bind(id)
    .push(" FOR UPDATE");
    let Some(stored) = tx.optional::<Stored>(sql).await? else {
        return Ok(None);
    };
    let endpoint: Option<InboundEndpoint> = list::find(tx, stored.inbound_endpoint_id).await?;
    Ok(endpoint.map(|endpoint| Incoming {
        id,
        endpoint: endpoint.id,
        message_id: stored.message_id,
        content_type: stored.content_type,
        body: stored.body,
        handler: endpoint.fields.handler,
        lead_form: endpoint.fields.lead_form_id,
        integration: endpoint.fields.integration_id,
    }))
}

/// Notes what a message came to.
pub(super) async fn note(
    tx: &mut Tx,
    id: InboundMessageId,
    status: InboundMessageStatus,
    error: Option<(&'static str, String)>,
) -> Result<()> {
    let (code, message) = error.unzip();
    let is_failed = status == InboundMessageStatus::Failed;
    let processed_at = (!is_failed).then_some(tx.now());
    let sql = Sql::new("UPDATE inbound_messages SET status = ")
        .bind(status)
        .push(", error_code = ")
        .bind(code)
        .push(", error_message = ")
        .bind(message)
        .push(", processed_at = ")
        .bind(processed_at);
    let sql = of(sql, tx, id);
    tx.execute(sql).await?;
    Ok(())
}

/// Has a message be as if it had just come.
pub(super) async fn renew(tx: &mut Tx, id: InboundMessageId) -> Result<()> {
    let sql = Sql::new(
        "UPDATE inbound_messages SET status = 'RECEIVED', error_code = NULL, error_message = NULL, processed_at = NULL, \
         replays = replays + 1",
    );
    let sql = of(sql, tx, id);
    tx.execute(sql).await?;
    Ok(())
}

/// Which messages of an endpoint came within a time, the first ones; all, or those of a status.
pub(super) async fn within(
    tx: &mut Tx,
    endpoint: InboundEndpointId,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    status: Option<InboundMessageStatus>,
    most: i64,
) -> Result<Vec<(Uuid, DateTime<Utc>)>> {
    let sql = Sql::new(
        "SELECT m.inbound_message_id, m.received_at FROM inbound_messages m WHERE m.tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" AND m.inbound_endpoint_id = ")
    .bind(endpoint)
    .push(" AND m.received_at >= ")
    .bind(from)
    .push(" AND m.received_at < ")
    .bind(to);
    let sql = match status {
        Some(status) => sql.push(" AND m.status = ").bind(status),
        None => sql,
    };
    let sql = sql
        .push(" ORDER BY m.received_at, m.inbound_message_id LIMIT ")
        .bind(most);
    tx.all(sql).await
}

/// Forgets some messages that came before an instant, and tells how many, and whether there are others.
pub(super) async fn forget(tx: &mut Tx, before: DateTime<Utc>, most: i64) -> Result<(u64, bool)> {
    let sql = Sql::new("DELETE FROM inbound_messages m WHERE m.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND m.inbound_message_id IN (SELECT o.inbound_message_id FROM inbound_messages o WHERE o.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND o.received_at < ")
        .bind(before)
        .push(" ORDER BY o.received_at LIMIT ")
        .bind(most)
        .push(")");
    let forgotten = tx.execute(sql).await?;
    let sql = Sql::new("SELECT 1 FROM inbound_messages m WHERE m.tenant_id = ").bind(tx.tenant());
    let rest: Vec<i32> = tx.column(sql.push(" LIMIT 1")).await?;
    Ok((forgotten, !rest.is_empty()))
}

/// The begin of bodies, as long as a text may be.
pub(super) async fn bodies(tx: &mut ReadTx, ids: &[Uuid]) -> Result<HashMap<Uuid, Vec<u8>>> {
    // A character has four bytes at the most.
    let most = LONG_CHARS as i32 * 4;
    let sql = Sql::new("SELECT m.inbound_message_id, substring(m.body FROM 1 FOR ")
        .bind(most)
        .push(") FROM inbound_messages m WHERE m.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND m.inbound_message_id = ANY(")
        .bind(ids.to_vec())
        .push(")");
    let bodies: Vec<(Uuid, Vec<u8>)> = tx.all(sql).await?;
    Ok(bodies.into_iter().collect())
}

fn of(sql: Sql, tx: &Tx, id: InboundMessageId) -> Sql {
    sql.push(" WHERE tenant_id = ")
        .bind(tx.tenant())
        .push(" AND inbound_message_id = ")
        .bind(id)
}
