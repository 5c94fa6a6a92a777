//! Activities in the schema: which ones are asked for, and in which order.

use async_graphql::InputObject;

use super::{ActivityDirection, ActivityKind, ActivityOrderField, ActivityStatus};
use crate::{
    base::{
        error::Result,
        ids::{ActivityId, UserId},
    },
    db::{Direction, OrderTerm, Predicate},
    graphql::{
        Filter,
        filters::{Conditions, DateTimeFilter, IdFilter, enum_filter, order_input},
    },
};

enum_filter! {
    /// Compares a kind of activity.
    ActivityKindFilter(ActivityKind)
}

enum_filter! {
    /// Compares an activity's status.
    ActivityStatusFilter(ActivityStatus)
}

enum_filter! {
    /// Compares an activity's direction.
    ActivityDirectionFilter(ActivityDirection)
}

/// Which activities.
#[derive(Debug, Default, InputObject)]
pub struct ActivityFilter {
    /// All of these hold.
    and: Option<Vec<ActivityFilter>>,
    /// At least one of these holds.
    or: Option<Vec<ActivityFilter>>,
    /// This does not hold.
    not: Option<Box<ActivityFilter>>,
    /// By id.
    id: Option<IdFilter>,
    /// By kind.
    kind: Option<ActivityKindFilter>,
    /// By status.
    status: Option<ActivityStatusFilter>,
    /// By direction.
    direction: Option<ActivityDirectionFilter>,
    /// By owner.
    owner_id: Option<IdFilter>,
    /// By the time until when it is to be done.
    due_at: Option<DateTimeFilter>,
    /// By its place in a timeline.
    occurred_at: Option<DateTimeFilter>,
    /// By the time when it was done.
    done_at: Option<DateTimeFilter>,
    /// By time of creation.
    created_at: Option<DateTimeFilter>,
    /// By time of the last change.
    updated_at: Option<DateTimeFilter>,
}

impl Filter for ActivityFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.id::<ActivityId>("id", "activity_id", self.id)?;
        all.enumeration("kind", "kind", self.kind)?;
        all.enumeration("status", "status", self.status)?;
        all.enumeration("direction", "direction", self.direction)?;
        all.id::<UserId>("ownerId", "owner_id", self.owner_id)?;
        all.time("dueAt", ("due_at", "'infinity'::timestamptz"), self.due_at)?;
        all.time("occurredAt", "occurred_at", self.occurred_at)?;
        all.time("doneAt", "done_at", self.done_at)?;
        all.time("createdAt", "created_at", self.created_at)?;
        all.time("updatedAt", "updated_at", self.updated_at)?;
        all.finish(self.and, self.or, self.not)
    }
}

order_input! {
    /// One criterion of the order of activities.
    pub ActivityOrder(ActivityOrderField)
}

pub(super) const USUAL_ORDER: OrderTerm<ActivityOrderField> = OrderTerm {
    field: ActivityOrderField::OccurredAt,
    direction: Direction::Desc,
};
