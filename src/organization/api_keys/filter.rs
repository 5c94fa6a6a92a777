//! Keys in the schema: which ones are asked for, and in which order.

use async_graphql::InputObject;

use super::ApiKeyOrderField;
use crate::{
    base::{error::Result, ids::ApiKeyId, text::Form},
    db::{Direction, OrderTerm, Predicate},
    graphql::{
        Filter,
        filters::{Conditions, DateTimeFilter, IdFilter, TextFilter, order_input},
    },
};

/// Which keys.
#[derive(Debug, Default, InputObject)]
pub struct ApiKeyFilter {
    /// All of these hold.
    and: Option<Vec<ApiKeyFilter>>,
    /// At least one of these holds.
    or: Option<Vec<ApiKeyFilter>>,
    /// This does not hold.
    not: Option<Box<ApiKeyFilter>>,
    /// By id.
    id: Option<IdFilter>,
    /// By name, without regard to case.
    name: Option<TextFilter>,
    /// By the time it was revoked; `{ null: true }` are those that were not.
    revoked_at: Option<DateTimeFilter>,
}

impl Filter for ApiKeyFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.id::<ApiKeyId>("id", "api_key_id", self.id)?;
        all.text("name", "name_normalized", self.name, Form::Name)?;
        all.time("revokedAt", "revoked_at", self.revoked_at)?;
        all.finish(self.and, self.or, self.not)
    }
}

order_input! {
    /// One criterion of the order of keys.
    pub ApiKeyOrder(ApiKeyOrderField)
}

pub(super) const USUAL_ORDER: OrderTerm<ApiKeyOrderField> = OrderTerm {
    field: ApiKeyOrderField::CreatedAt,
    direction: Direction::Desc,
};
