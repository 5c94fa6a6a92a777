//! Removing tenants whose days of grace are over, with all they had. Done with the login that owns the tables, since no
//! login of the server may delete the audit log.

use std::fmt;

use super::{KIND, Tenant, TenantStatus, store};
use crate::{
    base::{
        entities::entities,
        error::{Error, Result},
        ids::TenantId,
    },
    db::{Db, Sql, SystemReason, SystemTx},
};

/// Rows of one transaction.
const BATCH: i64 = 5_000;

/// A table of records, the tables of what only exists as a part of them, and the columns by which they refer to each other.
type TableGroup = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

macro_rules! listed {
    ($($section:ident { $(
        $(#[$doc:meta])*
        $record:ident $id:ident $prefix:literal $table:ident.$column:ident $layer:ident::$domain:ident $access:tt
            [$($child:ident)*] [$($itself:ident)*];
    )* })*) => {
        struct Sections { $($section: &'static [TableGroup],)* }

        const LISTED: Sections = Sections {
            $($section: &[ $( (
                stringify!($table),
                &[ $( stringify!($child) ),* ],
                &[ $( stringify!($itself) ),* ],
            ), )* ],)*
        };
    };
}
entities!(listed);

/// What is done to rows of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PurgeStep {
    table: &'static str,
    /// The column that is emptied; the rows themselves are deleted without one.
    emptied: Option<&'static str>,
    /// Which of them.
    condition: &'static str,
}

impl PurgeStep {
    const fn delete(table: &'static str) -> Self {
        Self {
            table,
            emptied: None,
            condition: "TRUE",
        }
    }
}

/// The steps, in the order in which rows refer to each other: records first, then their owners.
fn steps() -> Vec<PurgeStep> {
    let records = [LISTED.owned, LISTED.targets, LISTED.within, LISTED.shared];
    // A member who left refers to the one who has their records.
    let members = [
        PurgeStep {
            condition: "successor_id IS NOT NULL",
            ..PurgeStep::delete("memberships")
        },
        PurgeStep::delete("memberships"),
    ];
    let logs = ["events", "audit_log", "tenant_seq"].map(PurgeStep::delete);
    let from_the_end = |section: &'static [TableGroup]| section.iter().rev().flat_map(of_listed);
    let records = records.into_iter().flat_map(from_the_end);
    let organization = from_the_end(LISTED.organization);
    records
        .chain(from_the_end(LISTED.integrations))
        .chain(members)
        .chain(organization)
        .chain(logs)
        .collect()
}

fn of_listed((table, children, itself): &'static TableGroup) -> impl Iterator<Item = PurgeStep> {
    let children = children.iter().copied().map(PurgeStep::delete);
    // References between rows of one table are emptied first.
    let itself = itself.iter().map(|column| PurgeStep {
        emptied: Some(column),
        ..PurgeStep::delete(table)
    });
    children.chain(itself).chain([PurgeStep::delete(table)])
}

/// The progress of a removal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PurgeProgress {
    /// The removal of a tenant begins.
    Began(String),
    /// So many rows of a table are gone.
    Removed(&'static str, u64),
    /// Nothing of the tenant is left.
    Ended(String),
}

impl fmt::Display for PurgeProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Began(slug) => write!(f, "{slug}: removing"),
            Self::Removed(what, rows) => write!(f, "  {what}: {rows}"),
            Self::Ended(slug) => write!(f, "{slug}: gone"),
        }
    }
}

/// Removes all tenants that are due, or the one with this short name. After an interruption the next run continues.
///
/// # Errors
/// `NOT_FOUND`; `NOT_DUE` for a tenant that is not to be deleted, or not yet.
pub async fn purge(
    owner: &Db,
    slug: Option<&str>,
    report: impl Fn(PurgeProgress),
) -> Result<usize> {
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
        report(PurgeProgress::Began(tenant.slug.clone()));
        for step in steps() {
            let rows = run(owner, tenant, step).await?;
            if rows > 0 && step.emptied.is_none() {
                report(PurgeProgress::Removed(step.table, rows));
            }
        }
        let mut tx = begin(owner).await?;
        require_due(&mut tx, tenant.tenant_id).await?;
        let sql = Sql::new("DELETE FROM tenants WHERE tenant_id = ").bind(tenant.tenant_id);
        tx.execute(sql).await?;
        tx.commit().await?;
        report(PurgeProgress::Ended(tenant.slug.clone()));
    }
    Ok(due.len())
}

/// Runs a step to its end, so many rows at a time.
async fn run(owner: &Db, tenant: &Tenant, step: PurgeStep) -> Result<u64> {
    let PurgeStep {
        table,
        emptied,
        condition,
    } = step;
    let mut all = 0;
    loop {
        let mut tx = begin(owner).await?;
        require_due(&mut tx, tenant.tenant_id).await?;
        let sql = match emptied {
            Some(column) => Sql::new("UPDATE ")
                .push(table)
                .push(" SET ")
                .push(column)
                .push(" = NULL"),
            None => Sql::new("DELETE FROM ").push(table),
        };
        let sql = sql
            .push(" WHERE tenant_id = ")
            .bind(tenant.tenant_id)
            .push(" AND ctid = ANY(ARRAY(SELECT r.ctid FROM ")
            .push(table)
            .push(" r WHERE r.tenant_id = ")
            .bind(tenant.tenant_id)
            .push(" AND ");
        let sql = match emptied {
            Some(column) => sql.push(column).push(" IS NOT NULL"),
            None => sql.push(condition),
        };
        let sql = sql.push(" LIMIT ").bind(BATCH).push("))");
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

/// Locks the tenant while rows of it are removed, so that its deletion can't be called off in between.
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
