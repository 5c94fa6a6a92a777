//! Deals in the schema: which ones are asked for, and in which order.

use async_graphql::InputObject;

use super::{ForecastCategory, OpportunityOrderField, OpportunityStatus, record::OpportunitySort};
use crate::{
    base::{
        error::Result,
        ids::{CompanyId, ContactId, OpportunityId, PipelineId, StageId, UserId},
        text::Form,
    },
    crm::{
        companies::{Company, CompanyFilter},
        contacts::{Contact, ContactFilter},
    },
    db::{Direction, OrderTerm, Predicate, Quantifier},
    graphql::{
        Filter,
        filters::{
            BigIntFilter, Conditions, DateFilter, DateTimeFilter, IdFilter, IntFilter, TextFilter,
            enum_filter, order_input,
        },
    },
};

enum_filter! {
    /// Compares a deal's status.
    OpportunityStatusFilter(OpportunityStatus)
}

enum_filter! {
    /// Compares a forecast category.
    ForecastCategoryFilter(ForecastCategory)
}

/// Which deals.
#[derive(Debug, Default, InputObject)]
pub struct OpportunityFilter {
    /// All of these hold.
    and: Option<Vec<OpportunityFilter>>,
    /// At least one of these holds.
    or: Option<Vec<OpportunityFilter>>,
    /// This does not hold.
    not: Option<Box<OpportunityFilter>>,
    /// By id.
    id: Option<IdFilter>,
    /// By name, without regard to case.
    name: Option<TextFilter>,
    /// By status.
    status: Option<OpportunityStatusFilter>,
    /// By pipeline.
    pipeline_id: Option<IdFilter>,
    /// By stage.
    stage_id: Option<IdFilter>,
    /// By what it is worth in minor units, whatever the currency.
    amount_minor: Option<BigIntFilter>,
    /// By currency, as its ISO 4217 code.
    currency: Option<TextFilter>,
    /// By probability in percent.
    probability: Option<IntFilter>,
    /// By forecast category.
    forecast_category: Option<ForecastCategoryFilter>,
    /// By the day it is expected to close.
    expected_close_on: Option<DateFilter>,
    /// By source, as written.
    source: Option<TextFilter>,
    /// By company.
    company_id: Option<IdFilter>,
    /// By primary contact.
    primary_contact_id: Option<IdFilter>,
    /// By owner.
    owner_id: Option<IdFilter>,
    /// By when the next action is due.
    next_action_at: Option<DateTimeFilter>,
    /// By when something was last done.
    last_activity_at: Option<DateTimeFilter>,
    /// By when it entered its stage.
    stage_entered_at: Option<DateTimeFilter>,
    /// By when it was won.
    won_at: Option<DateTimeFilter>,
    /// By when it was lost.
    lost_at: Option<DateTimeFilter>,
    /// By time of creation.
    created_at: Option<DateTimeFilter>,
    /// By time of the last change.
    updated_at: Option<DateTimeFilter>,
    /// Its company matches.
    company: Option<Box<CompanyFilter>>,
    /// Its primary contact matches.
    primary_contact: Option<Box<ContactFilter>>,
}

impl Filter for OpportunityFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.id::<OpportunityId>("id", "opportunity_id", self.id)?;
        all.text("name", "name_normalized", self.name, Form::Name)?;
        all.enumeration("status", "status", self.status)?;
        all.id::<PipelineId>("pipelineId", "pipeline_id", self.pipeline_id)?;
        all.id::<StageId>("stageId", "stage_id", self.stage_id)?;
        all.big_int("amountMinor", ("amount_minor", "-1"), self.amount_minor)?;
        all.text("currency", "amount_currency", self.currency, Form::Line)?;
        all.int("probability", "probability", self.probability)?;
        all.enumeration(
            "forecastCategory",
            "forecast_category",
            self.forecast_category,
        )?;
        all.date(
            "expectedCloseOn",
            ("expected_close_on", "'infinity'::date"),
            self.expected_close_on,
        )?;
        all.text("source", "source", self.source, Form::Line)?;
        all.id::<CompanyId>("companyId", "company_id", self.company_id)?;
        all.id::<ContactId>(
            "primaryContactId",
            "primary_contact_id",
            self.primary_contact_id,
        )?;
        all.id::<UserId>("ownerId", "owner_id", self.owner_id)?;
        all.time("nextActionAt", "next_action_at", self.next_action_at)?;
        all.time("lastActivityAt", "last_activity_at", self.last_activity_at)?;
        all.time("stageEnteredAt", "stage_entered_at", self.stage_entered_at)?;
        all.time("wonAt", "won_at", self.won_at)?;
        all.time("lostAt", "lost_at", self.lost_at)?;
        all.time("createdAt", "created_at", self.created_at)?;
        all.time("updatedAt", "updated_at", self.updated_at)?;
        all.related::<Company, _>(
            "company",
            ("company_id", "company_id"),
            Quantifier::Some,
            self.company,
        )?;
        all.related::<Contact, _>(
            "primaryContact",
            ("contact_id", "primary_contact_id"),
            Quantifier::Some,
            self.primary_contact,
        )?;
        all.finish(self.and, self.or, self.not)
    }
}

impl OpportunityFilter {
    /// Deals of a pipeline that meet a filter too.
    pub(super) fn within(pipeline: PipelineId, filter: Option<Self>) -> Self {
        Self {
            and: filter.map(|filter| vec![filter]),
            pipeline_id: Some(IdFilter::equal_to(pipeline)),
            ..Self::default()
        }
    }
}

order_input! {
    /// One criterion of the order of deals.
    pub OpportunityOrder(OpportunityOrderField)
}

pub(super) const USUAL_ORDER: OrderTerm<OpportunitySort> = OrderTerm {
    field: OpportunitySort::Field(OpportunityOrderField::CreatedAt),
    direction: Direction::Desc,
};
