//! Leads in the schema: which ones are asked for, and in which order.

use async_graphql::InputObject;

use super::{LeadOrderField, LeadStatus};
use crate::{
    base::{
        error::Result,
        ids::{LeadId, UserId},
        text::Form,
    },
    db::{Direction, OrderTerm, Predicate},
    graphql::{
        Filter,
        filters::{Conditions, DateTimeFilter, IdFilter, TextFilter, enum_filter, order_input},
    },
};

enum_filter! {
    /// Compares the status of a lead.
    pub LeadStatusFilter(LeadStatus)
}

/// Which leads.
#[derive(Debug, Default, InputObject)]
pub struct LeadFilter {
    /// All of these hold.
    and: Option<Vec<LeadFilter>>,
    /// At least one of these holds.
    or: Option<Vec<LeadFilter>>,
    /// This does not hold.
    not: Option<Box<LeadFilter>>,
    /// By id.
    id: Option<IdFilter>,
    /// By name in the order last name, first name, without regard to case; `startsWith` matches the last name.
    name: Option<TextFilter>,
    /// By e-mail address, without regard to case.
    email: Option<TextFilter>,
    /// By status.
    status: Option<LeadStatusFilter>,
    /// By where it came from, as written.
    source: Option<TextFilter>,
    /// By owner.
    owner_id: Option<IdFilter>,
    /// By when the next action is due.
    next_action_at: Option<DateTimeFilter>,
    /// By time of creation.
    created_at: Option<DateTimeFilter>,
    /// By time of the last change.
    updated_at: Option<DateTimeFilter>,
}

impl Filter for LeadFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.id::<LeadId>("id", "lead_id", self.id)?;
        all.text("name", "name_normalized", self.name, Form::Name)?;
        all.text("email", "email_normalized", self.email, Form::Email)?;
        all.enumeration("status", "status", self.status)?;
        all.text("source", "source", self.source, Form::Line)?;
        all.id::<UserId>("ownerId", "owner_id", self.owner_id)?;
        all.time(
            "nextActionAt",
            ("next_action_at", "'infinity'::timestamptz"),
            self.next_action_at,
        )?;
        all.time("createdAt", "created_at", self.created_at)?;
        all.time("updatedAt", "updated_at", self.updated_at)?;
        all.finish(self.and, self.or, self.not)
    }
}

order_input! {
    /// One criterion of the order of leads.
    pub LeadOrder(LeadOrderField)
}

pub(super) const USUAL_ORDER: OrderTerm<LeadOrderField> = OrderTerm {
    field: LeadOrderField::CreatedAt,
    direction: Direction::Desc,
};
