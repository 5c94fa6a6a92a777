//! Roles that a tenant makes itself: permissions with a row scope each, and the sensitive fields they do not show.
//!
//! No actor makes a role that may do more than they may themselves, so a role is no way to escalate privileges.

mod filter;
mod graphql;
mod model;
mod mutation;
mod store;

pub use filter::{CustomRoleFilter, CustomRoleOrder};
pub use graphql::{BuiltInRole, RoleQuery, ScopeOfKind, scopes_of};
pub(crate) use model::parse;
pub use model::{CustomRole, RoleFields, RoleOrderField};
pub use mutation::RoleMutation;

use crate::{
    access::{Rights, Role, Sensitive},
    base::{
        error::{Error, Result},
        ids::{RoleId, Typed as _},
    },
    db::{Registered as _, Tx, journal::EventKind, list},
    entity::{self, Stamps},
    organization::auth::{self, AccessChange},
};

/// What a member with a role may do: a built-in one, or one of the tenant's own by its id.
///
/// # Errors
/// `INVALID_ROLE` on `role` when there is an id without CUSTOM or CUSTOM without an id; `NOT_FOUND` on `customRoleId`.
pub async fn rights(tx: &mut Tx, role: Role, custom_role: Option<RoleId>) -> Result<Rights> {
    let Some(id) = custom_role else {
        return match role {
            Role::Custom => Err(Error::invalid(
                "INVALID_ROLE",
                "role",
                "CUSTOM needs a `customRoleId`",
            )),
            built_in => Ok(built_in.rights()),
        };
    };
    let found: Option<CustomRole> = list::find(tx, id.uuid()).await?;
    let found = found.ok_or(Error::NotFound {
        kind: CustomRole::KIND,
        field: "customRoleId",
    })?;
    match role {
        Role::Custom => Ok(found.fields.rights()),
        _ => Err(Error::invalid(
            "INVALID_ROLE",
            "role",
            "a `customRoleId` needs the role CUSTOM",
        )),
    }
}

/// Refuses to grant more than the actor has: rights, and the rows of a team that the actor does not reach. `team`
/// is the path of the team that the rights are given in.
///
/// # Errors
/// `FORBIDDEN`.
pub fn refuse_more_than_own(tx: &Tx, granted: &Rights, team: Option<&str>) -> Result<()> {
    let actor = tx.actor();
    let mine = actor.team_path.as_deref();
    let reaches = actor.rights.reach_as_far(mine, granted, team);
    match actor.rights.cover(granted) && reaches {
        true => Ok(()),
        false => Err(Error::Forbidden("give away rights that you do not have")),
    }
}

/// A role that is to be made.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it; the schema describes each")]
pub struct NewRole {
    pub id: RoleId,
    pub name: String,
    pub description: Option<String>,
    pub permissions: Vec<String>,
    pub masks: Vec<Sensitive>,
}

/// Makes a role. A role with the given id that exists already is answered as it is.
///
/// # Errors
/// `BLANK`, `TAKEN` for a name in use, `UNKNOWN_PERMISSION`, `WIDER_THAN_NEEDED`, `QUOTA_EXCEEDED`, and `FORBIDDEN` for
/// an actor without `admin` and for rights that the actor does not have.
pub async fn create(tx: &mut Tx, new: NewRole) -> Result<CustomRole> {
    if let Some(existing) = list::find(tx, new.id.uuid()).await? {
        return Ok(existing);
    }
    let mut fields = RoleFields {
        name: new.name,
        description: new.description,
        ..RoleFields::default()
    };
    fields.check()?;
    fields.grant(&new.permissions, &new.masks)?;
    refuse_more_than_own(tx, &fields.rights(), None)?;
    entity::require_room::<CustomRole>(tx, ("quota_roles", ""), "roles").await?;
    let role = CustomRole {
        id: new.id,
        fields,
        visible_to: String::new(),
        stamps: Stamps::new(tx, None),
    };
    let role = store::insert(tx, &role).await?;
    entity::emit_created(tx, &role, &role.fields);
    Ok(role)
}

/// What is to change of a role; what is `None` stays.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the names say it; the schema describes each")]
pub struct RolePatch {
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    pub permissions: Option<Vec<String>>,
    pub masks: Option<Vec<Sensitive>>,
}

/// Changes a role, for all who have it: it takes effect within a second.
///
/// # Errors
/// As [`create`], and `NOT_FOUND`, `CONFLICT`.
pub async fn update(
    tx: &mut Tx,
    (id, expected_version): (RoleId, Option<i32>),
    patch: RolePatch,
) -> Result<CustomRole> {
    let before: CustomRole = entity::lock(tx, id.uuid(), expected_version).await?;
    let mut after = before.clone();
    let fields = &mut after.fields;
    if let Some(name) = patch.name {
        fields.name = name;
    }
    if let Some(description) = patch.description {
        fields.description = description;
    }
    fields.check()?;
    let (permissions, masks) = (
        patch
            .permissions
            .unwrap_or_else(|| fields.rights().granted()),
        patch
            .masks
            .unwrap_or_else(|| fields.rights().masks().to_vec()),
    );
    fields.grant(&permissions, &masks)?;
    if after.fields == before.fields {
        return Ok(before);
    }
    let changes_rights = after.fields.rights() != before.fields.rights();
    if changes_rights {
        refuse_more_than_own(tx, &after.fields.rights(), None)?;
    }
    after.stamps.touch(tx);
    let after = store::update(tx, &after).await?;
    if changes_rights {
        let tenant = tx.tenant();
        auth::publish_access_change(tx, AccessChange::Tenant(tenant)).await?;
    }
    entity::emit_changed(
        tx,
        EventKind::Updated,
        (&before, &before.fields),
        (&after, &after.fields),
    );
    Ok(after)
}

/// Deletes a role that is not in use.
///
/// # Errors
/// `IN_USE` while members, open invitations or working keys have it; `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`.
pub async fn delete(tx: &mut Tx, id: RoleId, expected_version: Option<i32>) -> Result<()> {
    let _: CustomRole = entity::lock(tx, id.uuid(), expected_version).await?;
    store::forget_what_is_over(tx, id).await?;
    entity::delete::<CustomRole>(tx, id.uuid(), expected_version).await
}
