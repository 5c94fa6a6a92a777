//! Jobs in the schema: which ones are asked for, and in which order.

use async_graphql::InputObject;

use super::{JobOrderField, JobStatus};
use crate::{
    base::{error::Result, text::Form},
    db::{Direction, OrderTerm, Predicate},
    graphql::{
        Filter,
        filters::{Conditions, DateTimeFilter, TextFilter, enum_filter, order_input},
    },
};

enum_filter! {
    /// Compares the status of a job.
    pub JobStatusFilter(JobStatus)
}

/// Which jobs.
#[derive(Debug, Default, InputObject)]
pub struct JobFilter {
    /// All of these hold.
    and: Option<Vec<JobFilter>>,
    /// At least one of these holds.
    or: Option<Vec<JobFilter>>,
    /// This does not hold.
    not: Option<Box<JobFilter>>,
    /// By kind, for example `startsWith: "webhook."`.
    kind: Option<TextFilter>,
    /// By how far they are.
    status: Option<JobStatusFilter>,
    /// By when they were put into the queue.
    created_at: Option<DateTimeFilter>,
}

impl Filter for JobFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.text("kind", "kind", self.kind, Form::Line)?;
        all.enumeration("status", "status", self.status)?;
        all.time("createdAt", "created_at", self.created_at)?;
        all.finish(self.and, self.or, self.not)
    }
}

order_input! {
    /// One criterion of the order of jobs.
    pub JobOrder(JobOrderField), descending
}

pub(super) const USUAL_ORDER: OrderTerm<JobOrderField> = OrderTerm {
    field: JobOrderField::CreatedAt,
    direction: Direction::Desc,
};
