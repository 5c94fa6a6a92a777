//! What an account at a service is.

use async_graphql::Enum;
use chrono::{DateTime, Utc};
use dealgraph_derive::{Columns, OrderField, SchemaFields};
use serde::Serialize;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::{
    base::{
        error::{Error, Result},
        ids::{IntegrationId, Typed as _, UserId},
        text::{Text, normalize},
    },
    db::list::Record,
    entity::{self, Entity, Stamps, UNARCHIVED, changes_by_fields},
    graphql::projection::enum_columns,
};

/// How often an account may be looked at, in minutes.
const EVERY_MINUTES: std::ops::RangeInclusive<i32> = 5..=1_440;

/// An account at a service elsewhere. What it authenticates with is not among this.
#[derive(Debug, Clone, sqlx::FromRow, Columns)]
#[expect(
    clippy::duplicated_attributes,
    reason = "they are the same word for several columns"
)]
#[unread(credentials, secret)]
#[unread(authorization_hash, secret)]
#[unread(authorization_sealed, secret)]
#[unread(authorization_ends_at)]
#[unread(refresh_until)]
#[unread(refresh_fence)]
#[unread(pushed_seq)]
pub struct Integration {
    #[sqlx(rename = "integration_id")]
    #[column(once)]
    pub(in crate::integrations) id: IntegrationId,
    #[sqlx(flatten)]
    pub(in crate::integrations) fields: IntegrationFields,
    #[column(once)]
    pub(in crate::integrations) visible_to: String,
    #[sqlx(flatten)]
    #[column(parts = UNARCHIVED)]
    pub(in crate::integrations) stamps: Stamps,
}

/// What the events of an account contain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, Columns, SchemaFields)]
#[computed(name_normalized = normalize(&self.name))]
pub struct IntegrationFields {
    /// The service, as programs call it.
    #[column(once)]
    #[graphql(skip)]
    pub provider: String,
    /// What it is called.
    pub name: String,
    /// Whose it is, where it is a person's.
    #[column(once)]
    #[graphql(skip)]
    pub user_id: Option<UserId>,
    /// How it stands.
    pub status: IntegrationStatus,
    /// Since when it stands so.
    pub status_since: DateTime<Utc>,
    /// REAUTHORIZATION_NEEDED: why, for programs.
    pub status_reason: Option<String>,
    /// What the service calls the account, for programs.
    pub external_account: Option<String>,
    /// What the service calls the account, for people.
    pub external_name: Option<String>,
    /// How often it is looked at, in minutes.
    pub sync_every_minutes: i32,
    /// In whose name it was authorised last.
    #[graphql(skip)]
    pub runs_as: String,
}

/// How an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Enum, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum IntegrationStatus {
    /// Somebody went to the service to authorise it, and has not come back.
    Connecting,
    /// Records are kept in step.
    Active,
    /// Somebody paused it.
    Paused,
    /// Nothing is kept in step until somebody authorises it again.
    ReauthorizationNeeded,
    /// It was disconnected, and is there for its history.
    Disconnected,
}

enum_columns!(IntegrationStatus);

impl IntegrationFields {
    /// # Errors
    /// `BLANK`, `TOO_LONG`, `OUT_OF_RANGE`, with the field.
    pub(super) fn check(&mut self) -> Result<()> {
        Text::line("name").required(&mut self.name)?;
        match EVERY_MINUTES.contains(&self.sync_every_minutes) {
            true => Ok(()),
            false => Err(Error::invalid(
                "OUT_OF_RANGE",
                "syncEveryMinutes",
                "expected 5 to 1440 minutes",
            )),
        }
    }

    /// Says how it stands from now on, unless it does already.
    pub(super) fn stand(
        &mut self,
        status: IntegrationStatus,
        reason: Option<&str>,
        now: DateTime<Utc>,
    ) {
        let reason = reason.map(str::to_owned);
        if (self.status, &self.status_reason) != (status, &reason) {
            (self.status, self.status_since, self.status_reason) = (status, now, reason);
        }
    }
}

/// What accounts can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, OrderField)]
#[order(of = Integration)]
pub enum IntegrationOrderField {
    /// When it was connected first.
    #[order(time = self.stamps.created_at)]
    CreatedAt,
    /// Its name, without regard to case.
    #[order(text = normalize(&self.fields.name), column = "name_normalized")]
    Name,
}

impl Record for Integration {
    const ARCHIVES: bool = false;
    type Order = IntegrationOrderField;

    fn key(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Entity for Integration {
    fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    fn visible_to(&self) -> &str {
        &self.visible_to
    }

    fn columns(&self) -> Json {
        entity::with(
            json!(self.fields),
            json!({ "name_normalized": normalize(&self.fields.name) }),
        )
    }
}

changes_by_fields!(Integration);
