//! Endpoints in the schema: what can be read.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use chrono::{DateTime, Utc};
use dealgraph_derive::connection_args;
use uuid::Uuid;

use super::{
    WebhookEndpoint,
    filter::{USUAL_ORDER, WebhookEndpointFilter, WebhookEndpointOrder},
    loader::Healths,
    model::EndpointFields,
    subscriptions::ShownSubscription,
};
use crate::{
    base::{
        error::Result,
        ids::{Typed as _, WebhookEndpointId},
    },
    graphql::{Connection, ContextExt as _, ListArgs, Listing, RecordRights, scalars::BigInt},
    organization::members::ChangeAuthor,
};

/// A server elsewhere that is sent what happens in the tenant: signed, in order for each record, and again until it has it.
#[Object]
impl WebhookEndpoint {
    /// The id, as `webhookEndpoint:<uuid>`.
    pub async fn id(&self) -> WebhookEndpointId {
        self.id
    }

    #[graphql(flatten)]
    async fn fields(&self) -> &EndpointFields {
        &self.fields
    }

    /// What it is sent.
    async fn subscriptions(&self) -> Vec<ShownSubscription> {
        self.fields
            .subscriptions
            .iter()
            .map(ShownSubscription::from)
            .collect()
    }

    /// Whose rights decide what is sent: who changed it last.
    async fn runs_as(&self) -> ChangeAuthor {
        ChangeAuthor::new(&self.fields.runs_as)
    }

    /// How it answers.
    async fn health(&self, ctx: &Context<'_>) -> Result<WebhookHealth> {
        let health = ctx.request().load_with::<Healths>(self.id.uuid()).await?;
        Ok(health.unwrap_or_default())
    }

    /// What you may do with it.
    async fn can(&self, ctx: &Context<'_>) -> RecordRights {
        let may = ctx.request().actor().may("integrations:write");
        RecordRights {
            update: may,
            delete: may,
        }
    }

    /// When it was set up.
    async fn created_at(&self) -> DateTime<Utc> {
        self.stamps.created_at
    }

    /// Who set it up.
    async fn created_by(&self) -> ChangeAuthor {
        ChangeAuthor::new(&self.stamps.created_by)
    }

    /// Counts changes; send it back as `expectedVersion` to not overwrite another change.
    async fn version(&self) -> i32 {
        self.stamps.version
    }
}

/// How an endpoint answers.
#[derive(Debug, Clone, Default, SimpleObject)]
pub(super) struct WebhookHealth {
    #[graphql(skip)]
    pub(super) webhook_endpoint_id: Uuid,
    /// When something arrived there last.
    pub(super) delivered_at: Option<DateTime<Utc>>,
    /// Since when nothing arrives there; null when it is well. After five days it is disabled.
    pub(super) failing_since: Option<DateTime<Utc>>,
    /// How often in a row nothing arrived.
    pub(super) failures: i32,
    /// Why the last attempt failed, for programs.
    pub(super) last_error_code: Option<String>,
    /// Nothing is sent before.
    pub(super) rests_until: Option<DateTime<Utc>>,
    /// How many events have happened of which it is not known yet whether they are to be sent.
    pub(super) behind: BigInt,
    /// How much is to be sent still, counted up to 10,000.
    pub(super) pending: i32,
}

/// Reading endpoints.
#[derive(Default)]
pub struct WebhookQuery;

#[connection_args]
#[Object]
impl WebhookQuery {
    /// An endpoint by its id; null when there is none that you may see.
    async fn webhook_endpoint(
        &self,
        ctx: &Context<'_>,
        id: WebhookEndpointId,
    ) -> Result<Option<Arc<WebhookEndpoint>>> {
        ctx.request().load(Some(id.uuid())).await
    }

    /// The servers that are sent what happens in the tenant, the newest first unless ordered otherwise. For who holds
    /// `integrations:write`.
    async fn webhook_endpoints(
        &self,
        ctx: &Context<'_>,
        #[list(never_archived)] args: ListArgs<WebhookEndpointFilter, WebhookEndpointOrder>,
    ) -> Result<Connection<WebhookEndpoint>> {
        Listing::read(ctx, args.query(ctx.request().actor().tenant, USUAL_ORDER)?).await
    }
}
