//! Keys in the schema.

use std::sync::Arc;

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::{ApiKey, ApiKeyOrderField, ApiKeyStatus, NewApiKey};
use crate::{
    auth::{ApiKeySecret, Role},
    db::{Direction, OrderTerm, Predicate},
    error::Result,
    graphql::{
        Connection, ContextExt as _, Filter, ListArgs, Listing, RecordRights, UserError, answer,
        filters::{Conditions, DateTimeFilter, IdFilter, TextFilter},
    },
    ids::{ApiKeyId, RoleId, TeamId, Typed as _},
    members::{ChangeAuthor, Team},
    roles::CustomRole,
    text::normalize,
};

/// A key that a program works with, as `Authorization: Bearer dgk_…`. A key owns nothing: where its scope is OWN it
/// reaches no records, and what it creates has no owner unless it names one.
#[Object]
impl ApiKey {
    /// The id, as `apiKey:<uuid>`.
    pub async fn id(&self) -> ApiKeyId {
        self.id
    }

    /// What it is called.
    async fn name(&self) -> &str {
        &self.fields.name
    }

    /// The end of its secret, to tell keys apart by.
    async fn hint(&self) -> &str {
        &self.hint
    }

    /// Whether it works.
    async fn status(&self, ctx: &Context<'_>) -> ApiKeyStatus {
        self.fields.status(ctx.request().db().clock().now())
    }

    /// What it may do at most.
    async fn role(&self) -> Role {
        self.fields.role
    }

    /// The role that the tenant made, when the role is CUSTOM.
    async fn custom_role(&self, ctx: &Context<'_>) -> Result<Option<Arc<CustomRole>>> {
        ctx.request()
            .load(self.fields.role_id.map(|id| id.uuid()))
            .await
    }

    /// Of what its role allows only this, such as `leads:read:all`; null when it may do all that its role may.
    async fn permissions(&self) -> Option<&[String]> {
        self.fields.permissions.as_deref()
    }

    /// The team whose records it reaches where its scope is TEAM.
    async fn team(&self, ctx: &Context<'_>) -> Result<Option<Arc<Team>>> {
        ctx.request()
            .load(self.fields.team_id.map(|id| id.uuid()))
            .await
    }

    /// When it ends by itself.
    async fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.fields.expires_at
    }

    /// The key whose place it took.
    async fn rotated_from(&self, ctx: &Context<'_>) -> Result<Option<Arc<ApiKey>>> {
        ctx.request().load(self.fields.rotated_from).await
    }

    /// Whether it runs only the documents that the operator of the server has listed.
    async fn trusted_documents_only(&self) -> bool {
        self.fields.trusted_documents_only
    }

    /// When it was revoked.
    async fn revoked_at(&self) -> Option<DateTime<Utc>> {
        self.fields.revoked_at
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

    /// Counts changes; send it back as `expectedVersion` to not overwrite somebody else's.
    async fn version(&self) -> i32 {
        self.stamps.version
    }
}

/// Which keys.
#[derive(Debug, Default, InputObject)]
pub struct ApiKeyFilter {
    /// All of these hold.
    and: Option<Vec<ApiKeyFilter>>,
    /// At least one of these holds.
    or: Option<Vec<ApiKeyFilter>>,
    /// This does not hold.
    not: Option<Box<ApiKeyFilter>>,
    /// By id.
    id: Option<IdFilter>,
    /// By name, without regard to case.
    name: Option<TextFilter>,
    /// By the time it was revoked; `{ null: true }` are those that were not.
    revoked_at: Option<DateTimeFilter>,
}

impl Filter for ApiKeyFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.id::<ApiKeyId>("id", "api_key_id", self.id)?;
        all.text("name", "name_normalized", self.name, normalize)?;
        all.time("revokedAt", "revoked_at", self.revoked_at)?;
        all.finish(self.and, self.or, self.not)
    }
}

/// One criterion of the order of keys.
#[derive(Debug, InputObject)]
pub struct ApiKeyOrder {
    /// What to sort by.
    field: ApiKeyOrderField,
    /// Which way.
    #[graphql(default_with = "Direction::Asc")]
    direction: Direction,
}

impl From<ApiKeyOrder> for OrderTerm<ApiKeyOrderField> {
    fn from(order: ApiKeyOrder) -> Self {
        Self {
            field: order.field,
            direction: order.direction,
        }
    }
}

const USUAL_ORDER: OrderTerm<ApiKeyOrderField> = OrderTerm {
    field: ApiKeyOrderField::CreatedAt,
    direction: Direction::Desc,
};

/// Reading keys.
#[derive(Default)]
pub struct ApiKeyQuery;

#[Object]
impl ApiKeyQuery {
    /// A key by its id; null when there is none that you may see.
    async fn api_key(&self, ctx: &Context<'_>, id: ApiKeyId) -> Result<Option<Arc<ApiKey>>> {
        ctx.request().load(Some(id.uuid())).await
    }

    /// The keys of the tenant, the newest first unless ordered otherwise. For who holds `integrations:write`.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn api_keys(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<ApiKeyFilter>,
        order_by: Option<Vec<ApiKeyOrder>>,
    ) -> Result<Connection<ApiKey>> {
        let args = ListArgs::new((first, after), (last, before), filter, order_by);
        Listing::read(ctx, args.query(ctx.request().actor().tenant, USUAL_ORDER)?).await
    }
}

/// A key to be made.
#[derive(Debug, InputObject)]
struct ApiKeyCreateInput {
    /// What it is called, for example after the program that uses it.
    name: String,
    /// What it may do at most.
    role: Role,
    /// The role that the tenant made; exactly when the role is CUSTOM.
    custom_role_id: Option<RoleId>,
    /// Of what the role allows only this, such as `leads:read:all`; leave it out for all.
    permissions: Option<Vec<String>>,
    /// The team whose records it reaches where its scope is TEAM.
    team_id: Option<TeamId>,
    /// When it ends; leave both out for a key that works until it is revoked.
    expires_at: Option<DateTime<Utc>>,
    /// In how many days it ends, instead of a time.
    expires_in_days: Option<i32>,
    /// Whether it runs only the documents that the operator of the server has listed.
    #[graphql(default)]
    trusted_documents_only: bool,
}

/// A change to a key.
#[derive(Debug, InputObject)]
struct ApiKeyUpdateInput {
    /// Which key.
    id: ApiKeyId,
    /// The version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// What it is called.
    name: Option<String>,
    /// An earlier end.
    expires_at: Option<DateTime<Utc>>,
}

/// A key to be rotated.
#[derive(Debug, InputObject)]
struct ApiKeyRotateInput {
    /// Which key.
    id: ApiKeyId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// For how many hours the old secret goes on working, 0 to 168.
    #[graphql(default = 24)]
    overlap_hours: i32,
}

/// Names a key, and the version it is expected at.
#[derive(Debug, InputObject)]
struct ApiKeyRefInput {
    /// Which key.
    id: ApiKeyId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
}

/// What a change to a key came to.
#[derive(SimpleObject)]
struct ApiKeyPayload {
    /// The key after the change; after a CONFLICT as it is now; null when the change was refused.
    api_key: Option<Arc<ApiKey>>,
    /// What has to be mended; empty when the change was made.
    user_errors: Vec<UserError>,
}

/// A key with its secret.
#[derive(SimpleObject)]
struct ApiKeySecretPayload {
    /// The new key; null when it was refused.
    api_key: Option<Arc<ApiKey>>,
    /// The secret, to be sent as `Authorization: Bearer dgk_…`. It is shown here and never again.
    secret: Option<String>,
    /// What has to be mended; empty when the key was made.
    user_errors: Vec<UserError>,
}

/// Writing keys; for who holds `integrations:write`, and for no key that is stronger than its maker.
#[derive(Default)]
pub struct ApiKeyMutation;

#[Object]
impl ApiKeyMutation {
    /// Makes a key. Its secret is in the answer and nowhere else.
    async fn api_key_create(
        &self,
        ctx: &Context<'_>,
        input: ApiKeyCreateInput,
    ) -> async_graphql::Result<ApiKeySecretPayload> {
        let new = NewApiKey {
            name: input.name,
            role: input.role,
            custom_role: input.custom_role_id,
            permissions: input.permissions,
            team: input.team_id,
            expires_at: input.expires_at,
            expires_in_days: input.expires_in_days,
            trusted_documents_only: input.trusted_documents_only,
        };
        let outcome = ctx.request().write(async |tx| super::create(tx, new).await);
        secret_payload(ctx, None, outcome.await).await
    }

    /// Renames a key or ends it earlier.
    async fn api_key_update(
        &self,
        ctx: &Context<'_>,
        input: ApiKeyUpdateInput,
    ) -> async_graphql::Result<ApiKeyPayload> {
        let key = (input.id, input.expected_version);
        let change = (input.name, input.expires_at);
        let outcome = ctx
            .request()
            .write(async |tx| super::update(tx, key, change).await);
        payload(ctx, input.id, outcome.await).await
    }

    /// Makes a key with a new secret that takes another one's place. The old one ends after the overlap.
    async fn api_key_rotate(
        &self,
        ctx: &Context<'_>,
        input: ApiKeyRotateInput,
    ) -> async_graphql::Result<ApiKeySecretPayload> {
        let key = (input.id, input.expected_version);
        let outcome = ctx
            .request()
            .write(async |tx| super::rotate(tx, key, input.overlap_hours).await);
        secret_payload(ctx, Some(input.id), outcome.await).await
    }

    /// Revokes a key: within a second it works nowhere any more.
    async fn api_key_revoke(
        &self,
        ctx: &Context<'_>,
        input: ApiKeyRefInput,
    ) -> async_graphql::Result<ApiKeyPayload> {
        let outcome = ctx
            .request()
            .write(async |tx| super::revoke(tx, input.id, input.expected_version).await);
        payload(ctx, input.id, outcome.await).await
    }
}

async fn payload(
    ctx: &Context<'_>,
    id: ApiKeyId,
    outcome: Result<ApiKey>,
) -> async_graphql::Result<ApiKeyPayload> {
    let (api_key, user_errors) = answer(ctx, id.uuid(), outcome).await?;
    Ok(ApiKeyPayload {
        api_key,
        user_errors,
    })
}

async fn secret_payload(
    ctx: &Context<'_>,
    replaced: Option<ApiKeyId>,
    outcome: Result<(ApiKey, ApiKeySecret)>,
) -> async_graphql::Result<ApiKeySecretPayload> {
    let (key, secret) = match outcome {
        Ok((key, secret)) => (Ok(key), Some(secret.expose().to_owned())),
        Err(error) => (Err(error), None),
    };
    let id = replaced.unwrap_or_default().uuid();
    let (api_key, user_errors) = answer(ctx, id, key).await?;
    Ok(ApiKeySecretPayload {
        api_key,
        secret,
        user_errors,
    })
}
