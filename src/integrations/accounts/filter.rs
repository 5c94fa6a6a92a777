//! Accounts in the schema: which ones are asked for, and in which order.

use async_graphql::InputObject;

use super::{IntegrationOrderField, IntegrationStatus};
use crate::{
    base::{
        error::Result,
        ids::{IntegrationId, UserId},
        text::Form,
    },
    db::{Direction, OrderTerm, Predicate},
    graphql::{
        Filter,
        filters::{Conditions, IdFilter, TextFilter, enum_filter, order_input},
    },
};

enum_filter! {
    /// Compares how an integration stands.
    pub IntegrationStatusFilter(IntegrationStatus)
}

/// Which integrations.
#[derive(Debug, Default, InputObject)]
pub struct IntegrationFilter {
    /// All of these hold.
    and: Option<Vec<IntegrationFilter>>,
    /// At least one of these holds.
    or: Option<Vec<IntegrationFilter>>,
    /// This does not hold.
    not: Option<Box<IntegrationFilter>>,
    /// By id.
    id: Option<IdFilter>,
    /// By name, without regard to case.
    name: Option<TextFilter>,
    /// By the key of the service.
    provider: Option<TextFilter>,
    /// By how they stand.
    status: Option<IntegrationStatusFilter>,
    /// By whose they are; those of the tenant are nobody's.
    user_id: Option<IdFilter>,
}

impl Filter for IntegrationFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.id::<IntegrationId>("id", "integration_id", self.id)?;
        all.text("name", "name_normalized", self.name, Form::Name)?;
        all.text("provider", "provider", self.provider, Form::Line)?;
        all.enumeration("status", "status", self.status)?;
        all.id::<UserId>("userId", "user_id", self.user_id)?;
        all.finish(self.and, self.or, self.not)
    }
}

order_input! {
    /// One criterion of the order of integrations.
    pub IntegrationOrder(IntegrationOrderField)
}

pub(super) const USUAL_ORDER: OrderTerm<IntegrationOrderField> = OrderTerm {
    field: IntegrationOrderField::CreatedAt,
    direction: Direction::Desc,
};
