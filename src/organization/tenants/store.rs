//! All SQL that only tenants need; that of removing one is in `purge.rs`.

use chrono::{DateTime, Utc};

use super::{Tenant, TenantStatus};
use crate::{
    base::{
        error::{Error, Result},
        ids::TenantId,
    },
    db::{ReadTx, Sql, Statements, SystemTx, Tx},
};

const COLUMNS: &str = "t.tenant_id, t.slug, t.name, t.status, t.base_currency, t.time_zone, t.locale, \
    t.fiscal_year_start, t.lost_reason_required, t.warmness_threshold, t.second_factor_required, t.required_provider, \
    t.trusted_documents_only, \
    t.suspended_because, t.delete_after, t.quota_members, t.quota_teams, t.quota_roles, t.quota_api_keys, t.quota_webhook_endpoints, t.plan, \
    t.created_at, t.version";

/// The actor's own tenant, locked for a change if that is meant.
pub(super) async fn own(tx: &mut ReadTx, to_change: bool) -> Result<Tenant> {
    let sql = Sql::new("SELECT ")
        .push(COLUMNS)
        .push(" FROM tenants t WHERE t.tenant_id = ")
        .bind(tx.tenant());
    let sql = match to_change {
        true => sql.push(" FOR NO KEY UPDATE"),
        false => sql,
    };
    tx.optional(sql).await?.ok_or(Error::NotFound {
        kind: super::KIND,
        field: "id",
    })
}

/// Refuses a time zone that the database does not know.
pub(super) async fn require_time_zone(statements: &mut Statements, name: &str) -> Result<()> {
    let sql =
        Sql::new("SELECT count(*) FROM pg_timezone_names WHERE name = ").bind(name.to_owned());
    match statements.column::<i64>(sql).await?.first() {
        Some(0) | None => Err(Error::invalid(
            "INVALID_TIME_ZONE",
            "timeZone",
            "expected a time zone by its IANA name, like Europe/Zurich",
        )),
        Some(_) => Ok(()),
    }
}

pub(super) async fn update(tx: &mut Tx, tenant: &Tenant) -> Result<Tenant> {
    let settings = tenant.settings.clone();
    let sql = Sql::new(
        "UPDATE tenants t SET (name, base_currency, time_zone, locale, fiscal_year_start, lost_reason_required, \
         warmness_threshold, second_factor_required, required_provider, trusted_documents_only, updated_at, version) = ROW",
    )
    .row(|mut row| {
        row.bind(settings.name)
            .bind(settings.base_currency)
            .bind(settings.time_zone)
            .bind(settings.locale)
            .bind(settings.fiscal_year_start)
            .bind(settings.lost_reason_required)
            .bind(settings.warmness_threshold)
            .bind(settings.second_factor_required)
            .bind(settings.required_provider)
            .bind(settings.trusted_documents_only)
            .bind(tx.now())
            .bind(tenant.version);
    })
    .push(" WHERE t.tenant_id = ")
    .bind(tx.tenant())
    .push(" RETURNING ")
    .push(COLUMNS);
    tx.optional(sql)
        .await?
        .ok_or(Error::Forbidden("change the tenant"))
}

/// A tenant by its short name, locked.
pub(super) async fn by_slug(tx: &mut SystemTx, slug: &str) -> Result<Tenant> {
    let sql = Sql::new("SELECT ")
        .push(COLUMNS)
        .push(" FROM tenants t WHERE t.slug = ")
        .bind(slug.to_owned())
        .push(" FOR NO KEY UPDATE");
    tx.optional(sql).await?.ok_or(Error::NotFound {
        kind: super::KIND,
        field: "slug",
    })
}

/// A tenant by its id, locked.
pub(super) async fn by_id(tx: &mut SystemTx, id: TenantId) -> Result<Tenant> {
    let sql = Sql::new("SELECT ")
        .push(COLUMNS)
        .push(" FROM tenants t WHERE t.tenant_id = ")
        .bind(id)
        .push(" FOR NO KEY UPDATE");
    tx.optional(sql).await?.ok_or(Error::NotFound {
        kind: super::KIND,
        field: "id",
    })
}

/// Writes a tenant's status and quotas.
pub(super) async fn write_standing(tx: &mut SystemTx, tenant: &Tenant) -> Result<Tenant> {
    let (id, quotas) = (tenant.tenant_id, tenant.quotas);
    let is_open = tenant.status == TenantStatus::Active;
    let counter = Sql::new("UPDATE tenant_seq SET open = ")
        .bind(is_open)
        .push(" WHERE tenant_id = ")
        .bind(id);
    tx.execute(counter).await?;
    let sql = Sql::new("UPDATE tenants t SET version = t.version + 1, status = ")
        .bind(tenant.status)
        .push(", suspended_because = ")
        .bind(tenant.suspended_because.clone())
        .push(", delete_after = ")
        .bind(tenant.delete_after)
        .push(", quota_members = ")
        .bind(quotas.quota_members)
        .push(", quota_teams = ")
        .bind(quotas.quota_teams)
        .push(", quota_roles = ")
        .bind(quotas.quota_roles)
        .push(", quota_api_keys = ")
        .bind(quotas.quota_api_keys)
        .push(", quota_webhook_endpoints = ")
        .bind(quotas.quota_webhook_endpoints)
        .push(", plan = ")
        .bind(tenant.plan.clone())
        .push(", updated_at = ")
        .bind(tx.now())
        .push(" WHERE t.tenant_id = ")
        .bind(id)
        .push(" RETURNING ")
        .push(COLUMNS);
    tx.optional(sql).await?.ok_or(Error::NotFound {
        kind: super::KIND,
        field: "id",
    })
}

/// A tenant as the operator's list shows it.
#[derive(Debug, Clone, sqlx::FromRow)]
#[expect(missing_docs, reason = "the names say it")]
pub struct TenantSummary {
    pub slug: String,
    pub name: String,
    pub status: TenantStatus,
    pub members: i64,
    pub created_at: DateTime<Utc>,
    pub delete_after: Option<DateTime<Utc>>,
    pub suspended_because: Option<String>,
    pub plan: Option<String>,
}

pub(super) async fn list(tx: &mut SystemTx, after: &str, limit: i64) -> Result<Vec<TenantSummary>> {
    let sql = Sql::new(
        "SELECT t.slug, t.name, t.status, t.created_at, t.delete_after, t.suspended_because, t.plan, \
         (SELECT count(*) FROM memberships m WHERE m.tenant_id = t.tenant_id AND m.status = 'ACTIVE') AS members \
         FROM tenants t WHERE t.slug > ",
    )
    .bind(after.to_owned())
    .push(" ORDER BY t.slug LIMIT ")
    .bind(limit);
    tx.all(sql).await
}

/// The tenants whose days of grace are over.
pub(super) async fn due(tx: &mut SystemTx, now: DateTime<Utc>) -> Result<Vec<Tenant>> {
    let sql = Sql::new("SELECT ")
        .push(COLUMNS)
        .push(" FROM tenants t WHERE t.status = 'DELETING' AND t.delete_after <= ")
        .bind(now)
        .push(" ORDER BY t.delete_after, t.slug");
    tx.all(sql).await
}
