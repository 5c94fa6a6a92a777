//! What an endpoint is.

use async_graphql::Enum;
use chrono::{DateTime, Utc};
use dealgraph_derive::{Columns, OrderField, SchemaFields};
use serde::Serialize;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::WebhookSubscription;
use crate::{
    base::{
        error::Result,
        ids::{Typed as _, WebhookEndpointId},
        text::{self, Text},
    },
    db::list::Record,
    entity::{CREATED, Entity, Stamps},
};

/// The form of what is sent around the answers of subscriptions. An endpoint keeps the one that it was set up with.
pub(super) const API_VERSION: &str = "2026-11";

/// A server elsewhere that is sent what happens. Its secret is not among this.
#[derive(Debug, Clone, sqlx::FromRow, Columns)]
#[unread(name_normalized)]
#[expect(
    clippy::duplicated_attributes,
    reason = "they are the same word for two columns"
)]
#[unread(secret, secret)]
#[unread(previous_secret, secret)]
pub struct WebhookEndpoint {
    #[sqlx(rename = "webhook_endpoint_id")]
    #[column(once)]
    pub(super) id: WebhookEndpointId,
    #[sqlx(flatten)]
    pub(super) fields: EndpointFields,
    /// The permission to read is not scoped: it covers all endpoints of the tenant.
    #[column(select = "'|'")]
    pub(super) visible_to: String,
    /// Endpoints have no stamp of their last change; the audit log has it.
    #[sqlx(flatten)]
    #[column(parts = CREATED)]
    pub(super) stamps: Stamps,
}

/// What the events of an endpoint contain.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow, Columns, SchemaFields)]
pub(super) struct EndpointFields {
    /// What it is called.
    pub(super) name: String,
    /// Where to.
    pub(super) url: String,
    #[graphql(skip)]
    pub(super) subscriptions: sqlx::types::Json<Vec<WebhookSubscription>>,
    /// Whether what its own author changed is left out, so that a receiver that writes back does not answer itself.
    pub(super) skips_own: bool,
    /// The form of what is sent around the answers of its subscriptions.
    pub(super) api_version: String,
    #[graphql(skip)]
    pub(super) runs_as: String,
    /// Whether it is sent anything.
    pub(super) enabled: bool,
    /// Why it is sent nothing.
    pub(super) disabled_reason: Option<DisabledReason>,
    /// Since when it is sent nothing.
    pub(super) disabled_at: Option<DateTime<Utc>>,
    /// The end of its secret, to tell secrets apart by.
    pub(super) hint: String,
    /// Until when the secret before this one signs too.
    pub(super) previous_until: Option<DateTime<Utc>>,
}

crate::graphql::projection::enum_columns!(DisabledReason);

/// Why an endpoint is sent nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DisabledReason {
    /// Somebody disabled it.
    ByHand,
    /// It answered 410, which says that it wants no more.
    Gone,
    /// Nothing has arrived there for five days.
    Failing,
    /// Whoever changed it last is not in the tenant any more, and nobody else has answered for what it is sent.
    OwnerGone,
    /// One of its subscriptions does not fit the schema, or the rights of who changed it last, any more.
    Unreadable,
    /// It was so far behind that events which it has not been sent are not kept any more.
    LogLost,
}

impl DisabledReason {
    /// For metrics.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::ByHand => "by_hand",
            Self::Gone => "gone",
            Self::Failing => "failing",
            Self::OwnerGone => "owner_gone",
            Self::Unreadable => "unreadable",
            Self::LogLost => "log_lost",
        }
    }
}

impl EndpointFields {
    pub(super) fn check(&mut self) -> Result<()> {
        Text::line("name").required(&mut self.name)
    }

    pub(super) fn enable(&mut self) {
        self.enabled = true;
        (self.disabled_reason, self.disabled_at) = (None, None);
    }

    pub(super) fn disable(&mut self, reason: DisabledReason, now: DateTime<Utc>) {
        if self.enabled {
            self.enabled = false;
            (self.disabled_reason, self.disabled_at) = (Some(reason), Some(now));
        }
    }
}

/// What endpoints can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, OrderField)]
#[order(of = WebhookEndpoint)]
pub enum WebhookEndpointOrderField {
    /// When it was set up.
    #[order(time = self.stamps.created_at)]
    CreatedAt,
    /// Its name, without regard to case.
    #[order(text = text::normalize(&self.fields.name), column = "name_normalized")]
    Name,
}

impl Record for WebhookEndpoint {
    const ARCHIVES: bool = false;
    type Order = WebhookEndpointOrderField;

    fn key(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Entity for WebhookEndpoint {
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
