//! Roles in the schema: which ones are asked for, and in which order.

use async_graphql::InputObject;

use super::RoleOrderField;
use crate::{
    base::{error::Result, ids::RoleId, text::Form},
    db::{Direction, OrderTerm, Predicate},
    graphql::{
        Filter,
        filters::{Conditions, IdFilter, TextFilter, order_input},
    },
};

/// Which roles.
#[derive(Debug, Default, InputObject)]
pub struct CustomRoleFilter {
    /// All of these hold.
    and: Option<Vec<CustomRoleFilter>>,
    /// At least one of these holds.
    or: Option<Vec<CustomRoleFilter>>,
    /// This does not hold.
    not: Option<Box<CustomRoleFilter>>,
    /// By id.
    id: Option<IdFilter>,
    /// By name, without regard to case.
    name: Option<TextFilter>,
}

impl Filter for CustomRoleFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.id::<RoleId>("id", "role_id", self.id)?;
        all.text("name", "name_normalized", self.name, Form::Name)?;
        all.finish(self.and, self.or, self.not)
    }
}

order_input! {
    /// One criterion of the order of roles.
    pub CustomRoleOrder(RoleOrderField)
}

pub(super) const USUAL_ORDER: OrderTerm<RoleOrderField> = OrderTerm {
    field: RoleOrderField::Name,
    direction: Direction::Asc,
};
