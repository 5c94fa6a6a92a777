//! Keys in the schema: what can be changed.

use std::sync::Arc;

use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{ApiKey, NewApiKey};
use crate::{
    access::Role,
    base::{
        error::Result,
        ids::{ApiKeyId, RoleId, TeamId, Typed as _},
    },
    db::Tx,
    graphql::{ContextExt as _, UserError, Written, answer, patch::given},
    organization::auth::ApiKeySecret,
};

/// A key to be made.
#[derive(Debug, InputObject)]
struct ApiKeyCreateInput {
    /// What it is called, for example after the program that uses it.
    name: String,
    /// What it may do at most.
    role: Role,
    /// The role that the tenant made; exactly when the role is CUSTOM.
    custom_role_id: Option<RoleId>,
    /// Of what the role allows only this, such as `leads:read:all`; leave it out for all. Null is refused: it may have been
    /// meant as nothing.
    permissions: MaybeUndefined<Vec<String>>,
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

/// The secret can't be shown a second time: the database has a hash of it.
impl Written for (ApiKey, ApiKeySecret) {
    const LOST: &str = "its secret was for that answer only: revoke the key and make another one";

    fn subject(&self) -> Option<(&'static str, Uuid)> {
        self.0.subject()
    }

    async fn rebuild(_: &mut Tx, _: Option<(&str, Uuid)>) -> Result<Option<Self>> {
        Ok(None)
    }
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
        let outcome = ctx.request().write(async |tx| {
            let new = NewApiKey {
                name: input.name,
                role: input.role,
                custom_role: input.custom_role_id,
                permissions: given(input.permissions, "permissions")?,
                team: input.team_id,
                expires_at: input.expires_at,
                expires_in_days: input.expires_in_days,
                trusted_documents_only: input.trusted_documents_only,
            };
            super::create(tx, new).await
        });
        secret_payload(ctx, None, outcome.await).await
    }

    /// Renames a key or ends it earlier.
    async fn api_key_update(
        &self,
        ctx: &Context<'_>,
        input: ApiKeyUpdateInput,
    ) -> async_graphql::Result<ApiKeyPayload> {
        let key = (input.id, input.expected_version);
        let outcome = ctx
            .request()
            .write(async |tx| super::update(tx, key, input.name, input.expires_at).await);
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
