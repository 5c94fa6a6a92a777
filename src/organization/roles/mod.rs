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
    db::{ReadTx, Registered as _, Tx, journal::EventKind, list},
    entity::{self, Quota, Stamps, changes_by_fields},
    organization::auth::{self, AccessChange},
};

const QUOTA: Quota = Quota {
    column: "quota_roles",
    counted: "",
    what: "roles",
};

/// What a member with a role may do: a built-in one, or one of the tenant's own by its id.
///
/// # Errors
/// `INVALID_ROLE` on `role` when there is an id without CUSTOM or CUSTOM without an id; `NOT_FOUND` on `customRoleId`.
pub async fn rights(tx: &mut ReadTx, role: Role, custom_role: Option<RoleId>) -> Result<Rights> {
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
    entity::require_room::<CustomRole>(tx, QUOTA).await?;
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
    role: (RoleId, Option<i32>),
    patch: RolePatch,
) -> Result<CustomRole> {
    entity::change::<CustomRole>(tx, role, EventKind::Updated, async |tx, role| {
        let (before, fields) = (role.fields.rights(), &mut role.fields);
        if let Some(name) = patch.name {
            fields.name = name;
        }
        if let Some(description) = patch.description {
            fields.description = description;
        }
        fields.check()?;
        let (permissions, masks) = (
            patch.permissions.unwrap_or_else(|| before.granted()),
            patch.masks.unwrap_or_else(|| before.masks().to_vec()),
        );
        fields.grant(&permissions, &masks)?;
        match fields.rights() == before {
            true => Ok(()),
            false => refuse_more_than_own(tx, &fields.rights(), None),
        }
    })
    .await
}

changes_by_fields! {
    CustomRole {
        async fn write(&self, tx: &mut Tx) -> Result<Self> {
            store::update(tx, self).await
        }

        async fn after_change(&mut self, tx: &mut Tx, before: &Self) -> Result<()> {
            if self.fields.rights() == before.fields.rights() {
                return Ok(());
            }
            let changed = AccessChange::Tenant(tx.tenant());
            auth::publish_access_change(tx, changed).await
        }
    }
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
