//! Keys that programs work with: a role or less, in a team or none, for a time or until revoked.
//!
//! A key is judged by the same policies as a person. It owns nothing: where its scope is OWN it reaches no rows, and a
//! record that it creates has no owner unless it names one. No actor makes a key that may do more, reach further or live
//! longer than they do.

mod filter;
mod graphql;
mod model;
mod mutation;
mod store;

use chrono::{DateTime, Utc};

pub use filter::{ApiKeyFilter, ApiKeyOrder};
pub use graphql::ApiKeyQuery;
pub(crate) use model::overlap;
pub use model::{ApiKey, ApiKeyOrderField, ApiKeyStatus, narrowed};
pub use mutation::ApiKeyMutation;

use crate::{
    access::{Rights, Role, Subject},
    base::{
        error::{Error, Result},
        ids::{ApiKeyId, RoleId, TeamId, Typed as _},
    },
    db::{Tx, journal::EventKind, list},
    entity::{self, Quota, Stamps, changes_by_fields},
    organization::{
        auth::{self, AccessChange, ApiKeySecret},
        members::Team,
        roles,
    },
};
use model::KeyFields;

const QUOTA: Quota = Quota {
    column: "quota_api_keys",
    counted: " AND r.revoked_at IS NULL AND (r.expires_at IS NULL OR r.expires_at > now())",
    what: "working API keys",
};

/// A key that is to be made.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it; the schema describes each")]
pub struct NewApiKey {
    pub name: String,
    pub role: Role,
    pub custom_role: Option<RoleId>,
    pub permissions: Option<Vec<String>>,
    pub team: Option<TeamId>,
    pub expires_at: Option<DateTime<Utc>>,
    pub expires_in_days: Option<i32>,
    pub trusted_documents_only: bool,
}

/// Makes a key. The secret is returned once and stored nowhere.
///
/// # Errors
/// `BLANK`, `INVALID_ROLE`, `NOT_FOUND` for a role or team; `UNKNOWN_PERMISSION`, `WIDER_THAN_NEEDED`, `WIDER_THAN_ROLE`;
/// `INVALID_EXPIRY`, `OUT_OF_RANGE`, `QUOTA_EXCEEDED`; `FORBIDDEN` without `integrations:write`, for rights, rows or a
/// lifetime that the actor does not have, and for the role ADMIN without `admin`.
pub async fn create(tx: &mut Tx, new: NewApiKey) -> Result<(ApiKey, ApiKeySecret)> {
    if !tx.actor().may("integrations:write") {
        return Err(Error::Forbidden("make keys"));
    }
    let expires_at = model::end(new.expires_at, new.expires_in_days, tx.now())?;
    let role = roles::rights(tx, new.role, new.custom_role).await?;
    let permissions = match new.permissions {
        Some(permissions) => Some(within(&role, &permissions)?),
        None => None,
    };
    let team = team(tx, new.team).await?;
    let mut fields = KeyFields {
        name: new.name,
        role: new.role,
        role_id: new.custom_role,
        permissions,
        team_id: new.team,
        team_path: team.map(|team| team.path),
        expires_at,
        rotated_from: None,
        trusted_documents_only: new.trusted_documents_only,
        revoked_at: None,
    };
    fields.check()?;
    refuse_stronger(tx, &fields, &role)?;
    entity::require_room::<ApiKey>(tx, QUOTA).await?;
    issue(tx, fields).await
}

/// Reads the permissions that a key is narrowed to, all of which its role has.
fn within(role: &Rights, permissions: &[String]) -> Result<Vec<String>> {
    let wanted = roles::parse(permissions, role.masks())?;
    match role.cover(&wanted) {
        true => Ok(wanted.granted()),
        false => Err(Error::invalid(
            "WIDER_THAN_ROLE",
            "permissions",
            "a key may do less than its role, and this is more",
        )),
    }
}

async fn team(tx: &mut Tx, id: Option<TeamId>) -> Result<Option<Team>> {
    let Some(id) = id else { return Ok(None) };
    let team = list::find(tx, id.uuid()).await?;
    team.map(Some).ok_or(Error::NotFound {
        kind: "team",
        field: "teamId",
    })
}

/// Refuses a key that may do more, reaches further or lives longer than the actor, and ADMIN's to all but admins.
fn refuse_stronger(tx: &Tx, key: &KeyFields, role: &Rights) -> Result<()> {
    let granted = narrowed(role, key.permissions.as_deref());
    roles::refuse_more_than_own(tx, &granted, key.team_path.as_deref())?;
    let actor = tx.actor();
    if key.role == Role::Admin && !actor.may("admin") {
        return Err(Error::Forbidden("make keys of the role ADMIN"));
    }
    let is_key = matches!(actor.subject, Subject::Key(_));
    let ends = key.expires_at.unwrap_or(DateTime::<Utc>::MAX_UTC);
    if is_key && ends > actor.expires_at {
        return Err(Error::Forbidden("make keys that outlive your own"));
    }
    match is_key && actor.trusted_documents_only && !key.trusted_documents_only {
        true => Err(Error::Forbidden("make keys that run any document")),
        false => Ok(()),
    }
}

async fn issue(tx: &mut Tx, fields: KeyFields) -> Result<(ApiKey, ApiKeySecret)> {
    let id = ApiKeyId::new();
    let secret = ApiKeySecret::generate(tx.tenant(), id);
    let key = ApiKey {
        id,
        fields,
        hint: secret.hint(),
        last_used_at: None,
        last_used_from: None,
        visible_to: String::new(),
        stamps: Stamps::new(tx, None),
    };
    let key = store::insert(tx, &key, &secret).await?;
    entity::emit_created(tx, &key, &key.fields);
    Ok((key, secret))
}

/// Renames a key, or ends it earlier.
///
/// # Errors
/// `BLANK`, `OUT_OF_RANGE` for an end that is later than the present one; `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`.
pub async fn update(
    tx: &mut Tx,
    key: (ApiKeyId, Option<i32>),
    name: Option<String>,
    expires_at: Option<DateTime<Utc>>,
) -> Result<ApiKey> {
    let now = tx.now();
    change(tx, key, EventKind::Updated, |fields| {
        if let Some(name) = name {
            fields.name = name;
        }
        fields.check()?;
        match expires_at {
            Some(at) if fields.expires_at != Some(at) => fields.end_earlier(at, now),
            _ => Ok(()),
        }
    })
    .await
}

/// Revokes a key: it works nowhere any more within a second. Doing it twice changes nothing.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`.
pub async fn revoke(tx: &mut Tx, id: ApiKeyId, expected_version: Option<i32>) -> Result<ApiKey> {
    let now = tx.now();
    change(tx, (id, expected_version), EventKind::Revoked, |fields| {
        fields.revoked_at.get_or_insert(now);
        Ok(())
    })
    .await
}

/// Makes a key that replaces another one, which stays valid for so many hours.
///
/// # Errors
/// `OUT_OF_RANGE`, `NOT_ACTIVE` for a key that does not work any more, `ROTATED` for one that has a successor;
/// `NOT_FOUND`, `CONFLICT`; `FORBIDDEN` as [`create`], since the new secret is as good as a new key.
pub async fn rotate(
    tx: &mut Tx,
    (id, expected_version): (ApiKeyId, Option<i32>),
    overlap_hours: i32,
) -> Result<(ApiKey, ApiKeySecret)> {
    let overlap = model::overlap(overlap_hours)?;
    let now = tx.now();
    let old: ApiKey = entity::lock(tx, id.uuid(), expected_version).await?;
    if old.fields.status(now) != ApiKeyStatus::Active {
        return Err(Error::invalid(
            "NOT_ACTIVE",
            "id",
            "this key does not work any more, make a new one",
        ));
    }
    if store::was_rotated(tx, id).await? {
        return Err(Error::invalid(
            "ROTATED",
            "id",
            "this key has a successor, rotate that one",
        ));
    }
    let role = roles::rights(tx, old.fields.role, old.fields.role_id).await?;
    refuse_stronger(tx, &old.fields, &role)?;
    let mut fields = old.fields.clone();
    fields.rotated_from = Some(id.uuid());
    let end = now + overlap;
    change(tx, (id, expected_version), EventKind::Rotated, |fields| {
        fields.expires_at = Some(fields.expires_at.map_or(end, |at| at.min(end)));
        Ok(())
    })
    .await?;
    issue(tx, fields).await
}

async fn change(
    tx: &mut Tx,
    key: (ApiKeyId, Option<i32>),
    kind: EventKind,
    change: impl FnOnce(&mut KeyFields) -> Result<()>,
) -> Result<ApiKey> {
    entity::change::<ApiKey>(tx, key, kind, async |_, key| change(&mut key.fields)).await
}

changes_by_fields! {
    ApiKey {
        async fn write(&self, tx: &mut Tx) -> Result<Self> {
            store::update(tx, self).await
        }

        async fn after_change(&mut self, tx: &mut Tx, _: &Self) -> Result<()> {
            let changed = AccessChange::Key(tx.tenant(), self.id);
            auth::publish_access_change(tx, changed).await
        }
    }
}
