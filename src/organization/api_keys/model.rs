//! What a program's key is, how long it may live, and what it may do.

use async_graphql::Enum;
use chrono::{DateTime, TimeDelta, Utc};
use dealgraph_derive::{Columns, OrderField, SchemaFields};
use serde::Serialize;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::{
    access::{Rights, Role},
    base::{
        error::{Error, Result},
        ids::{ApiKeyId, RoleId, TeamId, Typed as _},
        text::{self, Text},
    },
    db::list::Record,
    entity::{CREATED, Entity, Stamps},
};

/// The longest that a key may be given to live, in days.
const MAX_DAYS: i64 = 3650;
/// The longest that a rotated key stays valid, in hours.
const MAX_OVERLAP_HOURS: i32 = 168;

/// A key that a program works with. Its secret is not among this: only a hash of it is stored.
#[derive(Debug, Clone, sqlx::FromRow, Columns)]
#[unread(name_normalized)]
#[unread(secret_hash, secret)]
pub struct ApiKey {
    #[sqlx(rename = "api_key_id")]
    #[column(once)]
    pub(super) id: ApiKeyId,
    #[sqlx(flatten)]
    pub(super) fields: KeyFields,
    pub(super) hint: String,
    pub(super) last_used_at: Option<DateTime<Utc>>,
    pub(super) last_used_from: Option<String>,
    /// The permission to read is not scoped: it covers all keys of the tenant.
    #[column(select = "'|'")]
    pub(super) visible_to: String,
    /// Keys have no stamp of their last change; the audit log has it.
    #[sqlx(flatten)]
    #[column(parts = CREATED)]
    pub(super) stamps: Stamps,
}

/// What the events of a key contain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, Columns, SchemaFields)]
pub(super) struct KeyFields {
    /// What it is called.
    pub(super) name: String,
    /// What it may do at most.
    pub(super) role: Role,
    #[graphql(skip)]
    pub(super) role_id: Option<RoleId>,
    /// Of what its role allows only this, such as `leads:read:all`; null when it may do all that its role may.
    pub(super) permissions: Option<Vec<String>>,
    #[graphql(skip)]
    pub(super) team_id: Option<TeamId>,
    #[graphql(skip)]
    pub(super) team_path: Option<String>,
    /// When it ends by itself.
    pub(super) expires_at: Option<DateTime<Utc>>,
    #[graphql(skip)]
    pub(super) rotated_from: Option<Uuid>,
    /// Whether it runs only the documents that the operator of the server has listed.
    pub(super) trusted_documents_only: bool,
    /// When it was revoked.
    pub(super) revoked_at: Option<DateTime<Utc>>,
}

/// How a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum ApiKeyStatus {
    /// It works.
    Active,
    /// It came to its end.
    Expired,
    /// It was revoked.
    Revoked,
}

/// What a key may do: what its role may, and of that only what it was narrowed to.
#[must_use]
pub fn narrowed(role: &Rights, permissions: Option<&[String]>) -> Rights {
    match permissions {
        Some(permissions) => role.and(&Rights::stored(permissions, &[])),
        None => role.clone(),
    }
}

impl KeyFields {
    pub(super) fn check(&mut self) -> Result<()> {
        Text::line("name").required(&mut self.name)
    }

    pub(super) fn status(&self, now: DateTime<Utc>) -> ApiKeyStatus {
        match (self.revoked_at, self.expires_at) {
            (Some(_), _) => ApiKeyStatus::Revoked,
            (None, Some(end)) if end <= now => ApiKeyStatus::Expired,
            _ => ApiKeyStatus::Active,
        }
    }

    /// Ends the key earlier than it would end by itself.
    ///
    /// # Errors
    /// `OUT_OF_RANGE` on `expiresAt` for a time that is past or later than the present end.
    pub(super) fn end_earlier(&mut self, at: DateTime<Utc>, now: DateTime<Utc>) -> Result<()> {
        check_end(at, now)?;
        if self.expires_at.is_some_and(|end| at > end) {
            let message = "a key can't be given longer, make or rotate one instead";
            return Err(Error::invalid("OUT_OF_RANGE", "expiresAt", message));
        }
        self.expires_at = Some(at);
        Ok(())
    }
}

/// When a new key ends: at a time, in some days, or never.
///
/// # Errors
/// `OUT_OF_RANGE`, `INVALID_EXPIRY` when both are given.
pub(super) fn end(
    at: Option<DateTime<Utc>>,
    days: Option<i32>,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    match (at, days) {
        (Some(_), Some(_)) => Err(Error::invalid(
            "INVALID_EXPIRY",
            "expiresInDays",
            "expected `expiresAt` or `expiresInDays`, not both",
        )),
        (Some(at), None) => {
            check_end(at, now)?;
            Ok(Some(at))
        }
        (None, Some(days)) if (1..=MAX_DAYS).contains(&days.into()) => {
            Ok(Some(now + TimeDelta::days(days.into())))
        }
        (None, Some(_)) => Err(Error::invalid(
            "OUT_OF_RANGE",
            "expiresInDays",
            format!("expected 1 to {MAX_DAYS} days"),
        )),
        (None, None) => Ok(None),
    }
}

fn check_end(at: DateTime<Utc>, now: DateTime<Utc>) -> Result<()> {
    match now < at && at <= now + TimeDelta::days(MAX_DAYS) {
        true => Ok(()),
        false => Err(Error::invalid(
            "OUT_OF_RANGE",
            "expiresAt",
            format!("expected a time to come, within {MAX_DAYS} days"),
        )),
    }
}

/// How long what is replaced, a key or a secret, stays valid beside what replaces it.
///
/// # Errors
/// `OUT_OF_RANGE` on `overlapHours`.
pub(crate) fn overlap(hours: i32) -> Result<TimeDelta> {
    match (0..=MAX_OVERLAP_HOURS).contains(&hours) {
        true => Ok(TimeDelta::hours(hours.into())),
        false => Err(Error::invalid(
            "OUT_OF_RANGE",
            "overlapHours",
            format!("expected 0 to {MAX_OVERLAP_HOURS} hours"),
        )),
    }
}

/// What keys can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, OrderField)]
#[order(of = ApiKey)]
pub enum ApiKeyOrderField {
    /// When it was made.
    #[order(time = self.stamps.created_at)]
    CreatedAt,
    /// Its name, without regard to case.
    #[order(text = text::normalize(&self.fields.name), column = "name_normalized")]
    Name,
}

impl Record for ApiKey {
    const ARCHIVES: bool = false;
    type Order = ApiKeyOrderField;

    fn key(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Entity for ApiKey {
    fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    fn visible_to(&self) -> &str {
        &self.visible_to
    }

    fn columns(&self) -> Json {
        json!(self.fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_ends_in_time_to_come_and_never_later_than_it_would() {
        let now = DateTime::<Utc>::UNIX_EPOCH;
        let day = TimeDelta::days(1);
        assert_eq!(end(None, Some(1), now).ok(), Some(Some(now + day)));
        assert_eq!(end(None, None, now).ok(), Some(None));
        for (at, days) in [
            (Some(now), None),
            (Some(now + day * 4000), None),
            (None, Some(0)),
            (None, Some(i32::MAX)),
            (Some(now + day), Some(1)),
        ] {
            assert!(end(at, days, now).is_err(), "{at:?} {days:?}");
        }
        let mut key = KeyFields {
            name: "loader".to_owned(),
            role: Role::Viewer,
            role_id: None,
            permissions: None,
            team_id: None,
            team_path: None,
            expires_at: Some(now + day),
            rotated_from: None,
            trusted_documents_only: false,
            revoked_at: None,
        };
        assert!(key.end_earlier(now + day * 2, now).is_err());
        assert!(key.end_earlier(now, now).is_err());
        key.end_earlier(now + day / 2, now).expect("earlier");
        assert_eq!(key.status(now + day / 3), ApiKeyStatus::Active);
        assert_eq!(key.status(now + day / 2), ApiKeyStatus::Expired);
    }

    #[test]
    fn a_narrowed_key_may_do_no_more_than_its_role_nor_than_its_list() {
        let wider = ["leads:read:all".to_owned(), "admin".to_owned()];
        let rights = narrowed(&Role::SalesRep.rights(), Some(&wider));
        assert_eq!(rights.granted(), ["leads:read:own"]);
        assert!(Role::SalesRep.rights().cover(&rights));
        assert_eq!(
            narrowed(&Role::Viewer.rights(), None),
            Role::Viewer.rights()
        );
    }
}
