//! The tenant and the viewer in the schema.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};

use super::{Tenant, TenantStatus, model};
use crate::{
    auth::{Actor, Role, Sensitive},
    error::Result,
    graphql::ContextExt as _,
    ids::{TenantId, Typed as _},
    members::User,
    roles::{self, CustomRole, ScopeOfKind},
};

/// A company that works with Dealgraph. You see the one that your token is for.
#[Object]
impl Tenant {
    /// The id, as `tenant:<uuid>`.
    async fn id(&self) -> TenantId {
        self.tenant_id
    }

    /// The short name in addresses.
    async fn slug(&self) -> &str {
        &self.slug
    }

    /// What it is called.
    async fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is at work.
    async fn status(&self) -> TenantStatus {
        self.status
    }

    /// The currency it reports in, by its ISO 4217 code.
    async fn base_currency(&self) -> &str {
        &self.base_currency
    }

    /// Its time zone, by its IANA name; days begin and end in it.
    async fn time_zone(&self) -> &str {
        &self.time_zone
    }

    /// Its language and region (BCP 47).
    async fn locale(&self) -> &str {
        &self.locale
    }

    /// The month its fiscal year starts in, 1 to 12.
    async fn fiscal_year_start(&self) -> i32 {
        self.fiscal_year_start.into()
    }

    /// Whether losing a deal needs a reason.
    async fn lost_reason_required(&self) -> bool {
        self.lost_reason_required
    }

    /// From which warmness score on (0 to 100) a contact counts as warm.
    async fn warmness_threshold(&self) -> i32 {
        self.warmness_threshold.into()
    }

    /// Since when it exists.
    async fn created_at(&self) -> DateTime<Utc> {
        self.created_at
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
        ctx.request().read(async |tx| model::own(tx).await).await
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

    /// When your token ends; get a new one before.
    async fn token_expires_at(&self) -> DateTime<Utc> {
        self.0.expires_at
    }
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
        ctx.request().read(async |tx| model::own(tx).await).await
    }
}
