//! Roles in the schema: what can be changed.

use std::sync::Arc;

use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};

use super::{CustomRole, NewRole, RolePatch};
use crate::{
    access::Sensitive,
    base::{
        error::Result,
        ids::{RoleId, Typed as _},
    },
    graphql::{ContextExt as _, DeletePayload, UserError, answer},
};

/// A role to be made.
#[derive(Debug, InputObject)]
struct RoleCreateInput {
    /// Your own id for it (`role:<uuid>`, best a version 7): sending the same twice makes it once.
    id: Option<RoleId>,
    /// What it is called.
    name: String,
    /// What it is for.
    description: Option<String>,
    /// What it allows: `opportunities:write:own`, `audit:read` and the like. Writing needs reading with a scope that is
    /// as wide, deleting needs writing.
    permissions: Vec<String>,
    /// The sensitive fields that people with this role are not shown.
    #[graphql(default)]
    masks: Vec<Sensitive>,
}

/// A change to a role.
#[derive(Debug, InputObject)]
struct RoleUpdateInput {
    /// Which role.
    id: RoleId,
    /// The version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// What it is called.
    name: Option<String>,
    /// What it is for; null empties it.
    description: MaybeUndefined<String>,
    /// What it allows; replaces all.
    permissions: Option<Vec<String>>,
    /// The sensitive fields that people with this role are not shown; replaces all.
    masks: Option<Vec<Sensitive>>,
}

/// Names a role, and the version it is expected at.
#[derive(Debug, InputObject)]
struct RoleRefInput {
    /// Which role.
    id: RoleId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
}

/// What a change to a role came to.
#[derive(SimpleObject)]
struct RolePayload {
    /// The role after the change; after a CONFLICT as it is now; null when the change was refused.
    role: Option<Arc<CustomRole>>,
    /// What has to be mended; empty when the change was made.
    user_errors: Vec<UserError>,
}

/// Writing roles; for admins, who can't give away more than they have.
#[derive(Default)]
pub struct RoleMutation;

#[Object]
impl RoleMutation {
    /// Makes a role.
    async fn role_create(
        &self,
        ctx: &Context<'_>,
        input: RoleCreateInput,
    ) -> async_graphql::Result<RolePayload> {
        let id = input.id.unwrap_or_default();
        let new = NewRole {
            id,
            name: input.name,
            description: input.description,
            permissions: input.permissions,
            masks: input.masks,
        };
        let outcome = ctx.request().write(async |tx| super::create(tx, new).await);
        payload(ctx, id, outcome.await).await
    }

    /// Changes a role, for everybody who has it: what they may do changes within a second.
    async fn role_update(
        &self,
        ctx: &Context<'_>,
        input: RoleUpdateInput,
    ) -> async_graphql::Result<RolePayload> {
        let patch = RolePatch {
            name: input.name,
            description: match input.description {
                MaybeUndefined::Undefined => None,
                MaybeUndefined::Null => Some(None),
                MaybeUndefined::Value(text) => Some(Some(text)),
            },
            permissions: input.permissions,
            masks: input.masks,
        };
        let role = (input.id, input.expected_version);
        let outcome = ctx
            .request()
            .write(async |tx| super::update(tx, role, patch).await);
        payload(ctx, input.id, outcome.await).await
    }

    /// Deletes a role for good. Refused with IN_USE while members, open invitations or working keys have it.
    async fn role_delete(
        &self,
        ctx: &Context<'_>,
        input: RoleRefInput,
    ) -> async_graphql::Result<DeletePayload> {
        let outcome = ctx
            .request()
            .write(async |tx| super::delete(tx, input.id, input.expected_version).await);
        DeletePayload::new(input.id, outcome.await)
    }
}

async fn payload(
    ctx: &Context<'_>,
    id: RoleId,
    outcome: Result<CustomRole>,
) -> async_graphql::Result<RolePayload> {
    let (role, user_errors) = answer(ctx, id.uuid(), outcome).await?;
    Ok(RolePayload { role, user_errors })
}
