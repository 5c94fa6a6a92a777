//! Endpoints and their messages in the schema: which ones are asked for, and in which order.

use async_graphql::InputObject;

use super::{InboundEndpointOrderField, InboundMessageOrderField, InboundMessageStatus};
use crate::{
    base::{
        error::Result,
        ids::{InboundEndpointId, InboundMessageId},
        text::Form,
    },
    db::{Direction, OrderTerm, Predicate},
    graphql::{
        Filter,
        filters::{Conditions, DateTimeFilter, IdFilter, TextFilter, enum_filter, order_input},
    },
};

/// Which endpoints.
#[derive(Debug, Default, InputObject)]
pub struct InboundEndpointFilter {
    /// All of these hold.
    and: Option<Vec<InboundEndpointFilter>>,
    /// At least one of these holds.
    or: Option<Vec<InboundEndpointFilter>>,
    /// This does not hold.
    not: Option<Box<InboundEndpointFilter>>,
    /// By id.
    id: Option<IdFilter>,
    /// By name, without regard to case.
    name: Option<TextFilter>,
    /// Whether messages are taken.
    enabled: Option<bool>,
}

impl Filter for InboundEndpointFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.id::<InboundEndpointId>("id", "inbound_endpoint_id", self.id)?;
        all.text("name", "name_normalized", self.name, Form::Name)?;
        all.flag("enabled", self.enabled);
        all.finish(self.and, self.or, self.not)
    }
}

order_input! {
    /// One criterion of the order of endpoints.
    pub InboundEndpointOrder(InboundEndpointOrderField)
}

pub(super) const USUAL_ORDER: OrderTerm<InboundEndpointOrderField> = OrderTerm {
    field: InboundEndpointOrderField::CreatedAt,
    direction: Direction::Desc,
};

enum_filter! {
    /// Compares the status of a message.
    pub InboundMessageStatusFilter(InboundMessageStatus)
}

/// Which messages.
#[derive(Debug, Default, InputObject)]
pub struct InboundMessageFilter {
    /// All of these hold.
    and: Option<Vec<InboundMessageFilter>>,
    /// At least one of these holds.
    or: Option<Vec<InboundMessageFilter>>,
    /// This does not hold.
    not: Option<Box<InboundMessageFilter>>,
    /// By id.
    id: Option<IdFilter>,
    /// By the endpoint that they came to.
    endpoint_id: Option<IdFilter>,
    /// By what the sender calls them, as it was sent.
    message_id: Option<TextFilter>,
    /// By how far they are.
    status: Option<InboundMessageStatusFilter>,
    /// By when they came.
    received_at: Option<DateTimeFilter>,
}

impl Filter for InboundMessageFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.id::<InboundMessageId>("id", "inbound_message_id", self.id)?;
        all.id::<InboundEndpointId>("endpointId", "inbound_endpoint_id", self.endpoint_id)?;
        all.text("messageId", "message_id", self.message_id, Form::Line)?;
        all.enumeration("status", "status", self.status)?;
        all.time("receivedAt", "received_at", self.received_at)?;
        all.finish(self.and, self.or, self.not)
    }
}

order_input! {
    /// One criterion of the order of messages.
    pub InboundMessageOrder(InboundMessageOrderField), descending
}

pub(super) const NEWEST: OrderTerm<InboundMessageOrderField> = OrderTerm {
    field: InboundMessageOrderField::ReceivedAt,
    direction: Direction::Desc,
};
