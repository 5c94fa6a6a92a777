//! Forms and their submissions in the schema: which ones are asked for, and in which order.

use async_graphql::InputObject;

use super::{LeadFormOrderField, LeadFormSubmissionOrderField, SubmissionOutcome};
use crate::{
    base::{
        error::Result,
        ids::{LeadFormId, LeadFormSubmissionId, LeadId},
        text::Form,
    },
    db::{Direction, OrderTerm, Predicate},
    graphql::{
        Filter,
        filters::{Conditions, DateTimeFilter, IdFilter, TextFilter, enum_filter, order_input},
    },
};

/// Which forms.
#[derive(Debug, Default, InputObject)]
pub struct LeadFormFilter {
    /// All of these hold.
    and: Option<Vec<LeadFormFilter>>,
    /// At least one of these holds.
    or: Option<Vec<LeadFormFilter>>,
    /// This does not hold.
    not: Option<Box<LeadFormFilter>>,
    /// By id.
    id: Option<IdFilter>,
    /// By name, without regard to case.
    name: Option<TextFilter>,
    /// Whether it takes anything.
    enabled: Option<bool>,
}

impl Filter for LeadFormFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.id::<LeadFormId>("id", "lead_form_id", self.id)?;
        all.text("name", "name_normalized", self.name, Form::Name)?;
        all.flag("enabled", self.enabled);
        all.finish(self.and, self.or, self.not)
    }
}

order_input! {
    /// One criterion of the order of forms.
    pub LeadFormOrder(LeadFormOrderField)
}

pub(super) const USUAL_ORDER: OrderTerm<LeadFormOrderField> = OrderTerm {
    field: LeadFormOrderField::CreatedAt,
    direction: Direction::Desc,
};

enum_filter! {
    /// Compares what a submission came to.
    pub SubmissionOutcomeFilter(SubmissionOutcome)
}

/// Which submissions.
#[derive(Debug, Default, InputObject)]
pub struct LeadFormSubmissionFilter {
    /// All of these hold.
    and: Option<Vec<LeadFormSubmissionFilter>>,
    /// At least one of these holds.
    or: Option<Vec<LeadFormSubmissionFilter>>,
    /// This does not hold.
    not: Option<Box<LeadFormSubmissionFilter>>,
    /// By id.
    id: Option<IdFilter>,
    /// By the form.
    form_id: Option<IdFilter>,
    /// By the lead.
    lead_id: Option<IdFilter>,
    /// By what it came to.
    outcome: Option<SubmissionOutcomeFilter>,
    /// By when it was submitted.
    submitted_at: Option<DateTimeFilter>,
}

impl Filter for LeadFormSubmissionFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.id::<LeadFormSubmissionId>("id", "lead_form_submission_id", self.id)?;
        all.id::<LeadFormId>("formId", "lead_form_id", self.form_id)?;
        all.id::<LeadId>("leadId", "lead_id", self.lead_id)?;
        all.enumeration("outcome", "outcome", self.outcome)?;
        all.time("submittedAt", "submitted_at", self.submitted_at)?;
        all.finish(self.and, self.or, self.not)
    }
}

order_input! {
    /// One criterion of the order of submissions.
    pub LeadFormSubmissionOrder(LeadFormSubmissionOrderField), descending
}

pub(super) const NEWEST: OrderTerm<LeadFormSubmissionOrderField> = OrderTerm {
    field: LeadFormSubmissionOrderField::SubmittedAt,
    direction: Direction::Desc,
};
