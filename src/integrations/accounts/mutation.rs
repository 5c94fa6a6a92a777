//! Accounts in the schema: what can be done.

use std::sync::Arc;

use async_graphql::{Context, InputObject, Object, SimpleObject};
use uuid::Uuid;

use super::{
    Connector, Integration, NewIntegration,
    authorize::{self, Account, Authorizing},
    connect::{IntegrationConnectInput, connect},
    disconnect::CreatedRecords,
};
use crate::{
    base::{
        error::Result,
        ids::{IntegrationId, Typed as _},
    },
    db::{Tx, list},
    graphql::{ContextExt as _, RequestContext, UserError, Written, answer},
    integrations::{provider::Provider, sync::SyncMode},
};

/// An account of a service that people are sent to.
#[derive(Debug, InputObject)]
struct IntegrationAuthorizeInput {
    /// The key of the service.
    provider: String,
    /// Where the person comes back to: one of the addresses that the operator registered at the service.
    redirect_uri: String,
    /// An account that is there and is authorised again; leave it out for a new one.
    id: Option<IntegrationId>,
    /// The version that it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// What it is called; the service's name if it is left out. Not taken with `id`.
    name: Option<String>,
    /// How often it is looked at, 5 to 1440 minutes; as is usual for the service if it is left out. Not taken with `id`.
    sync_every_minutes: Option<i32>,
}

/// What the person came back with.
#[derive(InputObject)]
struct IntegrationAuthorizeFinishInput {
    /// The `state` in the address that they came back to.
    state: String,
    /// The `code` in it.
    code: String,
}

/// A change to an account. What is left out stays.
#[derive(Debug, InputObject)]
struct IntegrationUpdateInput {
    /// Which integration.
    id: IntegrationId,
    /// The version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// What it is called.
    name: Option<String>,
    /// How often it is looked at, 5 to 1440 minutes.
    sync_every_minutes: Option<i32>,
}

/// Names an account, and the version it is expected at.
#[derive(Debug, InputObject)]
struct IntegrationRefInput {
    /// Which integration.
    id: IntegrationId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
}

/// Records that are brought in step now.
#[derive(Debug, InputObject)]
struct IntegrationSyncInput {
    /// Which integration.
    id: IntegrationId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// Which kinds, by the names that the service has for them; all if it is left out.
    kinds: Option<Vec<String>>,
    /// All of them anew, or what has changed.
    #[graphql(default_with = "SyncMode::Incremental")]
    mode: SyncMode,
    /// FULL: whether records may be archived that the service does not have any more, also where these are more than a
    /// quarter of all. Without it such a run fails with TOO_MANY_REMOVALS.
    #[graphql(default)]
    allow_removals: bool,
}

/// An account that is disconnected.
#[derive(Debug, InputObject)]
struct IntegrationDisconnectInput {
    /// Which integration.
    id: IntegrationId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// What becomes of records that came about through it.
    #[graphql(default_with = "CreatedRecords::Keep")]
    created_records: CreatedRecords,
}

/// What a change to an account came to.
#[derive(SimpleObject)]
struct IntegrationPayload {
    /// The integration after the change; after a CONFLICT as it is now; null when the change was refused.
    integration: Option<Arc<Integration>>,
    /// What has to be mended; empty when the change was made.
    user_errors: Vec<UserError>,
}

/// Where a person goes to authorise an account.
#[derive(SimpleObject)]
struct IntegrationAuthorizePayload {
    /// The integration, which waits for them; null when it was refused.
    integration: Option<Arc<Integration>>,
    /// Where to send them, within 15 minutes. They come back to the redirect address with a `state` and a `code`, or an
    /// `error`.
    authorization_url: Option<String>,
    /// What has to be mended; empty when it was done.
    user_errors: Vec<UserError>,
}

/// Where somebody was to go is known to who asked only.
impl Written for Authorizing {
    const LOST: &str =
        "where to go was for that answer only: authorise the integration again, by its id";

    fn subject(&self) -> Option<(&'static str, Uuid)> {
        self.integration.subject()
    }

    async fn rebuild(_: &mut Tx, _: Option<(&str, Uuid)>) -> Result<Option<Self>> {
        Ok(None)
    }
}

/// Writing accounts; those of the tenant for who holds `integrations:write`, and everybody's own.
#[derive(Default)]
pub struct IntegrationMutation;

#[Object]
impl IntegrationMutation {
    /// Connects an account of a service that takes a key, or gives one another key. The service is asked whose it is first.
    async fn integration_connect(
        &self,
        ctx: &Context<'_>,
        input: IntegrationConnectInput,
    ) -> async_graphql::Result<IntegrationPayload> {
        let id = input.id;
        let outcome = connect(ctx.request(), connector(ctx), input).await;
        payload(ctx, id.unwrap_or_default(), outcome).await
    }

    /// Begins to authorise an account of a service that people are sent to, a new one or one again.
    async fn integration_authorize(
        &self,
        ctx: &Context<'_>,
        input: IntegrationAuthorizeInput,
    ) -> async_graphql::Result<IntegrationAuthorizePayload> {
        let connector = connector(ctx);
        let id = input.id.unwrap_or_default();
        let account = match input.id {
            Some(id) => Account::Again(id, input.expected_version),
            None => Account::New(NewIntegration {
                id,
                name: input.name,
                sync_every_minutes: input.sync_every_minutes,
            }),
        };
        let outcome = match connector.providers.require(&input.provider) {
            Ok(provider) => {
                let (provider, vault) = (provider.as_ref(), &connector.vault);
                let redirect = &input.redirect_uri;
                let begun = ctx.request().write(async |tx| {
                    authorize::begin(tx, vault, provider, account, redirect).await
                });
                begun.await
            }
            Err(error) => Err(error),
        };
        let (outcome, authorization_url) = match outcome {
            Ok(begun) => (Ok(begun.integration), Some(begun.address)),
            Err(error) => (Err(error), None),
        };
        let (integration, user_errors) = answer(ctx, id.uuid(), outcome).await?;
        Ok(IntegrationAuthorizePayload {
            integration,
            authorization_url,
            user_errors,
        })
    }

    /// Finishes to authorise an account, with what the person came back with. Whoever began it finishes it.
    async fn integration_authorize_finish(
        &self,
        ctx: &Context<'_>,
        input: IntegrationAuthorizeFinishInput,
    ) -> async_graphql::Result<IntegrationPayload> {
        let id = authorize::account_of(&input.state).unwrap_or_default();
        let came_back = (input.state, input.code);
        let outcome = connector(ctx).finish(ctx.request(), came_back).await;
        payload(ctx, id, outcome).await
    }

    /// Changes what an account is called, and how often it is looked at.
    async fn integration_update(
        &self,
        ctx: &Context<'_>,
        input: IntegrationUpdateInput,
    ) -> async_graphql::Result<IntegrationPayload> {
        let id = (input.id, input.expected_version);
        let changed = ctx.request().write(async |tx| {
            let change = |fields: &mut super::IntegrationFields| {
                if let Some(name) = input.name {
                    fields.name = name;
                }
                if let Some(minutes) = input.sync_every_minutes {
                    fields.sync_every_minutes = minutes;
                }
            };
            super::update(tx, id, change).await
        });
        payload(ctx, input.id, changed.await).await
    }

    /// Has records be kept in step no more, until it is resumed.
    async fn integration_pause(
        &self,
        ctx: &Context<'_>,
        input: IntegrationRefInput,
    ) -> async_graphql::Result<IntegrationPayload> {
        let id = (input.id, input.expected_version);
        let paused = ctx.request().write(async |tx| super::pause(tx, id).await);
        payload(ctx, input.id, paused.await).await
    }

    /// Has records of a paused account be kept in step again: what changed meanwhile, here or there, first.
    async fn integration_resume(
        &self,
        ctx: &Context<'_>,
        input: IntegrationRefInput,
    ) -> async_graphql::Result<IntegrationPayload> {
        let id = (input.id, input.expected_version);
        let connector = connector(ctx);
        let resumed = ctx.request().write(async |tx| {
            let provider = provider_of(tx, connector, input.id).await?;
            super::resume(tx, provider.as_ref(), id).await
        });
        payload(ctx, input.id, resumed.await).await
    }

    /// Brings records in step now, and not when it is their turn; with FULL all of them anew.
    async fn integration_sync(
        &self,
        ctx: &Context<'_>,
        input: IntegrationSyncInput,
    ) -> async_graphql::Result<IntegrationPayload> {
        let id = (input.id, input.expected_version);
        let how = (input.mode, input.allow_removals);
        let connector = connector(ctx);
        let requested = ctx.request().write(async |tx| {
            let provider = provider_of(tx, connector, input.id).await?;
            super::sync_now(tx, provider.as_ref(), id, input.kinds, how).await
        });
        payload(ctx, input.id, requested.await).await
    }

    /// Disconnects an account: what it authenticates with is forgotten at once, and a job takes away what links records
    /// to it. It stays, disconnected, with its history, and can be authorised again.
    async fn integration_disconnect(
        &self,
        ctx: &Context<'_>,
        input: IntegrationDisconnectInput,
    ) -> async_graphql::Result<IntegrationPayload> {
        let id = (input.id, input.expected_version);
        let connector = connector(ctx);
        let request = ctx.request();
        if !request.is_committed() {
            connector.try_to_revoke(request, input.id).await;
        }
        let created = input.created_records;
        let gone = request.write(async |tx| super::disconnect::disconnect(tx, id, created).await);
        payload(ctx, input.id, gone.await).await
    }
}

impl Connector {
    /// Tells the service that the credentials of an account are not used any more, if the actor may disconnect it. What
    /// becomes of that changes nothing.
    async fn try_to_revoke(&self, request: &RequestContext, id: IntegrationId) {
        let tenant = request.actor().tenant;
        let found = request.read(async |tx| list::find::<Integration>(tx, id.uuid()).await);
        let Ok(Some(integration)) = found.await else {
            return;
        };
        let actor = request.actor();
        let is_own =
            integration.fields.user_id.is_some() && integration.fields.user_id == actor.person();
        if !is_own && !actor.may("integrations:write") {
            return;
        }
        let (Ok(provider), Ok(opened)) = (
            self.provider_of(&integration),
            self.open(tenant, &integration, None).await,
        ) else {
            return;
        };
        if let Err(failure) = provider.revoke(&opened.session).await {
            tracing::info!(code = failure.code(), integration = %id, "a service was not told that it is disconnected");
        }
    }
}

/// The service of an account that there is.
async fn provider_of<'c>(
    tx: &mut Tx,
    connector: &'c Connector,
    id: IntegrationId,
) -> Result<&'c Arc<dyn Provider>> {
    let integration = super::existing(tx, id).await?;
    connector.providers.require(&integration.fields.provider)
}

fn connector<'c>(ctx: &'c Context<'_>) -> &'c Connector {
    // The only way to build the schema of a server puts it in.
    ctx.data_unchecked::<Arc<Connector>>()
}

async fn payload(
    ctx: &Context<'_>,
    id: IntegrationId,
    outcome: Result<Integration>,
) -> async_graphql::Result<IntegrationPayload> {
    let (integration, user_errors) = answer(ctx, id.uuid(), outcome).await?;
    Ok(IntegrationPayload {
        integration,
        user_errors,
    })
}
