//! All SQL that only endpoints need.

use chrono::{DateTime, Utc};

use uuid::Uuid;

use super::{Webhooks, graphql::WebhookHealth, model::WebhookEndpoint, signing::Sealed};
use crate::{
    base::{
        error::{Error, Result},
        ids::{TenantId, Typed as _, WebhookEndpointId},
        text::normalize,
    },
    db::{Columns as _, ReadTx, Sql, Tx},
    graphql::scalars::BigInt,
    jobs::consumers::Consumer as _,
};

pub(super) async fn insert(
    tx: &mut Tx,
    endpoint: &WebhookEndpoint,
    secret: Sealed,
) -> Result<WebhookEndpoint> {
    let sql = Sql::new(
        "INSERT INTO webhook_endpoints AS t (tenant_id, webhook_endpoint_id, name, name_normalized, url, subscriptions, \
         skips_own, api_version, runs_as, secret, hint, created_at, created_by) VALUES ",
    );
    let (tenant, f, s) = (tx.tenant(), &endpoint.fields, &endpoint.stamps);
    let sql = sql.row(|mut row| {
        row.bind(tenant)
            .bind(endpoint.id)
            .bind(f.name.clone())
            .bind(normalize(&f.name))
            .bind(f.url.clone())
            .bind(f.subscriptions.clone())
            .bind(f.skips_own)
            .bind(f.api_version.clone())
            .bind(f.runs_as.clone())
            .bind(secret.0)
            .bind(f.hint.clone())
            .bind(s.created_at)
            .bind(s.created_by.clone());
    });
    let sql = sql.push(" RETURNING ").push(WebhookEndpoint::select());
    let inserted = tx.optional(sql).await?;
    let sql = Sql::new(
        "INSERT INTO webhook_endpoint_health (tenant_id, webhook_endpoint_id, failures) VALUES (",
    );
    let sql = sql.bind(tenant).push(", ").bind(endpoint.id);
    tx.execute(sql.push(", 0)")).await?;
    inserted.ok_or(Error::Forbidden("set up webhooks"))
}

pub(super) async fn update(tx: &mut Tx, endpoint: &WebhookEndpoint) -> Result<WebhookEndpoint> {
    let WebhookEndpoint {
        id,
        fields: f,
        stamps: s,
        ..
    } = endpoint;
    let sql = Sql::new("UPDATE webhook_endpoints t SET name = ")
        .bind(f.name.clone())
        .push(", name_normalized = ")
        .bind(normalize(&f.name))
        .push(", url = ")
        .bind(f.url.clone())
        .push(", subscriptions = ")
        .bind(f.subscriptions.clone())
        .push(", skips_own = ")
        .bind(f.skips_own)
        .push(", runs_as = ")
        .bind(f.runs_as.clone())
        .push(", enabled = ")
        .bind(f.enabled)
        .push(", disabled_reason = ")
        .bind(f.disabled_reason)
        .push(", disabled_at = ")
        .bind(f.disabled_at)
        .push(", hint = ")
        .bind(f.hint.clone())
        .push(", version = ")
        .bind(s.version);
    let sql = of(sql, tx.tenant(), *id).push(" RETURNING ");
    tx.optional(sql.push(WebhookEndpoint::select()))
        .await?
        .ok_or(Error::Forbidden("change this endpoint"))
}

/// Puts a new secret in the place of the last one, which signs too until then.
pub(super) async fn rotate(
    tx: &mut Tx,
    id: WebhookEndpointId,
    secret: Sealed,
    until: DateTime<Utc>,
) -> Result<()> {
    let sql =
        Sql::new("UPDATE webhook_endpoints t SET previous_secret = secret, previous_until = ")
            .bind(until)
            .push(", runs_as = ")
            .bind(tx.author())
            .push(", secret = ")
            .bind(secret.0);
    let sql = of(sql, tx.tenant(), id);
    match tx.execute(sql).await? {
        1 => Ok(()),
        _ => Err(Error::Forbidden("change this endpoint")),
    }
}

/// The secrets of an endpoint that sign now, the last one first.
pub(super) async fn secrets(tx: &mut Tx, id: WebhookEndpointId) -> Result<Vec<Sealed>> {
    let sql = Sql::new(
        "SELECT t.secret, CASE WHEN t.previous_until > now() THEN t.previous_secret END FROM webhook_endpoints t",
    );
    let sql = of(sql, tx.tenant(), id);
    let found = tx.optional::<(Vec<u8>, Option<Vec<u8>>)>(sql).await?;
    let (secret, previous) = found.ok_or(Error::NotFound {
        kind: "webhook endpoint",
        field: "id",
    })?;
    Ok([secret].into_iter().chain(previous).map(Sealed).collect())
}

/// Forgets how an endpoint answered before it was disabled.
pub(super) async fn begin_anew(tx: &mut Tx, id: WebhookEndpointId) -> Result<()> {
    let sql = Sql::new(
        "UPDATE webhook_endpoint_health t SET failing_since = NULL, failures = 0, rests_until = NULL",
    );
    let sql = of(sql, tx.tenant(), id);
    tx.execute(sql).await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct HealthRow {
    webhook_endpoint_id: Uuid,
    delivered_at: Option<DateTime<Utc>>,
    failing_since: Option<DateTime<Utc>>,
    failures: i32,
    rests_until: Option<DateTime<Utc>>,
    error_code: Option<String>,
    behind: i64,
    pending: i64,
}

/// How endpoints answer, and how far behind they are.
pub(super) async fn healths(tx: &mut ReadTx, ids: &[Uuid]) -> Result<Vec<WebhookHealth>> {
    let tenant = tx.tenant();
    let sql = Sql::new(
        "SELECT h.webhook_endpoint_id, h.delivered_at, h.failing_since, h.failures, h.rests_until, h.error_code, \
         coalesce((SELECT s.last_seq - c.seq FROM event_consumers c JOIN tenant_seq s ON s.tenant_id = c.tenant_id \
         WHERE c.tenant_id = ",
    )
    .bind(tenant)
    .push(" AND s.tenant_id = ")
    .bind(tenant)
    .push(" AND c.kind = ")
    .bind(Webhooks::KIND.to_owned())
    .push(
        " AND c.instance = h.webhook_endpoint_id), 0) AS behind, (SELECT count(*) FROM (SELECT 1 FROM webhook_deliveries d \
         WHERE d.due_at IS NOT NULL AND d.tenant_id = ",
    )
    .bind(tenant)
    .push(
        " AND d.webhook_endpoint_id = h.webhook_endpoint_id LIMIT 10000) p) AS pending \
         FROM webhook_endpoint_health h WHERE h.tenant_id = ",
    )
    .bind(tenant)
    .push(" AND h.webhook_endpoint_id")
    .one_of(ids);
    let rows = tx.all::<HealthRow>(sql).await?.into_iter();
    Ok(rows.map(WebhookHealth::from).collect())
}

impl From<HealthRow> for WebhookHealth {
    fn from(row: HealthRow) -> Self {
        Self {
            webhook_endpoint_id: row.webhook_endpoint_id,
            delivered_at: row.delivered_at,
            failing_since: row.failing_since,
            failures: row.failures,
            rests_until: row.rests_until,
            last_error_code: row.error_code,
            behind: BigInt(row.behind),
            pending: i32::try_from(row.pending).unwrap_or(i32::MAX),
        }
    }
}

fn of(sql: Sql, tenant: TenantId, id: WebhookEndpointId) -> Sql {
    sql.push(" WHERE t.tenant_id = ")
        .bind(tenant)
        .push(" AND t.webhook_endpoint_id = ")
        .bind(id.uuid())
}
