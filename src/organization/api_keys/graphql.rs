//! Keys in the schema: what can be read.

use std::sync::Arc;

use async_graphql::{Context, Object};
use chrono::{DateTime, Utc};
use dealgraph_derive::connection_args;

use super::{
    ApiKey, ApiKeyStatus,
    filter::{ApiKeyFilter, ApiKeyOrder, USUAL_ORDER},
    model::KeyFields,
};
use crate::{
    access::Role,
    base::{
        error::Result,
        ids::{ApiKeyId, Typed as _},
    },
    graphql::{Connection, ContextExt as _, ListArgs, Listing, RecordRights},
    organization::{
        members::{ChangeAuthor, Team},
        roles::CustomRole,
    },
};

/// A key that a program works with, as `Authorization: Bearer dgk_…`. A key owns nothing: where its scope is OWN it
/// reaches no records, and what it creates has no owner unless it names one.
#[Object]
impl ApiKey {
    /// The id, as `apiKey:<uuid>`.
    pub async fn id(&self) -> ApiKeyId {
        self.id
    }

    #[graphql(flatten)]
    async fn fields(&self) -> &KeyFields {
        &self.fields
    }

    /// The end of its secret, to tell keys apart by.
    async fn hint(&self) -> &str {
        &self.hint
    }

    /// Whether it works.
    async fn status(&self, ctx: &Context<'_>) -> ApiKeyStatus {
        self.fields.status(ctx.request().db().clock().now())
    }

    /// The role that the tenant made, when the role is CUSTOM.
    async fn custom_role(&self, ctx: &Context<'_>) -> Result<Option<Arc<CustomRole>>> {
        ctx.request()
            .load(self.fields.role_id.map(|id| id.uuid()))
            .await
    }

    /// The team whose records it reaches where its scope is TEAM.
    async fn team(&self, ctx: &Context<'_>) -> Result<Option<Arc<Team>>> {
        ctx.request()
            .load(self.fields.team_id.map(|id| id.uuid()))
            .await
    }

    /// The key whose place it took.
    async fn rotated_from(&self, ctx: &Context<'_>) -> Result<Option<Arc<ApiKey>>> {
        ctx.request().load(self.fields.rotated_from).await
    }

    /// When it was last used, to within some minutes.
    async fn last_used_at(&self) -> Option<DateTime<Utc>> {
        self.last_used_at
    }

    /// The address that it was last used from.
    async fn last_used_from(&self) -> Option<&str> {
        self.last_used_from.as_deref()
    }

    /// What you may do with it: change or revoke it.
    async fn can(&self, ctx: &Context<'_>) -> RecordRights {
        let actor = ctx.request().actor();
        let runs = actor.may("integrations:write")
            && (self.fields.role != Role::Admin || actor.may("admin"));
        RecordRights {
            update: runs,
            delete: runs,
        }
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.stamps.created_at
    }

    /// Who made it.
    async fn created_by(&self) -> ChangeAuthor {
        ChangeAuthor::new(&self.stamps.created_by)
    }

    /// Counts changes; send it back as `expectedVersion` to not overwrite another change.
    async fn version(&self) -> i32 {
        self.stamps.version
    }
}

/// Reading keys.
#[derive(Default)]
pub struct ApiKeyQuery;

#[connection_args]
#[Object]
impl ApiKeyQuery {
    /// A key by its id; null when there is none that you may see.
    async fn api_key(&self, ctx: &Context<'_>, id: ApiKeyId) -> Result<Option<Arc<ApiKey>>> {
        ctx.request().load(Some(id.uuid())).await
    }

    /// The keys of the tenant, the newest first unless ordered otherwise. For who holds `integrations:write`.
    async fn api_keys(
        &self,
        ctx: &Context<'_>,
        #[list(never_archived)] args: ListArgs<ApiKeyFilter, ApiKeyOrder>,
    ) -> Result<Connection<ApiKey>> {
        Listing::read(ctx, args.query(ctx.request().actor().tenant, USUAL_ORDER)?).await
    }
}
