//! The end of a tenant, scheduled by an admin with days of grace, in which it can be read and the end be called off.

use chrono::TimeDelta;
use serde_json::json;

use super::{KIND, Tenant, TenantStatus, store};
use crate::{
    access::{Actor, Role},
    base::{
        error::{Error, Result},
        ids::Typed as _,
    },
    db::{
        Db, SystemReason, SystemTx,
        journal::{Entry, Origin},
    },
    organization::auth::{self, AccessChange},
};

/// Days of grace, unless the caller chooses.
pub(super) const USUAL_GRACE: i32 = 30;
/// The fewest and the most days.
const GRACE: std::ops::RangeInclusive<i32> = 7..=90;

/// Schedules the end of the actor's own tenant. From now on it can only be read.
///
/// # Errors
/// `FORBIDDEN` for all but people who are ADMIN, `SLUG_MISMATCH`, `OUT_OF_RANGE`, `CONFLICT`, `TENANT_SUSPENDED`;
/// `TENANT_DELETING` when it is scheduled already.
pub async fn schedule_deletion(
    db: &Db,
    actor: &Actor,
    origin: &Origin,
    slug: &str,
    grace_days: i32,
    expected_version: Option<i32>,
) -> Result<Tenant> {
    require_admin(actor)?;
    let grace = check_grace(grace_days)?;
    let mut tx = db.system(SystemReason::TenantLifecycle).await?;
    let before = store::by_id(&mut tx, actor.tenant).await?;
    before.expect_version(expected_version)?;
    if before.slug != slug {
        let message = "type the short name of the tenant to confirm that it is to be deleted";
        return Err(Error::invalid("SLUG_MISMATCH", "slug", message));
    }
    match before.status {
        TenantStatus::Active => {}
        TenantStatus::Suspended => return Err(Error::TenantSuspended),
        TenantStatus::Deleting => return Err(Error::TenantDeleting),
    }
    let author = actor.author.to_string();
    schedule(tx, before, grace, &author, origin).await
}

/// Calls off the scheduled end of the actor's own tenant. An admin may, although nothing else can be changed in it.
///
/// # Errors
/// `FORBIDDEN` for all but people who are ADMIN, `CONFLICT`, `NOT_SCHEDULED`, `PAST_GRACE`.
pub async fn cancel_deletion(
    db: &Db,
    actor: &Actor,
    origin: &Origin,
    expected_version: Option<i32>,
) -> Result<Tenant> {
    require_admin(actor)?;
    let mut tx = db.system(SystemReason::TenantLifecycle).await?;
    let before = store::by_id(&mut tx, actor.tenant).await?;
    before.expect_version(expected_version)?;
    let author = actor.author.to_string();
    cancel(tx, before, &author, origin).await
}

pub(super) fn check_grace(days: i32) -> Result<TimeDelta> {
    if !GRACE.contains(&days) {
        let (from, to) = (GRACE.start(), GRACE.end());
        return Err(Error::invalid(
            "OUT_OF_RANGE",
            "graceDays",
            format!("expected {from} to {to} days"),
        ));
    }
    Ok(TimeDelta::days(days.into()))
}

pub(super) async fn schedule(
    mut tx: SystemTx,
    before: Tenant,
    grace: TimeDelta,
    author: &str,
    origin: &Origin,
) -> Result<Tenant> {
    let ends = tx.now() + grace;
    let mut after = before.clone();
    (after.status, after.suspended_because, after.delete_after) =
        (TenantStatus::Deleting, None, Some(ends));
    let after = store::write_standing(&mut tx, &after).await?;
    conclude(
        tx,
        "tenant.deletion_scheduled",
        &before,
        &after,
        author,
        origin,
    )
    .await?;
    Ok(after)
}

pub(super) async fn cancel(
    mut tx: SystemTx,
    before: Tenant,
    author: &str,
    origin: &Origin,
) -> Result<Tenant> {
    if before.status != TenantStatus::Deleting {
        let message = "this tenant is not about to be deleted";
        return Err(Error::invalid("NOT_SCHEDULED", "", message));
    }
    if before.delete_after.is_none_or(|ends| ends <= tx.now()) {
        let message = "the days of grace are over, its data may be gone already";
        return Err(Error::invalid("PAST_GRACE", "", message));
    }
    let mut after = before.clone();
    (after.status, after.suspended_because, after.delete_after) =
        (TenantStatus::Active, None, None);
    let after = store::write_standing(&mut tx, &after).await?;
    conclude(
        tx,
        "tenant.deletion_canceled",
        &before,
        &after,
        author,
        origin,
    )
    .await?;
    Ok(after)
}

/// Notifies all servers, writes the audit entry, and commits.
pub(super) async fn conclude(
    mut tx: SystemTx,
    action: &str,
    before: &Tenant,
    after: &Tenant,
    author: &str,
    origin: &Origin,
) -> Result<()> {
    let tenant = after.tenant_id;
    auth::publish_access_change(&mut tx, AccessChange::Tenant(tenant)).await?;
    let side = |tenant: &Tenant| {
        json!({
            "status": tenant.status, "suspended_because": tenant.suspended_because,
            "delete_after": tenant.delete_after, "quotas": tenant.quotas, "plan": tenant.plan,
        })
    };
    let mut entry = Entry::new(author, action).about(KIND, tenant.uuid());
    entry.changes = crate::db::journal::Changes::between(Some(&side(before)), Some(&side(after)));
    tx.audit(tenant, vec![entry], origin).await?;
    tx.commit().await
}

/// The role and not the rights: in a tenant that is to be deleted no member has the right to change anything.
fn require_admin(actor: &Actor) -> Result<()> {
    match actor.role == Role::Admin && actor.person().is_some() {
        true => Ok(()),
        false => Err(Error::Forbidden("end the tenant or call its end off")),
    }
}
