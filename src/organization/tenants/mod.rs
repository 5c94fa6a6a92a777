//! Tenants: the companies that work with Dealgraph, each closed off from the others.
//!
//! An admin changes the settings and schedules the end; making, suspending and removing a tenant is the platform
//! operator's, who works by the command line ([`operator`]) and is not reachable over the network.

pub mod command;
mod graphql;
mod lifecycle;
mod model;
mod mutation;
pub mod operator;
pub mod purge;
pub mod quota;
mod store;

pub use graphql::TenantQuery;
pub use lifecycle::{cancel_deletion, schedule_deletion};
pub use model::{Quotas, Tenant, TenantSettings, TenantStatus, check_slug, is_plan_name};
pub use mutation::TenantMutation;

use crate::{
    base::{
        error::{Error, Result},
        ids::Typed as _,
    },
    db::{
        Columns as _, ReadTx, Tx,
        journal::{Event, EventKind, EventSubject},
    },
    organization::auth::{self, AccessChange},
};

/// What a tenant is called in events, the audit log and messages.
pub(crate) const KIND: &str = "tenant";

/// Reads the actor's own tenant.
///
/// # Errors
/// The database.
pub async fn own(tx: &mut ReadTx) -> Result<Tenant> {
    store::own(tx, false).await
}

/// Changes the settings of the actor's own tenant. Sessions are checked again when the rules of signing in change.
///
/// # Errors
/// `CONFLICT`, `FORBIDDEN` without `admin`, what `change` and [`TenantSettings::check`] refuse, and
/// `INVALID_TIME_ZONE`.
pub async fn update(
    tx: &mut Tx,
    expected_version: Option<i32>,
    change: impl FnOnce(&mut TenantSettings),
) -> Result<Tenant> {
    if !tx.actor().may("admin") {
        return Err(Error::Forbidden("change the tenant"));
    }
    let before = store::own(tx, true).await?;
    before.expect_version(expected_version)?;
    let mut after = before.clone();
    change(&mut after.settings);
    after.settings.check()?;
    if after.settings.time_zone != before.settings.time_zone {
        store::require_time_zone(tx, &after.settings.time_zone).await?;
    }
    if after.settings == before.settings {
        return Ok(before);
    }
    after.version += 1;
    let after = store::update(tx, &after).await?;
    let of_access = |settings: &TenantSettings| {
        (
            settings.second_factor_required,
            settings.required_provider.clone(),
            settings.trusted_documents_only,
        )
    };
    if of_access(&after.settings) != of_access(&before.settings) {
        let tenant = tx.tenant();
        auth::publish_access_change(tx, AccessChange::Tenant(tenant)).await?;
    }
    tx.emit(Event::of_all(
        EventKind::Updated,
        EventSubject {
            entity: KIND,
            parts: TenantSettings::PARTS,
            id: after.tenant_id.uuid(),
            version: after.version,
        },
        (Some(event_fields(&before)), Some(event_fields(&after))),
    ));
    Ok(after)
}

fn event_fields(tenant: &Tenant) -> serde_json::Value {
    serde_json::json!(tenant.settings)
}

impl Tenant {
    fn expect_version(&self, expected: Option<i32>) -> Result<()> {
        match expected {
            Some(expected) if expected != self.version => Err(Error::Conflict {
                kind: KIND,
                version: self.version,
            }),
            _ => Ok(()),
        }
    }
}
