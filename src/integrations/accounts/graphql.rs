//! Services and accounts in the schema: what can be read.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object, SimpleObject};
use chrono::{DateTime, Utc};
use dealgraph_derive::connection_args;

use super::{
    Connector, Integration, IntegrationStatus,
    filter::{IntegrationFilter, IntegrationOrder, USUAL_ORDER},
    model::IntegrationFields,
};
use crate::{
    base::{
        error::Result,
        ids::{IntegrationId, Typed as _},
    },
    graphql::{Connection, ContextExt as _, ListArgs, Listing, RecordRights},
    integrations::{
        provider::{Authorization, BelongsTo, Provider},
        sync::{IntegrationStream, StreamsOf},
    },
    organization::members::{ChangeAuthor, User},
};

/// A service that accounts can be connected of.
struct IntegrationProvider(Arc<dyn Provider>);

/// How accounts of a service are authorised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
enum IntegrationAuthorization {
    /// By OAuth 2.0: `integrationAuthorize` says where the person goes.
    #[graphql(name = "OAUTH2")]
    OAuth,
    /// By a key that `integrationConnect` takes.
    ApiKey,
}

/// A service that accounts can be connected of.
#[Object]
impl IntegrationProvider {
    /// What programs call it.
    async fn key(&self) -> &str {
        self.0.about().key
    }

    /// What people call it.
    async fn name(&self) -> &str {
        self.0.about().name
    }

    /// How accounts are authorised.
    async fn authorization(&self) -> IntegrationAuthorization {
        match self.0.about().authorization {
            Authorization::OAuth(_) => IntegrationAuthorization::OAuth,
            Authorization::ApiKey { .. } => IntegrationAuthorization::ApiKey,
        }
    }

    /// Whose accounts are connected.
    async fn belongs_to(&self) -> BelongsTo {
        self.0.about().belongs_to
    }

    /// What is kept in step.
    async fn kinds(&self) -> Vec<IntegrationKind> {
        let kinds = self.0.about().kinds.iter();
        kinds
            .map(|kind| IntegrationKind {
                name: kind.name,
                record: kind.record,
                pushed: kind.is_pushed,
            })
            .collect()
    }
}

/// A kind of records that a service has.
#[derive(SimpleObject)]
struct IntegrationKind {
    /// Its name there.
    name: &'static str,
    /// What it is here, as ids begin: `contact` for example.
    record: &'static str,
    /// Whether what changes here is written there as well.
    pushed: bool,
}

/// An account at a service elsewhere, with which records are kept in step. What it authenticates with is never shown.
#[Object]
impl Integration {
    /// The id, as `integration:<uuid>`.
    pub async fn id(&self) -> IntegrationId {
        self.id
    }

    #[graphql(flatten)]
    async fn fields(&self) -> &IntegrationFields {
        &self.fields
    }

    /// The key of the service.
    async fn provider_key(&self) -> &str {
        &self.fields.provider
    }

    /// The service; null when this installation does not have it any more.
    async fn provider(&self, ctx: &Context<'_>) -> Option<IntegrationProvider> {
        let connector = ctx.data_unchecked::<Arc<Connector>>();
        let provider = connector.providers.get(&self.fields.provider);
        provider.cloned().map(IntegrationProvider)
    }

    /// Whose it is; null when it is the tenant's.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        User::load(ctx, self.fields.user_id).await
    }

    /// Whose rights decide what is read and written: who authorised it last.
    async fn runs_as(&self) -> ChangeAuthor {
        ChangeAuthor::new(&self.fields.runs_as)
    }

    /// How it is, in a word, with the reason: the worst of its kinds of records.
    async fn health(&self, ctx: &Context<'_>) -> Result<IntegrationHealth> {
        let streams = ctx.request().load_with::<StreamsOf>(self.id.uuid()).await?;
        let now = ctx.request().db().clock().now();
        Ok(IntegrationHealth::of(&self.fields, &streams, now))
    }

    /// What is kept in step, kind by kind.
    async fn streams(&self, ctx: &Context<'_>) -> Result<Vec<IntegrationStream>> {
        ctx.request().load_with::<StreamsOf>(self.id.uuid()).await
    }

    /// What you may do with it.
    async fn can(&self, ctx: &Context<'_>) -> RecordRights {
        let actor = ctx.request().actor();
        let is_own = self.fields.user_id.is_some() && self.fields.user_id == actor.person();
        RecordRights {
            update: is_own || actor.may("integrations:write"),
            delete: false,
        }
    }

    /// When it was connected first.
    async fn created_at(&self) -> DateTime<Utc> {
        self.stamps.created_at
    }

    /// Who connected it first.
    async fn created_by(&self) -> ChangeAuthor {
        ChangeAuthor::new(&self.stamps.created_by)
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.stamps.updated_at
    }

    /// Who changed it last.
    async fn updated_by(&self) -> ChangeAuthor {
        ChangeAuthor::new(&self.stamps.updated_by)
    }

    /// Counts changes; send it back as `expectedVersion` to not overwrite another change.
    async fn version(&self) -> i32 {
        self.stamps.version
    }
}

/// How an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
enum IntegrationHealthState {
    /// Records are in step, or are being brought there.
    Healthy,
    /// Records of a kind could not be brought in step the last time; it is tried again.
    Failing,
    /// Records of a kind should have been brought in step some time ago, and nobody has.
    Overdue,
    /// Somebody has to authorise it again.
    ReauthorizationNeeded,
    /// Somebody paused it.
    Paused,
    /// Somebody went to the service to authorise it, and has not come back.
    Connecting,
    /// It was disconnected.
    Disconnected,
}

/// How an account is.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
struct IntegrationHealth {
    /// In a word.
    state: IntegrationHealthState,
    /// Since when; null when it is healthy.
    since: Option<DateTime<Utc>>,
    /// Why, for programs.
    error_code: Option<String>,
    /// Why, for people.
    error_message: Option<String>,
}

impl IntegrationHealth {
    fn of(fields: &IntegrationFields, streams: &[IntegrationStream], now: DateTime<Utc>) -> Self {
        use IntegrationHealthState as State;
        let standing = |state, message: Option<&str>| Self {
            state,
            since: Some(fields.status_since),
            error_code: fields.status_reason.clone(),
            error_message: message.map(str::to_owned),
        };
        match fields.status {
            IntegrationStatus::Active => {}
            IntegrationStatus::Connecting => return standing(State::Connecting, None),
            IntegrationStatus::Paused => return standing(State::Paused, None),
            IntegrationStatus::Disconnected => return standing(State::Disconnected, None),
            IntegrationStatus::ReauthorizationNeeded => {
                let message = "the service does not take the credentials, or nobody answers for the account any more";
                return standing(State::ReauthorizationNeeded, Some(message));
            }
        }
        let failing = streams
            .iter()
            .filter(|stream| stream.failing_since.is_some());
        if let Some(failing) = failing.min_by_key(|stream| stream.failing_since) {
            return Self {
                state: State::Failing,
                since: failing.failing_since,
                error_code: failing.error_code.clone(),
                error_message: failing.error_message.clone(),
            };
        }
        let overdue = streams
            .iter()
            .filter_map(|stream| stream.overdue_since(now));
        Self {
            state: match overdue.clone().count() {
                0 => State::Healthy,
                _ => State::Overdue,
            },
            since: overdue.min(),
            error_code: None,
            error_message: None,
        }
    }
}

/// Reading services and accounts.
#[derive(Default)]
pub struct IntegrationQuery;

#[connection_args]
#[Object]
impl IntegrationQuery {
    /// The services that accounts can be connected of.
    async fn integration_providers(&self, ctx: &Context<'_>) -> Vec<IntegrationProvider> {
        let connector = ctx.data_unchecked::<Arc<Connector>>();
        let providers = connector.providers.all().cloned();
        providers.map(IntegrationProvider).collect()
    }

    /// An integration by its id; null when there is none that you may see.
    async fn integration(
        &self,
        ctx: &Context<'_>,
        id: IntegrationId,
    ) -> Result<Option<Arc<Integration>>> {
        ctx.request().load(Some(id.uuid())).await
    }

    /// The accounts at services, the newest first unless ordered otherwise: all for who holds `integrations:write`, and
    /// everybody's own.
    async fn integrations(
        &self,
        ctx: &Context<'_>,
        #[list(never_archived)] args: ListArgs<IntegrationFilter, IntegrationOrder>,
    ) -> Result<Connection<Integration>> {
        Listing::read(ctx, args.query(ctx.request().actor().tenant, USUAL_ORDER)?).await
    }
}
