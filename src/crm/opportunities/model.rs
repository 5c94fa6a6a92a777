//! What a deal is, and what may be written of it. Pure: no database in sight.

use async_graphql::Enum;
use chrono::{DateTime, NaiveDate, Utc};
use dealgraph_derive::{Columns, SchemaFields};
use serde::Serialize;

use super::standing::Standing;
use crate::{
    base::{
        error::{Error, Result},
        ids::{CompanyId, ContactId, OpportunityId, Typed as _, UserId},
        money::{MAX_MINOR, Money},
        text::{self, Text},
        times,
    },
    crm::activities::ActivityKind,
    entity::{Ownership, Stamps},
    graphql::projection::enum_columns,
};

/// A deal.
#[derive(Debug, Clone, sqlx::FromRow, Columns)]
pub struct Opportunity {
    #[sqlx(rename = "opportunity_id")]
    #[column(once)]
    pub(super) id: OpportunityId,
    #[sqlx(flatten)]
    pub(super) fields: OpportunityFields,
    #[sqlx(flatten)]
    pub(super) standing: Standing,
    #[sqlx(flatten)]
    pub(super) agenda: Agenda,
    /// `u:<uuid>|` of each person added beside the owner.
    pub(super) shared_with: String,
    #[column(amounts, read)]
    pub(super) weighted_minor: Option<i64>,
    #[column(read)]
    pub(super) visible_to: String,
    #[sqlx(flatten)]
    pub(super) stamps: Stamps,
    /// Whether its contacts or collaborators were written; they have tables of their own.
    #[sqlx(skip)]
    pub(super) people_changed: bool,
}

/// What can be plainly written of a deal.
#[derive(Debug, Clone, Default, PartialEq, Serialize, sqlx::FromRow, Columns, SchemaFields)]
#[computed(name_normalized = text::normalize(&self.name))]
#[told(people)]
pub struct OpportunityFields {
    /// What it is called.
    pub name: String,
    /// What it is worth, in minor units.
    #[column(amounts)]
    #[graphql(skip)]
    pub amount_minor: Option<i64>,
    /// In which currency.
    #[column(amounts)]
    #[graphql(skip)]
    pub amount_currency: Option<String>,
    /// Where it counts in a forecast.
    pub forecast_category: ForecastCategory,
    /// When it is expected to close.
    pub expected_close_on: Option<NaiveDate>,
    /// Where it came from, for example `referral`.
    pub source: Option<String>,
    /// The company it is with.
    #[graphql(skip)]
    pub company_id: Option<CompanyId>,
    /// The contact to talk to first.
    #[graphql(skip)]
    pub primary_contact_id: Option<ContactId>,
    /// Free words to find it by.
    pub tags: Vec<String>,
    /// Who owns it.
    #[sqlx(flatten)]
    #[serde(flatten)]
    pub ownership: Ownership,
}

/// What is to be done next about a deal, and what was done last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, sqlx::FromRow, Columns, SchemaFields)]
pub(super) struct Agenda {
    #[graphql(skip)]
    pub(super) next_action_at: Option<DateTime<Utc>>,
    #[graphql(skip)]
    pub(super) next_action_kind: Option<ActivityKind>,
    #[graphql(skip)]
    pub(super) next_action_details: Option<String>,
    #[graphql(skip)]
    pub(super) next_action_owner_id: Option<UserId>,
    /// When something was last done about it.
    pub(super) last_activity_at: Option<DateTime<Utc>>,
}

/// Where a deal counts in a forecast.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Enum, Serialize, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ForecastCategory {
    /// Under way, no promise.
    #[default]
    Pipeline,
    /// If all goes well.
    BestCase,
    /// Promised.
    Commit,
    /// Won.
    Closed,
    /// Not counted.
    Omitted,
}

enum_columns!(ForecastCategory);

/// A contact of a deal, with the part it plays.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DealContact {
    pub contact_id: ContactId,
    pub role: Option<String>,
}

/// A person added to a deal, with the part they play.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DealUser {
    pub user_id: UserId,
    pub role: Option<String>,
}

/// What is to be done next about a deal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextAction {
    /// When it is due.
    pub at: DateTime<Utc>,
    /// What kind of thing it is.
    pub kind: ActivityKind,
    /// What exactly.
    pub details: Option<String>,
    /// Who does it; the deal's owner when nobody is named.
    pub owner_id: Option<UserId>,
}

impl Agenda {
    /// Nothing to be done next; what was done last stays.
    pub(super) fn cleared(&self) -> Self {
        Self {
            last_activity_at: self.last_activity_at,
            ..Self::default()
        }
    }
}

impl OpportunityFields {
    /// Cleans and bounds all fields.
    ///
    /// # Errors
    /// `BLANK`, `TOO_LONG`, `INVALID_AMOUNT`, `OUT_OF_RANGE` and the like, with the field.
    pub fn check(&mut self) -> Result<()> {
        Text::line("name").required(&mut self.name)?;
        Text::line("source").optional(&mut self.source)?;
        text::check_tags(&mut self.tags)?;
        if self
            .amount_minor
            .is_some_and(|amount| !(0..=MAX_MINOR).contains(&amount))
        {
            return Err(Error::invalid(
                "INVALID_AMOUNT",
                "amount.amountMinor",
                "expected zero or more",
            ));
        }
        match self.expected_close_on {
            Some(day) => times::check_date("expectedCloseOn", day),
            None => Ok(()),
        }
    }

    /// What the deal is worth.
    #[must_use]
    pub fn amount(&self) -> Option<Money> {
        Money::from_columns(self.amount_minor, self.amount_currency.as_deref())
    }
}

impl NextAction {
    /// Cleans and bounds it; `input` is the field that it came in.
    ///
    /// # Errors
    /// `TOO_LONG`, `INVALID_TEXT`, `OUT_OF_RANGE` for a time beyond the years 1900 to 2200.
    pub fn check(&mut self, input: &str) -> Result<()> {
        times::check_time("at", self.at)
            .and_then(|()| Text::line("details").optional(&mut self.details))
            .map_err(|error| error.within(input))
    }
}

pub(super) fn shared_with(users: &[DealUser]) -> String {
    users
        .iter()
        .map(|user| format!("u:{}|", user.user_id.uuid()))
        .collect()
}
