//! Links: which record here is which one there.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{
    base::{
        error::Result,
        ids::{IntegrationId, SyncRunId, TenantId},
    },
    db::{ReadTx, Sql, Tx},
    integrations::accounts::Integration,
};

/// Links that are taken away at once.
const AT_ONCE: i64 = 200;

/// What both sides said when they last agreed.
pub(super) fn hash(fields: &Json) -> Vec<u8> {
    // Members of objects are in the order of their names.
    Sha256::digest(fields.to_string()).to_vec()
}

/// A link.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(in crate::integrations) struct Linked {
    pub(in crate::integrations) kind: String,
    pub(in crate::integrations) external_id: String,
    pub(in crate::integrations) record_id: Uuid,
    pub(in crate::integrations) is_created: bool,
    pub(super) hash: Vec<u8>,
}

const SELECT: &str =
    "SELECT l.kind, l.external_id, l.record_id, l.is_created, l.hash FROM external_links l";

/// Of an account's links.
fn of_account(sql: Sql, tenant: TenantId, integration: IntegrationId) -> Sql {
    sql.push(" WHERE l.tenant_id = ")
        .bind(tenant)
        .push(" AND l.integration_id = ")
        .bind(integration)
}

/// Of a stream's links.
fn of_stream(sql: Sql, tenant: TenantId, (integration, kind): (IntegrationId, &str)) -> Sql {
    of_account(sql, tenant, integration)
        .push(" AND l.kind = ")
        .bind(kind.to_owned())
}

/// The links of some records there.
pub(super) async fn of_external(
    tx: &mut Tx,
    stream: (IntegrationId, &str),
    ids: Vec<String>,
) -> Result<HashMap<String, Linked>> {
    let sql = of_stream(Sql::new(SELECT), tx.tenant(), stream)
        .push(" AND l.external_id = ANY(")
        .bind(ids)
        .push(")");
    let links = tx.all::<Linked>(sql).await?.into_iter();
    Ok(links.map(|link| (link.external_id.clone(), link)).collect())
}

/// A link with the account's service.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct LinkRow {
    pub(super) integration_id: Uuid,
    pub(super) provider: String,
    pub(super) kind: String,
    pub(super) external_id: String,
    pub(super) is_created: bool,
    pub(super) external_updated_at: Option<DateTime<Utc>>,
    pub(super) pulled_at: Option<DateTime<Utc>>,
    pub(super) pushed_at: Option<DateTime<Utc>>,
}

/// The links of a record of any kind.
pub(super) async fn of(tx: &mut ReadTx, record: Uuid) -> Result<Vec<LinkRow>> {
    let sql = Sql::new(
        "SELECT l.integration_id, i.provider, l.kind, l.external_id, l.is_created, l.external_updated_at, l.pulled_at, \
         l.pushed_at FROM external_links l JOIN integrations i ON i.tenant_id = l.tenant_id \
         AND i.integration_id = l.integration_id WHERE l.tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" AND i.tenant_id = ")
    .bind(tx.tenant())
    .push(" AND l.record_id = ")
    .bind(record)
    .push(" ORDER BY l.integration_id, l.kind, l.external_id LIMIT 100");
    tx.all(sql).await
}

/// The link of a record here.
pub(super) async fn of_record(
    tx: &mut ReadTx,
    stream: (IntegrationId, &str),
    record: Uuid,
) -> Result<Option<Linked>> {
    let sql = of_stream(Sql::new(SELECT), tx.tenant(), stream)
        .push(" AND l.record_id = ")
        .bind(record);
    tx.optional(sql).await
}

/// Some of the links of an account.
///
/// # Errors
/// The database.
pub(in crate::integrations) async fn some(
    tx: &mut ReadTx,
    integration: IntegrationId,
) -> Result<Vec<Linked>> {
    let sql = of_account(Sql::new(SELECT), tx.tenant(), integration)
        .push(" ORDER BY l.kind, l.external_id LIMIT ")
        .bind(AT_ONCE);
    tx.all(sql).await
}

/// Some of those of a kind that a run which has read all has not seen, after one of them.
pub(super) async fn unseen(
    tx: &mut ReadTx,
    stream: (IntegrationId, &str),
    run: SyncRunId,
    (after, most): (&str, i64),
) -> Result<Vec<Linked>> {
    let sql = of_stream(Sql::new(SELECT), tx.tenant(), stream)
        .push(" AND l.external_id > ")
        .bind(after.to_owned())
        .push(" AND l.seen_in <> ")
        .bind(run)
        .push(" ORDER BY l.external_id LIMIT ")
        .bind(most);
    tx.all(sql).await
}

/// How many of a kind such a run has not seen, and how many there are.
pub(super) async fn count_unseen(
    tx: &mut ReadTx,
    stream: (IntegrationId, &str),
    run: SyncRunId,
) -> Result<(i64, i64)> {
    let sql = Sql::new("SELECT count(*) FILTER (WHERE l.seen_in <> ")
        .bind(run)
        .push("), count(*) FROM external_links l");
    let sql = of_stream(sql, tx.tenant(), stream);
    Ok(tx.optional(sql).await?.unwrap_or_default())
}

/// A link to be written.
pub(super) struct NewLink {
    pub(super) external_id: String,
    pub(super) record: Uuid,
    pub(super) is_created: bool,
    pub(super) hash: Vec<u8>,
    pub(super) updated_at: Option<DateTime<Utc>>,
}

/// Which side a link was seen from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// There, in a run.
    Pulled(SyncRunId),
    /// Here.
    Pushed,
}

/// Writes links, or what they say now.
pub(super) async fn put(
    tx: &mut Tx,
    integration: &Integration,
    kind: &str,
    links: Vec<NewLink>,
    seen: Seen,
) -> Result<()> {
    if links.is_empty() {
        return Ok(());
    }
    let (tenant, now) = (tx.tenant(), tx.now());
    let run = match seen {
        Seen::Pulled(run) => Some(run),
        Seen::Pushed => None,
    };
    let sql = Sql::new(
        "INSERT INTO external_links AS t (tenant_id, integration_id, kind, external_id, record_id, visible_to, is_created, \
         hash, external_updated_at, pulled_at, seen_in, pushed_at, created_at)",
    );
    let sql = sql.rows(links, |mut row, link| {
        row.bind(tenant)
            .bind(integration.id)
            .bind(kind.to_owned())
            .bind(link.external_id)
            .bind(link.record)
            .bind(integration.visible_to.clone())
            .bind(link.is_created)
            .bind(link.hash)
            .bind(link.updated_at)
            .bind(run.map(|_| now))
            .bind(run)
            .bind(run.is_none().then_some(now))
            .bind(now);
    });
    let sql = sql.push(
        " ON CONFLICT (tenant_id, integration_id, kind, external_id) DO UPDATE SET record_id = excluded.record_id, \
         hash = excluded.hash, external_updated_at = coalesce(excluded.external_updated_at, t.external_updated_at), \
         pulled_at = coalesce(excluded.pulled_at, t.pulled_at), seen_in = coalesce(excluded.seen_in, t.seen_in), \
         pushed_at = coalesce(excluded.pushed_at, t.pushed_at)",
    );
    tx.execute(sql).await?;
    Ok(())
}

/// Notes that records there were seen, and say what they said before.
pub(super) async fn touch(
    tx: &mut Tx,
    stream: (IntegrationId, &str),
    run: SyncRunId,
    ids: Vec<String>,
) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let sql = Sql::new("UPDATE external_links l SET pulled_at = ")
        .bind(tx.now())
        .push(", seen_in = ")
        .bind(run);
    let sql = of_stream(sql, tx.tenant(), stream)
        .push(" AND l.external_id = ANY(")
        .bind(ids)
        .push(")");
    tx.execute(sql).await?;
    Ok(())
}

/// Takes links away.
///
/// # Errors
/// The database.
pub(in crate::integrations) async fn unlink(
    tx: &mut Tx,
    integration: IntegrationId,
    links: &[Linked],
) -> Result<()> {
    if links.is_empty() {
        return Ok(());
    }
    let kinds: Vec<_> = links.iter().map(|link| link.kind.clone()).collect();
    let ids: Vec<_> = links.iter().map(|link| link.external_id.clone()).collect();
    let sql = Sql::new("DELETE FROM external_links l");
    let sql = of_account(sql, tx.tenant(), integration)
        .push(" AND (l.kind, l.external_id) IN (SELECT * FROM unnest(")
        .bind(kinds)
        .push("::text[], ")
        .bind(ids)
        .push("::text[]))");
    tx.execute(sql).await?;
    Ok(())
}
