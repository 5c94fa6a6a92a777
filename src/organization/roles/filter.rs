//! Roles in the schema: which ones are asked for, and in which order.

use async_graphql::InputObject;

use super::RoleOrderField;
use crate::{
    base::{error::Result, ids::RoleId, text::Form},
    db::{Direction, OrderTerm, Predicate},
    graphql::{
        Filter,
        filters::{Conditions, IdFilter, TextFilter},
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

/// One criterion of the order of roles.
#[derive(Debug, InputObject)]
pub struct CustomRoleOrder {
    /// What to sort by.
    field: RoleOrderField,
    /// Which way.
    #[graphql(default_with = "Direction::Asc")]
    direction: Direction,
}

impl From<CustomRoleOrder> for OrderTerm<RoleOrderField> {
    fn from(order: CustomRoleOrder) -> Self {
        Self {
            field: order.field,
            direction: order.direction,
        }
    }
}

pub(super) const USUAL_ORDER: OrderTerm<RoleOrderField> = OrderTerm {
    field: RoleOrderField::Name,
    direction: Direction::Asc,
};
