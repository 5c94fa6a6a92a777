//! What is known of a delivery, and of each attempt at it.

use async_graphql::Enum;
use chrono::{DateTime, Utc};
use dealgraph_derive::{Columns, OrderField};
use uuid::Uuid;

use crate::{
    access::Access,
    base::ids::{Typed as _, WebhookDeliveryId, WebhookEndpointId},
    db::{Registered, list::Record},
};

/// Something that was or is to be sent to an endpoint.
#[derive(Debug, Clone, sqlx::FromRow, Columns)]
pub struct WebhookDelivery {
    #[sqlx(rename = "webhook_delivery_id")]
    pub(super) id: WebhookDeliveryId,
    #[sqlx(rename = "webhook_endpoint_id")]
    pub(super) endpoint_id: WebhookEndpointId,
    pub(super) change: Option<String>,
    pub(super) entity: Option<String>,
    pub(super) entity_id: Option<Uuid>,
    pub(super) status: DeliveryStatus,
    pub(super) attempts: i32,
    pub(super) due_at: Option<DateTime<Utc>>,
    /// For whom it was worked out, and for admins: others may see less.
    #[column(
        select = "CASE WHEN t.runs_as = app.author() OR app.tenant_for('admin') IS NOT NULL THEN t.body END"
    )]
    pub(super) body: Option<String>,
    pub(super) runs_as: String,
    pub(super) response_status: Option<i32>,
    pub(super) error_code: Option<String>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) ended_at: Option<DateTime<Utc>>,
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeliveryStatus {
    /// It is to be sent, or sent again.
    Pending,
    /// The receiver has it.
    Delivered,
    /// It was tried as often as it may be.
    Failed,
    /// Its endpoint was disabled before.
    Cancelled,
}

/// One time that something was sent.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Attempt {
    pub(super) webhook_delivery_id: Uuid,
    pub(super) attempt: i32,
    pub(super) started_at: DateTime<Utc>,
    pub(super) outcome: AttemptOutcome,
    pub(super) response_status: Option<i32>,
    pub(super) error_code: Option<String>,
    pub(super) took_ms: Option<i32>,
    pub(super) response: Option<String>,
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum AttemptOutcome {
    /// It is under way; or the server that sent it has died since, and it is not known whether it arrived.
    Sending,
    /// The receiver answered that it has it.
    Delivered,
    /// The receiver answered otherwise.
    Refused,
    /// There was no answer.
    Unreached,
}

/// What deliveries can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, OrderField)]
#[order(of = WebhookDelivery)]
pub enum WebhookDeliveryOrderField {
    /// When it came about.
    #[order(time = self.created_at)]
    CreatedAt,
}

impl Registered for WebhookDelivery {
    const KIND: &'static str = "webhookDelivery";
    const TABLE: &'static str = "webhook_deliveries";
    const ID_COLUMN: &'static str = "webhook_delivery_id";
    const ACCESS: Access = Access::Shared {
        read: "integrations:write",
        write: "integrations:write",
    };
}

impl Record for WebhookDelivery {
    const ARCHIVES: bool = false;
    type Order = WebhookDeliveryOrderField;

    fn key(&self) -> Uuid {
        self.id.uuid()
    }
}
