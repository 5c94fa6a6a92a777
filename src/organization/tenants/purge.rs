//! Removing tenants whose days of grace are over, with all they had. Done with the login that owns the tables, since no
//! login of the server may delete the audit log.

use std::fmt;

use super::{KIND, Tenant, TenantStatus, store};
use crate::{
    base::{
        error::{Error, Result},
        ids::TenantId,
    },
    db::{Db, Sql, SystemReason, SystemTx},
};

/// Rows of one transaction.
const BATCH: i64 = 5_000;

/// What is done to the rows of a tenant, in the order in which they refer to each other. `{rows}` are so many of them.
const STEPS: [(&str, &str, &str); 25] = [
    ("activity targets", "DELETE FROM activity_targets", "TRUE"),
    ("activities", "DELETE FROM activities", "TRUE"),
    (
        "stage history",
        "DELETE FROM opportunity_stage_history",
        "TRUE",
    ),
    ("collaborators", "DELETE FROM opportunity_users", "TRUE"),
    (
        "contacts of deals",
        "DELETE FROM opportunity_contacts",
        "TRUE",
    ),
    ("opportunities", "DELETE FROM opportunities", "TRUE"),
    ("stages", "DELETE FROM stages", "TRUE"),
    ("pipelines", "DELETE FROM pipelines", "TRUE"),
    ("products", "DELETE FROM products", "TRUE"),
    ("leads", "DELETE FROM leads", "TRUE"),
    ("contact methods", "DELETE FROM contact_methods", "TRUE"),
    // Those who refer to others of their kind let go of them first.
    (
        "bosses of contacts",
        "UPDATE contacts SET reports_to_id = NULL",
        "reports_to_id IS NOT NULL",
    ),
    ("contacts", "DELETE FROM contacts", "TRUE"),
    (
        "parents of companies",
        "UPDATE companies SET parent_company_id = NULL",
        "parent_company_id IS NOT NULL",
    ),
    ("companies", "DELETE FROM companies", "TRUE"),
    ("API keys", "DELETE FROM api_keys", "TRUE"),
    ("invitations", "DELETE FROM invitations", "TRUE"),
    (
        "members who left",
        "DELETE FROM memberships",
        "successor_id IS NOT NULL",
    ),
    ("members", "DELETE FROM memberships", "TRUE"),
    ("roles", "DELETE FROM roles", "TRUE"),
    (
        "parents of teams",
        "UPDATE teams SET parent_team_id = NULL",
        "parent_team_id IS NOT NULL",
    ),
    ("teams", "DELETE FROM teams", "TRUE"),
    ("events", "DELETE FROM events", "TRUE"),
    ("audit log", "DELETE FROM audit_log", "TRUE"),
    ("counters", "DELETE FROM tenant_seq", "TRUE"),
];

/// How far a removal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A tenant's turn has come.
    Began(String),
    /// So many rows of a kind are gone.
    Removed(&'static str, u64),
    /// Nothing of the tenant is left.
    Ended(String),
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Began(slug) => write!(f, "{slug}: removing"),
            Self::Removed(what, rows) => write!(f, "  {what}: {rows}"),
            Self::Ended(slug) => write!(f, "{slug}: gone"),
        }
    }
}

/// Removes all tenants that are due, or the one with this short name. Interrupted, it goes on where it was when it is
/// run again.
///
/// # Errors
/// `NOT_FOUND`; `NOT_DUE` for a tenant that is not to be deleted, or not yet.
pub async fn purge(owner: &Db, slug: Option<&str>, tell: impl Fn(Progress)) -> Result<usize> {
    let due = match slug {
        Some(slug) => {
            let mut tx = begin(owner).await?;
            vec![store::by_slug(&mut tx, slug).await?]
        }
        None => due(owner).await?,
    };
    for tenant in &due {
        let mut tx = begin(owner).await?;
        require_due(&mut tx, tenant.tenant_id).await?;
        drop(tx);
        tell(Progress::Began(tenant.slug.clone()));
        for step in STEPS {
            let rows = run(owner, tenant, step).await?;
            if rows > 0 {
                tell(Progress::Removed(step.0, rows));
            }
        }
        let mut tx = begin(owner).await?;
        require_due(&mut tx, tenant.tenant_id).await?;
        let sql = Sql::new("DELETE FROM tenants WHERE tenant_id = ").bind(tenant.tenant_id);
        tx.execute(sql).await?;
        tx.commit().await?;
        tell(Progress::Ended(tenant.slug.clone()));
    }
    Ok(due.len())
}

/// Runs a step to its end, so many rows at a time.
async fn run(
    owner: &Db,
    tenant: &Tenant,
    (_, head, condition): (&'static str, &'static str, &'static str),
) -> Result<u64> {
    let table = head
        .split_ascii_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_lowercase()))
        .unwrap_or_default();
    let mut all = 0;
    loop {
        let mut tx = begin(owner).await?;
        require_due(&mut tx, tenant.tenant_id).await?;
        let sql = Sql::new(head)
            .push(" WHERE tenant_id = ")
            .bind(tenant.tenant_id)
            .push(" AND ctid = ANY(ARRAY(SELECT r.ctid FROM ")
            .push(table)
            .push(" r WHERE r.tenant_id = ")
            .bind(tenant.tenant_id)
            .push(" AND ")
            .push(condition)
            .push(" LIMIT ")
            .bind(BATCH)
            .push("))");
        let rows = tx.execute(sql).await?;
        tx.commit().await?;
        all += rows;
        if rows < BATCH as u64 {
            return Ok(all);
        }
    }
}

async fn due(owner: &Db) -> Result<Vec<Tenant>> {
    let mut tx = begin(owner).await?;
    let now = tx.now();
    store::due(&mut tx, now).await
}

/// Holds the tenant while rows of it are removed, so that its end can't be called off in between.
async fn require_due(tx: &mut SystemTx, id: TenantId) -> Result<()> {
    let tenant = store::by_id(tx, id).await?;
    let over = tenant.delete_after.is_some_and(|ends| ends <= tx.now());
    match tenant.status == TenantStatus::Deleting && over {
        true => Ok(()),
        false => Err(Error::invalid(
            "NOT_DUE",
            "slug",
            format!(
                "the {KIND} {} is not to be deleted, or not yet",
                tenant.slug
            ),
        )),
    }
}

async fn begin(owner: &Db) -> Result<SystemTx> {
    owner.system(SystemReason::TenantLifecycle).await
}
