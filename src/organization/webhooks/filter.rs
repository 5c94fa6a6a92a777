//! Endpoints in the schema: which ones are asked for, and in which order.

use async_graphql::InputObject;

use super::WebhookEndpointOrderField;
use crate::{
    base::{error::Result, ids::WebhookEndpointId, text::Form},
    db::{Direction, OrderTerm, Predicate},
    graphql::{
        Filter,
        filters::{Conditions, IdFilter, TextFilter, order_input},
    },
};

/// Which endpoints.
#[derive(Debug, Default, InputObject)]
pub struct WebhookEndpointFilter {
    /// All of these hold.
    and: Option<Vec<WebhookEndpointFilter>>,
    /// At least one of these holds.
    or: Option<Vec<WebhookEndpointFilter>>,
    /// This does not hold.
    not: Option<Box<WebhookEndpointFilter>>,
    /// By id.
    id: Option<IdFilter>,
    /// By name, without regard to case.
    name: Option<TextFilter>,
    /// By whether it is sent anything.
    enabled: Option<bool>,
}

impl Filter for WebhookEndpointFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.id::<WebhookEndpointId>("id", "webhook_endpoint_id", self.id)?;
        all.text("name", "name_normalized", self.name, Form::Name)?;
        all.flag("enabled", self.enabled);
        all.finish(self.and, self.or, self.not)
    }
}

order_input! {
    /// One criterion of the order of endpoints.
    pub WebhookEndpointOrder(WebhookEndpointOrderField)
}

pub(super) const USUAL_ORDER: OrderTerm<WebhookEndpointOrderField> = OrderTerm {
    field: WebhookEndpointOrderField::CreatedAt,
    direction: Direction::Desc,
};
