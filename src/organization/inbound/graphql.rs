//! Endpoints and their messages in the schema: what can be read.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use chrono::{DateTime, Utc};
use dealgraph_derive::connection_args;

use super::{
    EndpointAddress, InboundEndpoint, InboundMessage, InboundMessageStatus, InboundVerification,
    filter::{
        InboundEndpointFilter, InboundEndpointOrder, InboundMessageFilter, InboundMessageOrder,
        NEWEST, USUAL_ORDER,
    },
    message::{self, Bodies},
    model::InboundEndpointFields,
};
use crate::{
    base::{
        error::Result,
        ids::{InboundEndpointId, InboundMessageId, IntegrationId, JobId, LeadFormId, Typed as _},
    },
    graphql::{Connection, ContextExt as _, ListArgs, Listing, RecordRights},
    organization::members::ChangeAuthor,
};

/// An address that other services send messages to.
#[Object]
impl InboundEndpoint {
    /// The id, as `inboundEndpoint:<uuid>`.
    pub async fn id(&self) -> InboundEndpointId {
        self.id
    }

    #[graphql(flatten)]
    async fn fields(&self) -> &InboundEndpointFields {
        &self.fields
    }

    /// LEAD_FORM: the form that messages go to.
    async fn lead_form_id(&self) -> Option<LeadFormId> {
        self.fields.lead_form_id
    }

    /// INTEGRATION: the account whose service sends.
    async fn integration_id(&self) -> Option<IntegrationId> {
        self.fields.integration_id
    }

    /// What follows the server's name in its address. Null where that is a secret, which was shown once.
    async fn path(&self, ctx: &Context<'_>) -> Option<String> {
        let tenant = ctx.request().actor().tenant;
        let is_open = self.fields.verification != InboundVerification::Basic;
        is_open.then(|| EndpointAddress::open(tenant, self.id).path())
    }

    /// What you may do with it.
    async fn can(&self, ctx: &Context<'_>) -> RecordRights {
        RecordRights {
            update: ctx.request().actor().may("integrations:write"),
            delete: false,
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

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.stamps.updated_at
    }

    /// Counts changes; send it back as `expectedVersion` to not overwrite another change.
    async fn version(&self) -> i32 {
        self.stamps.version
    }
}

/// A message that another service sent, kept for 30 days.
#[Object]
impl InboundMessage {
    /// The id, as `inboundMessage:<uuid>`.
    pub async fn id(&self) -> InboundMessageId {
        self.id
    }

    /// The endpoint that it came to.
    async fn endpoint(&self, ctx: &Context<'_>) -> Result<Option<Arc<InboundEndpoint>>> {
        ctx.request().load(Some(self.inbound_endpoint_id)).await
    }

    /// What the sender calls it, or a digest of it that stands for that.
    async fn message_id(&self) -> &str {
        &self.message_id
    }

    /// How far it is.
    async fn status(&self) -> InboundMessageStatus {
        self.status
    }

    /// The type of the body.
    async fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// How many bytes the body has.
    async fn size(&self) -> i32 {
        self.size
    }

    /// The body, of a long one the begin. Null when it is no text, and for who is not shown all fields of records: anything
    /// may be in it.
    async fn body(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        if !ctx.request().actor().rights.masks().is_empty() {
            return Ok(None);
        }
        let body = ctx.request().load_with::<Bodies>(self.id.uuid()).await?;
        Ok(message::text(&body))
    }

    /// What was wrong at the last attempt at handling it.
    async fn error(&self) -> Option<InboundMessageError> {
        self.error_code.clone().map(|code| InboundMessageError {
            code,
            message: self.error_message.clone().unwrap_or_default(),
        })
    }

    /// The job that handles it, or did.
    async fn job_id(&self) -> Option<JobId> {
        self.job_id
    }

    /// How often somebody had it handled again.
    async fn replays(&self) -> i32 {
        self.replays
    }

    /// When it came.
    async fn received_at(&self) -> DateTime<Utc> {
        self.received_at
    }

    /// When it was handled.
    async fn processed_at(&self) -> Option<DateTime<Utc>> {
        self.processed_at
    }
}

/// What was wrong with an attempt at handling a message.
#[derive(SimpleObject)]
struct InboundMessageError {
    /// What is wrong, for programs.
    code: String,
    /// What is wrong, for people.
    message: String,
}

/// Reading endpoints and their messages; for who holds `integrations:write`.
#[derive(Default)]
pub struct InboundQuery;

#[connection_args]
#[Object]
impl InboundQuery {
    /// An endpoint by its id; null when there is none that you may see.
    async fn inbound_endpoint(
        &self,
        ctx: &Context<'_>,
        id: InboundEndpointId,
    ) -> Result<Option<Arc<InboundEndpoint>>> {
        ctx.request().load(Some(id.uuid())).await
    }

    /// The endpoints of the tenant, the newest first unless ordered otherwise.
    async fn inbound_endpoints(
        &self,
        ctx: &Context<'_>,
        #[list(never_archived)] args: ListArgs<InboundEndpointFilter, InboundEndpointOrder>,
    ) -> Result<Connection<InboundEndpoint>> {
        Listing::read(ctx, args.query(ctx.request().actor().tenant, USUAL_ORDER)?).await
    }

    /// A message by its id; null when there is none that you may see.
    async fn inbound_message(
        &self,
        ctx: &Context<'_>,
        id: InboundMessageId,
    ) -> Result<Option<Arc<InboundMessage>>> {
        ctx.request().load(Some(id.uuid())).await
    }

    /// The messages that came to the tenant's endpoints, the newest first unless ordered otherwise.
    async fn inbound_messages(
        &self,
        ctx: &Context<'_>,
        #[list(never_archived)] args: ListArgs<InboundMessageFilter, InboundMessageOrder>,
    ) -> Result<Connection<InboundMessage>> {
        Listing::read(ctx, args.query(ctx.request().actor().tenant, NEWEST)?).await
    }
}
