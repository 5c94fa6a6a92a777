//! The tenant and the viewer in the schema: what can be read.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::{
    Quotas, Tenant, TenantSettings, TenantStatus,
    quota::{self, Usage},
};
use crate::{
    access::{Actor, Role, Sensitive},
    base::{
        error::Result,
        ids::{TenantId, Typed as _},
    },
    graphql::{Balances, ContextExt as _, RateLimit},
    organization::{
        members::User,
        roles::{self, CustomRole, ScopeOfKind},
    },
};

/// A company that works with Dealgraph. You see the one that your token is for.
#[Object]
impl Tenant {
    /// The id, as `tenant:<uuid>`.
    async fn id(&self) -> TenantId {
        self.tenant_id
    }

    #[graphql(flatten)]
    async fn settings(&self) -> &TenantSettings {
        &self.settings
    }

    /// What is left of what all of the tenant may ask for together.
    async fn rate_limit(&self, ctx: &Context<'_>) -> RateLimit {
        let [_, tenant] = spending(ctx).balances(ctx.request().actor());
        tenant
    }

    /// The short name in addresses.
    async fn slug(&self) -> &str {
        &self.slug
    }

    /// Whether it is at work.
    async fn status(&self) -> TenantStatus {
        self.status
    }

    /// The plan that it is on, which decides how much its requests may ask for; null for the usual one. The operator of
    /// the server sets it.
    async fn plan(&self) -> Option<&str> {
        self.plan.as_deref()
    }

    /// How many of some things it may have, and how many it has; null for all but admins.
    async fn quotas(&self, ctx: &Context<'_>) -> Result<Option<TenantQuotas>> {
        // The role and not the right: in a suspended tenant no member has that.
        if ctx.request().actor().role != Role::Admin {
            return Ok(None);
        }
        let usage = ctx
            .request()
            .read(async |tx| quota::usage(tx).await)
            .await?;
        Ok(Some(TenantQuotas::new(&self.quotas, usage)))
    }

    /// When its data may be removed; null unless it is about to be deleted.
    async fn delete_after(&self) -> Option<DateTime<Utc>> {
        self.delete_after
    }

    /// Why it is suspended; null for all but admins.
    async fn suspended_because(&self, ctx: &Context<'_>) -> Option<&str> {
        let is_admin = ctx.request().actor().role == Role::Admin;
        self.suspended_because.as_deref().filter(|_| is_admin)
    }

    /// Since when it exists.
    async fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    /// Counts changes from 1.
    async fn version(&self) -> i32 {
        self.version
    }

    /// What you may do with it.
    async fn can(&self, ctx: &Context<'_>) -> TenantCan {
        let actor = ctx.request().actor();
        let is_admin = actor.role == Role::Admin && actor.person().is_some();
        TenantCan {
            update: actor.may("admin"),
            schedule_deletion: is_admin && self.status == TenantStatus::Active,
            cancel_deletion: is_admin && self.status == TenantStatus::Deleting,
        }
    }
}

/// What you may do with the tenant.
#[derive(SimpleObject)]
struct TenantCan {
    /// Change its settings.
    update: bool,
    /// Schedule its end.
    schedule_deletion: bool,
    /// Call its end off.
    cancel_deletion: bool,
}

/// How many of some things a tenant may have, and how many it has.
#[derive(SimpleObject)]
struct TenantQuotas {
    /// Members who may sign in and open invitations, together.
    members: Quota,
    /// Teams.
    teams: Quota,
    /// Roles of its own.
    roles: Quota,
    /// Keys that work.
    api_keys: Quota,
    /// Webhook endpoints.
    webhook_endpoints: Quota,
}

/// How many of something there may be, and are.
#[derive(SimpleObject)]
struct Quota {
    /// How many there may be.
    limit: i32,
    /// How many there are.
    used: i32,
}

impl TenantQuotas {
    fn new(limits: &Quotas, usage: Usage) -> Self {
        let quota = |limit: i32, used: i64| Quota {
            limit,
            used: i32::try_from(used).unwrap_or(i32::MAX),
        };
        Self {
            members: quota(limits.quota_members, usage.members),
            teams: quota(limits.quota_teams, usage.teams),
            roles: quota(limits.quota_roles, usage.roles),
            api_keys: quota(limits.quota_api_keys, usage.api_keys),
            webhook_endpoints: quota(limits.quota_webhook_endpoints, usage.webhook_endpoints),
        }
    }
}

/// You: the person your token is for, and what you may do here.
struct Viewer(Arc<Actor>);

/// You: the person your token is for, and what you may do here.
#[Object]
impl Viewer {
    /// Your id: `user:<uuid>`, or `apiKey:<uuid>` for a program.
    async fn id(&self) -> ID {
        ID(self.0.author.to_string())
    }

    /// The person, with name and membership; null for a program.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        User::load(ctx, self.0.person()).await
    }

    /// The tenant that your token is for.
    async fn tenant(&self, ctx: &Context<'_>) -> Result<Tenant> {
        ctx.request().read(async |tx| super::own(tx).await).await
    }

    /// Your role.
    async fn role(&self) -> Role {
        self.0.role
    }

    /// The role that the tenant made, when that is yours.
    async fn custom_role(&self, ctx: &Context<'_>) -> Result<Option<Arc<CustomRole>>> {
        ctx.request()
            .load(self.0.custom_role.map(|id| id.uuid()))
            .await
    }

    /// What you may do, as permission strings such as `opportunities:write`.
    async fn permissions(&self) -> Vec<&'static str> {
        self.0.rights.permissions()
    }

    /// Which rows of each kind of record your permissions reach.
    async fn scopes(&self) -> Vec<ScopeOfKind> {
        roles::scopes_of(&self.0.rights)
    }

    /// The sensitive fields that you are not shown: they read as null, and can be neither written nor filtered by.
    async fn masks(&self) -> &[Sensitive] {
        self.0.rights.masks()
    }

    /// Whether you hold a permission, such as `opportunities:write`, on any row at all; with a scope, as in
    /// `opportunities:write:team`, whether on rows that far. An unknown permission is one you don't hold.
    async fn can(&self, permission: String) -> bool {
        self.0.rights.holds(&permission)
    }

    /// What is left of what you may ask for; each answer tells it too, in `extensions.cost`.
    async fn rate_limit(&self, ctx: &Context<'_>) -> RateLimit {
        let [own, _] = spending(ctx).balances(&self.0);
        own
    }

    /// When your token ends; get a new one before.
    async fn token_expires_at(&self) -> DateTime<Utc> {
        self.0.expires_at
    }
}

fn spending<'a>(ctx: &Context<'a>) -> &'a Arc<dyn Balances> {
    ctx.data_unchecked::<Arc<dyn Balances>>()
}

/// Reading the tenant and the viewer.
#[derive(Default)]
pub struct TenantQuery;

#[Object]
impl TenantQuery {
    /// You: the person your token is for, and what you may do here.
    async fn viewer(&self, ctx: &Context<'_>) -> Viewer {
        Viewer(Arc::clone(ctx.request().actor()))
    }

    /// The tenant that your token is for.
    async fn tenant(&self, ctx: &Context<'_>) -> Result<Tenant> {
        ctx.request().read(async |tx| super::own(tx).await).await
    }
}
