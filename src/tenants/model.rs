//! What a tenant is.

use async_graphql::Enum;
use chrono::{DateTime, Utc};

use crate::{
    db::{Sql, Tx},
    error::{Error, Result},
    ids::TenantId,
};

/// A tenant.
#[derive(Debug, Clone, sqlx::FromRow)]
#[expect(missing_docs, reason = "the names say it; the schema describes each")]
pub struct Tenant {
    pub tenant_id: TenantId,
    pub slug: String,
    pub name: String,
    pub status: TenantStatus,
    pub base_currency: String,
    pub time_zone: String,
    pub locale: String,
    pub fiscal_year_start: i16,
    pub lost_reason_required: bool,
    pub warmness_threshold: i16,
    pub created_at: DateTime<Utc>,
}

/// How a tenant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TenantStatus {
    /// At work.
    Active,
    /// May read, not write.
    Suspended,
    /// About to be deleted.
    Deleting,
}

/// Reads the actor's own tenant.
///
/// # Errors
/// The database.
pub async fn own(tx: &mut Tx) -> Result<Tenant> {
    let sql = Sql::new(
        "SELECT tenant_id, slug, name, status, base_currency, time_zone, locale, fiscal_year_start, \
         lost_reason_required, warmness_threshold, created_at FROM tenants WHERE tenant_id = ",
    )
    .bind(tx.tenant());
    tx.optional(sql).await?.ok_or(Error::NotFound {
        kind: "tenant",
        field: "id",
    })
}
