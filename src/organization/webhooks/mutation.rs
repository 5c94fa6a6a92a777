//! Endpoints and deliveries in the schema: what can be done.

use std::sync::Arc;

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    EndpointChange, NewEndpoint, RendererHandle, WebhookEndpoint, WebhookSubscription,
    deliveries::{self, WebhookDelivery},
    subscriptions::{self, WebhookSubscriptionInput},
};
use crate::{
    base::{
        error::{Error, Result},
        ids::{Typed as _, WebhookDeliveryId, WebhookEndpointId},
    },
    db::Tx,
    events::EventCursor,
    graphql::{ContextExt as _, DeletePayload, UserError, Written, answer, scalars::BigInt},
    organization::accounts::Accounts,
    platform::{outbound::Outbound, standard_webhooks::SigningKey},
};

/// An endpoint to be set up.
#[derive(Debug, InputObject)]
struct WebhookEndpointCreateInput {
    /// What it is called, for example after the program that receives.
    name: String,
    /// Where to: an https address that anybody on the internet could reach.
    url: String,
    /// What it is sent, up to ten. An event is sent once, by the first that takes it.
    subscriptions: Vec<WebhookSubscriptionInput>,
    /// Whether what you yourself change is left out, so that a receiver that writes back with your key does not answer
    /// itself.
    #[graphql(default)]
    skips_own: bool,
}

/// A change to an endpoint. What is left out stays. From then on it is sent what you may see.
#[derive(Debug, InputObject)]
struct WebhookEndpointUpdateInput {
    /// Which endpoint.
    id: WebhookEndpointId,
    /// The version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// What it is called.
    name: Option<String>,
    /// Where to.
    url: Option<String>,
    /// What it is sent.
    subscriptions: Option<Vec<WebhookSubscriptionInput>>,
    /// Whether what you yourself change is left out.
    skips_own: Option<bool>,
    /// Whether it is sent anything. What is to be sent when it is disabled is not sent any more; once it is enabled again
    /// it is sent what happens from then on.
    enabled: Option<bool>,
}

/// An endpoint that gets a new secret.
#[derive(Debug, InputObject)]
struct WebhookEndpointRotateInput {
    /// Which endpoint.
    id: WebhookEndpointId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// For how many hours the old secret signs too, 0 to 168.
    #[graphql(default = 24)]
    overlap_hours: i32,
}

/// Names an endpoint, and the version it is expected at.
#[derive(Debug, InputObject)]
struct WebhookEndpointRefInput {
    /// Which endpoint.
    id: WebhookEndpointId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
}

/// An endpoint that is to follow events again.
#[derive(Debug, InputObject)]
struct WebhookEndpointReplayInput {
    /// Which endpoint.
    id: WebhookEndpointId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// The place that it begins after: a `cursor` that it was sent, or an `eventCursor`.
    after: EventCursor,
}

/// Names a delivery.
#[derive(Debug, InputObject)]
struct WebhookDeliveryRefInput {
    /// Which delivery.
    id: WebhookDeliveryId,
}

/// The deliveries that came about within some time.
#[derive(Debug, InputObject)]
struct WebhookDeliveryResendRangeInput {
    /// Of which endpoint.
    webhook_endpoint_id: WebhookEndpointId,
    /// Those that came about then or later.
    from: DateTime<Utc>,
    /// Those that came about before.
    to: DateTime<Utc>,
    /// Only those that the receiver does not have.
    #[graphql(default = true)]
    only_failed: bool,
}

/// What a change to an endpoint came to.
#[derive(SimpleObject)]
struct WebhookEndpointPayload {
    /// The endpoint after the change; after a CONFLICT as it is now; null when the change was refused.
    webhook_endpoint: Option<Arc<WebhookEndpoint>>,
    /// What has to be mended; empty when the change was made.
    user_errors: Vec<UserError>,
}

/// An endpoint with its secret.
#[derive(SimpleObject)]
struct WebhookEndpointSecretPayload {
    /// The endpoint; null when it was refused.
    webhook_endpoint: Option<Arc<WebhookEndpoint>>,
    /// The secret that signs, `whsec_…`, as the libraries of Standard Webhooks take it. It is shown here and never again.
    secret: Option<String>,
    /// What has to be mended; empty when it was done.
    user_errors: Vec<UserError>,
}

/// What became of a delivery.
#[derive(SimpleObject)]
struct WebhookDeliveryPayload {
    /// The delivery as it is now; null when nothing was done.
    webhook_delivery: Option<Arc<WebhookDelivery>>,
    /// What has to be mended; empty when it was done.
    user_errors: Vec<UserError>,
}

/// How many deliveries are sent again.
#[derive(SimpleObject)]
struct WebhookDeliveryResendRangePayload {
    /// How many; null when none were.
    resent: Option<BigInt>,
    /// What has to be mended; empty when it was done.
    user_errors: Vec<UserError>,
}

/// The secret can't be shown a second time: the database has it sealed, for signing only.
impl Written for (WebhookEndpoint, SigningKey) {
    const LOST: &str = "its secret was for that answer only: rotate the endpoint's secret";

    fn subject(&self) -> Option<(&'static str, Uuid)> {
        self.0.subject()
    }

    async fn rebuild(_: &mut Tx, _: Option<(&str, Uuid)>) -> Result<Option<Self>> {
        Ok(None)
    }
}

/// How many deliveries are sent again; the same once more would send others.
struct Resent(u64);

impl Written for Resent {
    const LOST: &str = "the deliveries are sent again, and it is not known any more how many: see `webhookDeliveries`";

    fn subject(&self) -> Option<(&'static str, Uuid)> {
        None
    }

    async fn rebuild(_: &mut Tx, _: Option<(&str, Uuid)>) -> Result<Option<Self>> {
        Ok(None)
    }
}

/// Writing endpoints; for who holds `integrations:write`.
#[derive(Default)]
pub struct WebhookMutation;

#[Object]
impl WebhookMutation {
    /// Sets up an endpoint, which is sent what happens from now on. Its secret is in the answer and nowhere else.
    async fn webhook_endpoint_create(
        &self,
        ctx: &Context<'_>,
        input: WebhookEndpointCreateInput,
    ) -> async_graphql::Result<WebhookEndpointSecretPayload> {
        let outcome = match checked(ctx, Some(input.url), Some(input.subscriptions)).await {
            Ok((url, subscriptions)) => {
                let new = NewEndpoint {
                    name: input.name,
                    url: url.unwrap_or_default(),
                    subscriptions: subscriptions.unwrap_or_default(),
                    skips_own: input.skips_own,
                };
                let vault = &ctx.data_unchecked::<Arc<Accounts>>().vault;
                let written = ctx
                    .request()
                    .write(async |tx| super::create(tx, vault, new).await);
                written.await
            }
            Err(error) => Err(error),
        };
        secret_payload(ctx, WebhookEndpointId::default(), outcome).await
    }

    /// Changes an endpoint, disables it or enables it again.
    async fn webhook_endpoint_update(
        &self,
        ctx: &Context<'_>,
        input: WebhookEndpointUpdateInput,
    ) -> async_graphql::Result<WebhookEndpointPayload> {
        let outcome = match checked(ctx, input.url, input.subscriptions).await {
            Ok((url, subscriptions)) => {
                let change = EndpointChange {
                    name: input.name,
                    url,
                    subscriptions,
                    skips_own: input.skips_own,
                    enabled: input.enabled,
                };
                let endpoint = (input.id, input.expected_version);
                let written = ctx
                    .request()
                    .write(async |tx| super::update(tx, endpoint, change).await);
                written.await
            }
            Err(error) => Err(error),
        };
        payload(ctx, input.id, outcome).await
    }

    /// Gives an endpoint a new secret. The old one signs too until the overlap is over.
    async fn webhook_endpoint_rotate_secret(
        &self,
        ctx: &Context<'_>,
        input: WebhookEndpointRotateInput,
    ) -> async_graphql::Result<WebhookEndpointSecretPayload> {
        let endpoint = (input.id, input.expected_version);
        let vault = &ctx.data_unchecked::<Arc<Accounts>>().vault;
        let outcome = ctx
            .request()
            .write(async |tx| super::rotate(tx, vault, endpoint, input.overlap_hours).await);
        secret_payload(ctx, input.id, outcome.await).await
    }

    /// Deletes an endpoint with all that is to be sent to it, and the log of what was.
    async fn webhook_endpoint_delete(
        &self,
        ctx: &Context<'_>,
        input: WebhookEndpointRefInput,
    ) -> async_graphql::Result<DeletePayload> {
        let outcome = ctx
            .request()
            .write(async |tx| super::delete(tx, input.id, input.expected_version).await);
        DeletePayload::new(input.id, outcome.await)
    }

    /// Sends an endpoint something that says nothing, to see whether it arrives.
    async fn webhook_endpoint_ping(
        &self,
        ctx: &Context<'_>,
        input: WebhookEndpointRefInput,
    ) -> async_graphql::Result<WebhookDeliveryPayload> {
        let endpoint = (input.id, input.expected_version);
        let outcome = ctx
            .request()
            .write(async |tx| deliveries::ping(tx, endpoint).await);
        delivery_payload(ctx, Uuid::nil(), outcome.await).await
    }

    /// Has an endpoint follow the events again that came after a cursor and are kept still. What it was sent already is not
    /// sent again; what it was not is, for example because it was disabled.
    async fn webhook_endpoint_replay(
        &self,
        ctx: &Context<'_>,
        input: WebhookEndpointReplayInput,
    ) -> async_graphql::Result<WebhookEndpointPayload> {
        let endpoint = (input.id, input.expected_version);
        let outcome = ctx
            .request()
            .write(async |tx| super::replay(tx, endpoint, &input.after).await);
        payload(ctx, input.id, outcome.await).await
    }

    /// Sends a delivery again, under the same id, with as many attempts as a new one.
    async fn webhook_delivery_resend(
        &self,
        ctx: &Context<'_>,
        input: WebhookDeliveryRefInput,
    ) -> async_graphql::Result<WebhookDeliveryPayload> {
        let outcome = ctx
            .request()
            .write(async |tx| deliveries::resend(tx, input.id).await);
        delivery_payload(ctx, input.id.uuid(), outcome.await).await
    }

    /// Sends those deliveries of an endpoint again that came about within some time, up to 10,000.
    async fn webhook_delivery_resend_range(
        &self,
        ctx: &Context<'_>,
        input: WebhookDeliveryResendRangeInput,
    ) -> async_graphql::Result<WebhookDeliveryResendRangePayload> {
        let within = (input.from, input.to);
        let outcome = ctx.request().write(async |tx| {
            let resent =
                deliveries::resend_range(tx, input.webhook_endpoint_id, within, input.only_failed);
            resent.await.map(Resent)
        });
        let (resent, user_errors) = match outcome.await {
            Ok(Resent(resent)) => (i64::try_from(resent).ok().map(BigInt), Vec::new()),
            Err(error) if error.is_users() => (None, vec![UserError::from(&error)]),
            Err(error) => return Err(error.into()),
        };
        Ok(WebhookDeliveryResendRangePayload {
            resent,
            user_errors,
        })
    }
}

/// Checks an address and documents, before any transaction: both take their time.
async fn checked(
    ctx: &Context<'_>,
    url: Option<String>,
    inputs: Option<Vec<WebhookSubscriptionInput>>,
) -> Result<(Option<String>, Option<Vec<WebhookSubscription>>)> {
    let actor = ctx.request().actor();
    // They are refused where it is written, with the reason that comes first.
    if !actor.may("integrations:write") {
        return Ok((None, None));
    }
    let outbound = ctx.data_unchecked::<Outbound>();
    let url = match url {
        Some(url) => {
            let checked = outbound.check(url.trim());
            let checked = checked.map_err(|no| Error::invalid(no.code, "url", no.message))?;
            Some(checked.into())
        }
        None => None,
    };
    let subscriptions = inputs.map(subscriptions::read).transpose()?;
    let renderer = ctx.data_unchecked::<RendererHandle>().get()?;
    for (place, subscription) in subscriptions.iter().flatten().enumerate() {
        let checked = renderer.check(actor, subscription).await;
        checked.map_err(|error| error.within(&format!("subscriptions.{place}")))?;
    }
    Ok((url, subscriptions))
}

async fn payload(
    ctx: &Context<'_>,
    id: WebhookEndpointId,
    outcome: Result<WebhookEndpoint>,
) -> async_graphql::Result<WebhookEndpointPayload> {
    let (webhook_endpoint, user_errors) = answer(ctx, id.uuid(), outcome).await?;
    Ok(WebhookEndpointPayload {
        webhook_endpoint,
        user_errors,
    })
}

async fn secret_payload(
    ctx: &Context<'_>,
    id: WebhookEndpointId,
    outcome: Result<(WebhookEndpoint, SigningKey)>,
) -> async_graphql::Result<WebhookEndpointSecretPayload> {
    let (endpoint, secret) = match outcome {
        Ok((endpoint, key)) => (Ok(endpoint), Some(key.to_text())),
        Err(error) => (Err(error), None),
    };
    let (webhook_endpoint, user_errors) = answer(ctx, id.uuid(), endpoint).await?;
    Ok(WebhookEndpointSecretPayload {
        webhook_endpoint,
        secret,
        user_errors,
    })
}

async fn delivery_payload(
    ctx: &Context<'_>,
    id: Uuid,
    outcome: Result<WebhookDelivery>,
) -> async_graphql::Result<WebhookDeliveryPayload> {
    let (webhook_delivery, user_errors) = answer(ctx, id, outcome).await?;
    Ok(WebhookDeliveryPayload {
        webhook_delivery,
        user_errors,
    })
}
