//! Deliveries in the schema: what can be read.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use dealgraph_derive::connection_args;

use super::{
    DeliveryStatus, WebhookDelivery,
    filter::{USUAL_ORDER, WebhookDeliveryFilter, WebhookDeliveryOrder},
    loader::Attempts,
    message_id,
    model::{Attempt, AttemptOutcome},
};
use crate::{
    base::{
        error::Result,
        ids::{Typed as _, WebhookDeliveryId},
    },
    graphql::{Connection, ContextExt as _, ListArgs, Listing, scalars::JsonValue},
    organization::webhooks::WebhookEndpoint,
};

/// Something that was or is to be sent to an endpoint. It is known for 14 days after it has ended.
#[Object]
impl WebhookDelivery {
    /// The id, as `webhookDelivery:<uuid>`.
    pub async fn id(&self) -> WebhookDeliveryId {
        self.id
    }

    /// The header `webhook-id` that it is sent with, the same at every attempt.
    async fn message_id(&self) -> String {
        message_id(self.id.uuid())
    }

    /// Where to.
    async fn endpoint(&self, ctx: &Context<'_>) -> Result<Option<Arc<WebhookEndpoint>>> {
        ctx.request().load(Some(self.endpoint_id.uuid())).await
    }

    /// What happened, as `type` in the body: `opportunity.won` for example, or `ping`.
    #[graphql(name = "type")]
    async fn event_type(&self) -> String {
        match (&self.entity, &self.change) {
            (Some(entity), Some(change)) => format!("{entity}.{change}"),
            _ => "ping".to_owned(),
        }
    }

    /// The record that it is about; null for a ping.
    async fn record_id(&self) -> Option<ID> {
        let (entity, id) = self.entity.as_deref().zip(self.entity_id)?;
        Some(ID(format!("{entity}:{}", id.hyphenated())))
    }

    /// How far it is.
    async fn status(&self) -> DeliveryStatus {
        self.status
    }

    /// How often it was sent.
    async fn attempt_count(&self) -> i32 {
        self.attempts
    }

    /// While it is PENDING: when it is to be sent, or sent again.
    async fn due_at(&self) -> Option<DateTime<Utc>> {
        self.due_at
    }

    /// What is sent; for admins, and for who answered for the endpoint when it was worked out.
    async fn body(&self) -> Option<JsonValue> {
        JsonValue::some(serde_json::from_str(self.body.as_deref()?).ok()?)
    }

    /// The status of the last answer.
    async fn response_status(&self) -> Option<i32> {
        self.response_status
    }

    /// Why the last attempt failed, for programs.
    async fn error_code(&self) -> Option<&str> {
        self.error_code.as_deref()
    }

    /// The last attempts, up to 30, the latest first.
    async fn attempts(&self, ctx: &Context<'_>) -> Result<Vec<WebhookAttempt>> {
        let attempts = ctx.request().load_with::<Attempts>(self.id.uuid()).await?;
        Ok(attempts.into_iter().map(WebhookAttempt).collect())
    }

    /// When it came about.
    async fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    /// When it ended.
    async fn ended_at(&self) -> Option<DateTime<Utc>> {
        self.ended_at
    }
}

/// One time that a delivery was sent.
struct WebhookAttempt(Attempt);

/// One time that a delivery was sent.
#[Object]
impl WebhookAttempt {
    /// Which one, from 1.
    async fn number(&self) -> i32 {
        self.0.attempt
    }

    /// When it was sent.
    async fn started_at(&self) -> DateTime<Utc> {
        self.0.started_at
    }

    /// What became of it.
    async fn outcome(&self) -> AttemptOutcome {
        self.0.outcome
    }

    /// The status of the answer.
    async fn response_status(&self) -> Option<i32> {
        self.0.response_status
    }

    /// Why it failed, for programs: `REFUSED` by another status than 2xx, `TIMED_OUT`, `UNRESOLVED`, `UNREACHABLE`, `TLS`,
    /// `ADDRESS_REFUSED` and the like.
    async fn error_code(&self) -> Option<&str> {
        self.0.error_code.as_deref()
    }

    /// How long it took, in milliseconds.
    async fn took_ms(&self) -> Option<i32> {
        self.0.took_ms
    }

    /// The begin of what was answered, up to a kilobyte of text.
    async fn response(&self) -> Option<&str> {
        self.0.response.as_deref()
    }
}

/// Reading deliveries.
#[derive(Default)]
pub struct WebhookDeliveryQuery;

#[connection_args]
#[Object]
impl WebhookDeliveryQuery {
    /// A delivery by its id; null when there is none that you may see.
    async fn webhook_delivery(
        &self,
        ctx: &Context<'_>,
        id: WebhookDeliveryId,
    ) -> Result<Option<Arc<WebhookDelivery>>> {
        ctx.request().load(Some(id.uuid())).await
    }

    /// What was or is to be sent to the endpoints of the tenant, the newest first. For who holds `integrations:write`.
    async fn webhook_deliveries(
        &self,
        ctx: &Context<'_>,
        #[list(never_archived)] args: ListArgs<WebhookDeliveryFilter, WebhookDeliveryOrder>,
    ) -> Result<Connection<WebhookDelivery>> {
        Listing::read(ctx, args.query(ctx.request().actor().tenant, USUAL_ORDER)?).await
    }
}
