//! Members and teams in the schema: which ones are asked for, and in which order.

use async_graphql::InputObject;

use super::{MemberOrderField, MembershipStatus, model::TeamOrderField};
use crate::{
    access::Role,
    base::{
        error::Result,
        ids::{TeamId, UserId},
        text::Form,
    },
    db::{Direction, OrderTerm, Predicate},
    graphql::{
        Filter,
        filters::{Conditions, IdFilter, TextFilter, enum_filter, order_input},
    },
};

enum_filter! {
    /// Compares a role.
    RoleFilter(Role)
}

enum_filter! {
    /// Compares a membership's status.
    MembershipStatusFilter(MembershipStatus)
}

/// Which members.
#[derive(Debug, Default, InputObject)]
pub struct MembershipFilter {
    /// All of these hold.
    and: Option<Vec<MembershipFilter>>,
    /// At least one of these holds.
    or: Option<Vec<MembershipFilter>>,
    /// This does not hold.
    not: Option<Box<MembershipFilter>>,
    /// By the person's id.
    user_id: Option<IdFilter>,
    /// By the person's name, without regard to case.
    name: Option<TextFilter>,
    /// By team.
    team_id: Option<IdFilter>,
    /// By role.
    role: Option<RoleFilter>,
    /// By status.
    status: Option<MembershipStatusFilter>,
}

impl Filter for MembershipFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.id::<UserId>("userId", "user_id", self.user_id)?;
        all.text("name", "name_normalized", self.name, Form::Name)?;
        all.id::<TeamId>("teamId", "team_id", self.team_id)?;
        all.enumeration("role", "role", self.role)?;
        all.enumeration("status", "status", self.status)?;
        all.finish(self.and, self.or, self.not)
    }
}

/// Which teams.
#[derive(Debug, Default, InputObject)]
pub(super) struct TeamFilter {
    /// By the team above; `null: true` finds those on top.
    parent_id: Option<IdFilter>,
}

impl Filter for TeamFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.id::<TeamId>("parentId", "parent_team_id", self.parent_id)?;
        all.finish::<Self>(None, None, None)
    }
}

pub(super) const BY_PATH: OrderTerm<TeamOrderField> = OrderTerm {
    field: TeamOrderField::Path,
    direction: Direction::Asc,
};

order_input! {
    /// One criterion of the order of members.
    pub MembershipOrder(MemberOrderField)
}

pub(crate) const USUAL_ORDER: OrderTerm<MemberOrderField> = OrderTerm {
    field: MemberOrderField::Name,
    direction: Direction::Asc,
};
