//! Endpoints and their messages in the schema: what can be changed.

use std::sync::Arc;

use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    EndpointAddress, EndpointSecret, InboundEndpoint, InboundHandlerKind, InboundMessage,
    InboundMessageStatus, InboundVerification, NewEndpoint, SignatureEncoding,
    model::InboundEndpointFields,
};
use crate::{
    base::{
        error::Result,
        ids::{InboundEndpointId, InboundMessageId, IntegrationId, LeadFormId, Typed as _},
    },
    db::Tx,
    graphql::{
        ContextExt as _, UserError, Written, answer,
        patch::{patch, patch_required},
    },
    organization::accounts::AccountsExt as _,
};

/// An endpoint to be made.
#[derive(Debug, InputObject)]
struct InboundEndpointCreateInput {
    /// What it is called, for example after the service that sends to it.
    name: String,
    /// How messages are verified.
    verification: InboundVerification,
    /// What is done with messages.
    handler: InboundHandlerKind,
    /// LEAD_FORM: the form that messages go to.
    lead_form_id: Option<LeadFormId>,
    /// INTEGRATION: the account whose service sends.
    integration_id: Option<IntegrationId>,
    /// HMAC_SHA256: the header that has the signature.
    signature_header: Option<String>,
    /// HMAC_SHA256: how the signature is written.
    signature_encoding: Option<SignatureEncoding>,
    /// The header that has the sender's id of a message, if it sends one. Not for STANDARD_WEBHOOKS, which says that.
    message_id_header: Option<String>,
    /// BASIC: the name that is sent with the password.
    username: Option<String>,
    /// TWILIO: what stands before the path in the address that the sender is given, such as `https://crm.example`.
    origin: Option<String>,
    /// The secret that the sender gave; leave it out to have one made, which TWILIO can't.
    secret: Option<String>,
}

/// A change to an endpoint. Leave a field out to keep it.
#[derive(Debug, InputObject)]
struct InboundEndpointUpdateInput {
    /// Which endpoint.
    id: InboundEndpointId,
    /// The version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// What it is called.
    name: Option<String>,
    /// What is done with messages that come from now on, or are handled again.
    handler: Option<InboundHandlerKind>,
    /// The form that messages go to.
    lead_form_id: MaybeUndefined<LeadFormId>,
    /// The account whose service sends.
    integration_id: MaybeUndefined<IntegrationId>,
    /// The header that has the signature.
    signature_header: MaybeUndefined<String>,
    /// How the signature is written.
    signature_encoding: MaybeUndefined<SignatureEncoding>,
    /// The header that has the sender's id of a message.
    message_id_header: MaybeUndefined<String>,
    /// The name that is sent with the password.
    username: MaybeUndefined<String>,
    /// What stands before the path in the address that the sender was given.
    origin: MaybeUndefined<String>,
    /// Whether messages are taken.
    enabled: Option<bool>,
    /// Why they are not; emptied when they are.
    disabled_reason: MaybeUndefined<String>,
}

/// An endpoint that gets another secret.
#[derive(Debug, InputObject)]
struct InboundEndpointRotateInput {
    /// Which endpoint.
    id: InboundEndpointId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// The secret that the sender gave; leave it out to have one made.
    secret: Option<String>,
    /// For how many hours the old secret goes on being taken, 0 to 168.
    #[graphql(default = 24)]
    overlap_hours: i32,
}

/// Names a message.
#[derive(Debug, InputObject)]
struct InboundMessageReplayInput {
    /// Which message.
    id: InboundMessageId,
}

/// Messages of an endpoint that came within a time.
#[derive(Debug, InputObject)]
struct InboundMessagesReplayInput {
    /// Which endpoint.
    endpoint_id: InboundEndpointId,
    /// Those that came from then on.
    from: DateTime<Utc>,
    /// And before then.
    to: DateTime<Utc>,
    /// Of those only the ones that are so far, FAILED for example; leave it out for all.
    status: Option<InboundMessageStatus>,
}

/// What a change to an endpoint came to.
#[derive(SimpleObject)]
struct InboundEndpointPayload {
    /// The endpoint after the change; after a CONFLICT as it is now; null when the change was refused.
    inbound_endpoint: Option<Arc<InboundEndpoint>>,
    /// What has to be mended; empty when the change was made.
    user_errors: Vec<UserError>,
}

/// An endpoint with its secret.
#[derive(SimpleObject)]
struct InboundEndpointSecretPayload {
    /// The endpoint; null when it was refused.
    inbound_endpoint: Option<Arc<InboundEndpoint>>,
    /// What follows the server's name in its address. For BASIC it is shown here and never again; null when only the
    /// secret was replaced, which leaves it.
    path: Option<String>,
    /// What the sender signs or authenticates with. It is shown here and never again.
    secret: Option<String>,
    /// What has to be mended; empty when it was done.
    user_errors: Vec<UserError>,
}

/// A message that is handled again.
#[derive(SimpleObject)]
struct InboundMessagePayload {
    /// The message as it is now; null when nothing was done.
    inbound_message: Option<Arc<InboundMessage>>,
    /// What has to be mended; empty when it was done.
    user_errors: Vec<UserError>,
}

/// Messages that are handled again.
#[derive(SimpleObject)]
struct InboundMessagesReplayPayload {
    /// How many they are; 200 at the most.
    count: i32,
    /// When the next one came that is not among them; ask again from then on. Null when these are all.
    next_from: Option<DateTime<Utc>>,
    /// What has to be mended; empty when it was done.
    user_errors: Vec<UserError>,
}

/// An endpoint with what is shown once.
struct Shown(InboundEndpoint, EndpointSecret, Option<EndpointAddress>);

impl Written for Shown {
    const LOST: &str = "its secret was for that answer only: rotate the endpoint, or disable it and make another one";

    fn subject(&self) -> Option<(&'static str, Uuid)> {
        self.0.subject()
    }

    async fn rebuild(_: &mut Tx, _: Option<(&str, Uuid)>) -> Result<Option<Self>> {
        Ok(None)
    }
}

/// How many messages are handled again, and when the next one came.
struct Replayed(usize, Option<DateTime<Utc>>);

impl Written for Replayed {
    const LOST: &str =
        "how many messages they were is not known any more: their `replays` say which";

    fn subject(&self) -> Option<(&'static str, Uuid)> {
        None
    }

    async fn rebuild(_: &mut Tx, _: Option<(&str, Uuid)>) -> Result<Option<Self>> {
        Ok(None)
    }
}

/// Writing endpoints, and having messages handled again; for who holds `integrations:write`.
#[derive(Default)]
pub struct InboundMutation;

#[Object]
impl InboundMutation {
    /// Makes an endpoint. Its secret is in the answer and nowhere else.
    async fn inbound_endpoint_create(
        &self,
        ctx: &Context<'_>,
        input: InboundEndpointCreateInput,
    ) -> async_graphql::Result<InboundEndpointSecretPayload> {
        let vault = Arc::clone(&ctx.accounts().vault);
        let outcome = ctx.request().write(async |tx| {
            let new = NewEndpoint {
                name: input.name,
                verification: input.verification,
                handler: input.handler,
                lead_form_id: input.lead_form_id,
                integration_id: input.integration_id,
                signature_header: input.signature_header,
                signature_encoding: input.signature_encoding,
                message_id_header: input.message_id_header,
                username: input.username,
                origin: input.origin,
                secret: input.secret,
            };
            let (endpoint, secret, address) = super::create(tx, &vault, new).await?;
            Ok(Shown(endpoint, secret, Some(address)))
        });
        shown(ctx, None, outcome.await).await
    }

    /// Changes an endpoint, also whether it takes messages.
    async fn inbound_endpoint_update(
        &self,
        ctx: &Context<'_>,
        input: InboundEndpointUpdateInput,
    ) -> async_graphql::Result<InboundEndpointPayload> {
        let (id, key) = (input.id, (input.id, input.expected_version));
        let change = |fields: &mut InboundEndpointFields| {
            patch_required(input.name, &mut fields.name);
            patch_required(input.handler, &mut fields.handler);
            patch(input.lead_form_id, &mut fields.lead_form_id);
            patch(input.integration_id, &mut fields.integration_id);
            patch(input.signature_header, &mut fields.signature_header);
            patch(input.signature_encoding, &mut fields.signature_encoding);
            patch(input.message_id_header, &mut fields.message_id_header);
            patch(input.username, &mut fields.username);
            patch(input.origin, &mut fields.origin);
            patch_required(input.enabled, &mut fields.enabled);
            patch(input.disabled_reason, &mut fields.disabled_reason);
        };
        let outcome = ctx
            .request()
            .write(async |tx| super::update(tx, key, change).await);
        let (inbound_endpoint, user_errors) = answer(ctx, id.uuid(), outcome.await).await?;
        Ok(InboundEndpointPayload {
            inbound_endpoint,
            user_errors,
        })
    }

    /// Gives an endpoint another secret. Both are taken during the overlap.
    async fn inbound_endpoint_rotate(
        &self,
        ctx: &Context<'_>,
        input: InboundEndpointRotateInput,
    ) -> async_graphql::Result<InboundEndpointSecretPayload> {
        let (id, key) = (input.id, (input.id, input.expected_version));
        let vault = Arc::clone(&ctx.accounts().vault);
        let outcome = ctx.request().write(async |tx| {
            let with = (input.secret, input.overlap_hours);
            let (endpoint, secret) = super::rotate(tx, &vault, key, with).await?;
            Ok(Shown(endpoint, secret, None))
        });
        shown(ctx, Some(id), outcome.await).await
    }

    /// Has a message be handled again, whatever it came to.
    async fn inbound_message_replay(
        &self,
        ctx: &Context<'_>,
        input: InboundMessageReplayInput,
    ) -> async_graphql::Result<InboundMessagePayload> {
        let outcome = ctx.request();
        let outcome = outcome.write(async |tx| super::replay(tx, input.id).await);
        let (inbound_message, user_errors) = answer(ctx, input.id.uuid(), outcome.await).await?;
        Ok(InboundMessagePayload {
            inbound_message,
            user_errors,
        })
    }

    /// Has the messages of an endpoint that came within a time be handled again, in the order in which they came.
    async fn inbound_messages_replay(
        &self,
        ctx: &Context<'_>,
        input: InboundMessagesReplayInput,
    ) -> async_graphql::Result<InboundMessagesReplayPayload> {
        let within = (input.from, input.to);
        let outcome = ctx.request().write(async |tx| {
            let replayed = super::replay_many(tx, input.endpoint_id, within, input.status);
            let (count, next) = replayed.await?;
            Ok(Replayed(count, next))
        });
        match outcome.await {
            Ok(Replayed(count, next_from)) => Ok(InboundMessagesReplayPayload {
                count: i32::try_from(count).unwrap_or(i32::MAX),
                next_from,
                user_errors: Vec::new(),
            }),
            Err(error) if error.is_users() => Ok(InboundMessagesReplayPayload {
                count: 0,
                next_from: None,
                user_errors: vec![UserError::from(&error)],
            }),
            Err(error) => Err(error.into()),
        }
    }
}

async fn shown(
    ctx: &Context<'_>,
    rotated: Option<InboundEndpointId>,
    outcome: Result<Shown>,
) -> async_graphql::Result<InboundEndpointSecretPayload> {
    let (endpoint, secret, path) = match outcome {
        Ok(Shown(endpoint, secret, address)) => (
            Ok(endpoint),
            Some(secret.expose().to_owned()),
            address.map(|address| address.path()),
        ),
        Err(error) => (Err(error), None, None),
    };
    let id = rotated.unwrap_or_default().uuid();
    let (inbound_endpoint, user_errors) = answer(ctx, id, endpoint).await?;
    Ok(InboundEndpointSecretPayload {
        inbound_endpoint,
        path,
        secret,
        user_errors,
    })
}
