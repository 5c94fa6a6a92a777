//! Deliveries in the schema: which ones are asked for, and in which order.

use async_graphql::InputObject;

use super::{DeliveryStatus, WebhookDeliveryOrderField};
use crate::{
    base::{error::Result, ids::WebhookEndpointId},
    db::{Direction, OrderTerm, Predicate},
    graphql::{
        Filter,
        filters::{Conditions, DateTimeFilter, IdFilter, enum_filter, order_input},
    },
};

enum_filter! {
    /// Compares the status of a delivery.
    pub WebhookDeliveryStatusFilter(DeliveryStatus)
}

/// Which deliveries.
#[derive(Debug, Default, InputObject)]
pub struct WebhookDeliveryFilter {
    /// All of these hold.
    and: Option<Vec<WebhookDeliveryFilter>>,
    /// At least one of these holds.
    or: Option<Vec<WebhookDeliveryFilter>>,
    /// This does not hold.
    not: Option<Box<WebhookDeliveryFilter>>,
    /// By endpoint.
    webhook_endpoint_id: Option<IdFilter>,
    /// By how far they are.
    status: Option<WebhookDeliveryStatusFilter>,
    /// By when they came about.
    created_at: Option<DateTimeFilter>,
}

impl Filter for WebhookDeliveryFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.id::<WebhookEndpointId>(
            "webhookEndpointId",
            "webhook_endpoint_id",
            self.webhook_endpoint_id,
        )?;
        all.enumeration("status", "status", self.status)?;
        all.time("createdAt", "created_at", self.created_at)?;
        all.finish(self.and, self.or, self.not)
    }
}

order_input! {
    /// One criterion of the order of deliveries.
    pub WebhookDeliveryOrder(WebhookDeliveryOrderField), descending
}

pub(super) const USUAL_ORDER: OrderTerm<WebhookDeliveryOrderField> = OrderTerm {
    field: WebhookDeliveryOrderField::CreatedAt,
    direction: Direction::Desc,
};
