//! What the platform's operator does with tenants, from the command line and as the system. Every act stands in the
//! tenant's own audit log.

use super::{Quotas, Tenant, TenantStatus, check_slug, is_plan_name, lifecycle, store};
use crate::{
    base::{
        error::{Error, Result},
        ids::Typed as _,
        money::Currency,
        text::Text,
    },
    db::{
        Db, SystemReason, SystemTx,
        journal::{Entry, Origin},
    },
    organization::members::{
        InvitationSecret, invite_first_admin,
        provision::{self, NewTenant},
    },
};

pub use store::TenantSummary;

/// In whose name the operator's acts are recorded.
const AUTHOR: &str = "system:operator";
/// Tenants of one reading.
const PAGE: i64 = 500;

/// The platform's operator.
pub struct Operator<'a> {
    db: &'a Db,
    origin: Origin,
}

/// Which quotas to change; what is `None` stays.
#[derive(Debug, Clone, Copy, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct QuotaChange {
    pub members: Option<i32>,
    pub teams: Option<i32>,
    pub roles: Option<i32>,
    pub api_keys: Option<i32>,
    pub webhook_endpoints: Option<i32>,
}

impl<'a> Operator<'a> {
    /// Works with a database as its system login.
    #[must_use]
    pub fn new(db: &'a Db) -> Self {
        let origin = Origin::process(format!("operator-{}", crate::base::ids::mint()));
        Self { db, origin }
    }

    /// All tenants, by their short names.
    ///
    /// # Errors
    /// The database.
    pub async fn list(&self) -> Result<Vec<TenantSummary>> {
        let mut all: Vec<TenantSummary> = Vec::new();
        loop {
            let mut tx = self.begin().await?;
            let after = all.last().map_or("", |tenant| tenant.slug.as_str());
            let page = store::list(&mut tx, after, PAGE).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }

    /// Makes a tenant and invites its first admin.
    ///
    /// # Errors
    /// `INVALID_SLUG`, `TAKEN` on `slug`, `BLANK`, `INVALID_CURRENCY`, `INVALID_EMAIL`.
    pub async fn create(&self, mut new: NewTenant, admin: &str) -> Result<InvitationSecret> {
        check_slug(&new.slug)?;
        Text::line("name").required(&mut new.name)?;
        Currency::parse(&new.base_currency, "baseCurrency")?;
        let mut tx = self.begin().await?;
        store::require_time_zone(&mut tx, &new.time_zone).await?;
        provision::tenant(&mut tx, &new).await?;
        let secret = invite_first_admin(&mut tx, new.id, admin, AUTHOR).await?;
        let entry = Entry::new(AUTHOR, "tenant.created")
            .about(super::KIND, new.id.uuid())
            .noting("slug", new.slug)
            .noting_address("admin_email", admin);
        tx.audit(new.id, vec![entry], &self.origin).await?;
        tx.commit().await?;
        Ok(secret)
    }

    /// Lets a tenant be read and not changed.
    ///
    /// # Errors
    /// `NOT_FOUND`, `BLANK`; `TENANT_DELETING` when it is about to be deleted, which can be called off.
    pub async fn suspend(&self, slug: &str, reason: &str) -> Result<Tenant> {
        let mut reason = reason.to_owned();
        Text::line("reason").required(&mut reason)?;
        self.change(slug, "tenant.suspended", |tenant| {
            if tenant.status == TenantStatus::Deleting {
                return Err(Error::TenantDeleting);
            }
            tenant.status = TenantStatus::Suspended;
            tenant.suspended_because = Some(reason);
            Ok(())
        })
        .await
    }

    /// Lets a suspended tenant be changed again.
    ///
    /// # Errors
    /// `NOT_FOUND`; `NOT_SUSPENDED`.
    pub async fn resume(&self, slug: &str) -> Result<Tenant> {
        self.change(slug, "tenant.resumed", |tenant| {
            if tenant.status != TenantStatus::Suspended {
                let message = "this tenant is not suspended";
                return Err(Error::invalid("NOT_SUSPENDED", "slug", message));
            }
            tenant.status = TenantStatus::Active;
            tenant.suspended_because = None;
            Ok(())
        })
        .await
    }

    /// A tenant by its slug.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub async fn find(&self, slug: &str) -> Result<Tenant> {
        store::by_slug(&mut self.begin().await?, slug).await
    }

    /// Changes how many of something a tenant may have. Fewer than it has takes nothing away.
    ///
    /// # Errors
    /// `NOT_FOUND`, `OUT_OF_RANGE`.
    pub async fn set_quota(&self, slug: &str, wanted: QuotaChange) -> Result<Tenant> {
        self.change(slug, "tenant.quota_set", |tenant| {
            let quotas = &mut tenant.quotas;
            for (quota, wanted, least) in [
                (&mut quotas.quota_members, wanted.members, 1),
                (&mut quotas.quota_teams, wanted.teams, 0),
                (&mut quotas.quota_roles, wanted.roles, 0),
                (&mut quotas.quota_api_keys, wanted.api_keys, 0),
                (
                    &mut quotas.quota_webhook_endpoints,
                    wanted.webhook_endpoints,
                    0,
                ),
            ] {
                let Some(wanted) = wanted else { continue };
                if wanted < least {
                    let message = format!("expected {least} or more");
                    return Err(Error::invalid("OUT_OF_RANGE", "quota", message));
                }
                *quota = wanted;
            }
            Ok(())
        })
        .await
    }

    /// Puts a tenant on a plan, or on none. Which limits that means is in each server's own file; a plan that a server
    /// does not know has the usual ones.
    ///
    /// # Errors
    /// `NOT_FOUND`; `INVALID_PLAN` for what is no name.
    pub async fn set_plan(&self, slug: &str, plan: Option<&str>) -> Result<Tenant> {
        if plan.is_some_and(|name| !is_plan_name(name)) {
            let message =
                "expected up to 40 small letters, digits, - and _, beginning with a letter";
            return Err(Error::invalid("INVALID_PLAN", "plan", message));
        }
        self.change(slug, "tenant.plan_set", |tenant| {
            tenant.plan = plan.map(str::to_owned);
            Ok(())
        })
        .await
    }

    /// Schedules the end of a tenant, also of a suspended one.
    ///
    /// # Errors
    /// `NOT_FOUND`, `OUT_OF_RANGE`, `TENANT_DELETING` when it is scheduled already.
    pub async fn schedule_deletion(&self, slug: &str, grace_days: i32) -> Result<Tenant> {
        let grace = lifecycle::check_grace(grace_days)?;
        let mut tx = self.begin().await?;
        let before = store::by_slug(&mut tx, slug).await?;
        if before.status == TenantStatus::Deleting {
            return Err(Error::TenantDeleting);
        }
        lifecycle::schedule(tx, before, grace, AUTHOR, &self.origin).await
    }

    /// Calls off the scheduled end of a tenant, as long as its grace lasts.
    ///
    /// # Errors
    /// `NOT_FOUND`, `NOT_SCHEDULED`; `PAST_GRACE` when it may be half removed already.
    pub async fn cancel_deletion(&self, slug: &str) -> Result<Tenant> {
        let mut tx = self.begin().await?;
        let before = store::by_slug(&mut tx, slug).await?;
        lifecycle::cancel(tx, before, AUTHOR, &self.origin).await
    }

    async fn change(
        &self,
        slug: &str,
        action: &str,
        change: impl FnOnce(&mut Tenant) -> Result<()>,
    ) -> Result<Tenant> {
        let mut tx = self.begin().await?;
        let before = store::by_slug(&mut tx, slug).await?;
        let mut after = before.clone();
        change(&mut after)?;
        let after = store::write_standing(&mut tx, &after).await?;
        lifecycle::conclude(tx, action, &before, &after, AUTHOR, &self.origin).await?;
        Ok(after)
    }

    async fn begin(&self) -> Result<SystemTx> {
        self.db.system(SystemReason::TenantLifecycle).await
    }
}

/// What a set of quotas says in one line.
#[must_use]
pub fn in_words(quotas: &Quotas) -> String {
    format!(
        "{} members, {} teams, {} roles, {} API keys, {} webhook endpoints",
        quotas.quota_members,
        quotas.quota_teams,
        quotas.quota_roles,
        quotas.quota_api_keys,
        quotas.quota_webhook_endpoints
    )
}
