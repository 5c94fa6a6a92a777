//! From a row of the pipeline to the opportunity it describes, with the stages it went through.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};

use super::{super::Ids, Deal, DealState, Notes, Stages, plan::CURRENCY};
use crate::{
    base::ids::{OpportunityId, Typed as _, UserId},
    crm::opportunities::{ForecastCategory, NewOpportunity, OpportunityFields, StageVisit},
    entity::Ownership,
};

/// Deals in Prospecting have no date; they count as begun within so many days before the data ends.
const PROSPECTING_DAYS: u64 = 30;

/// An hour of a day. The data has dates only: a deal begins at 8, is engaged at 9 and closed at 17 o'clock UTC.
#[must_use]
pub fn instant(date: NaiveDate, hour: u32) -> DateTime<Utc> {
    date.and_time(NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default())
        .and_utc()
}

/// Remarks what is worth knowing about a deal that is kept.
pub(super) fn remark(deal: &Deal, notes: &mut Notes) {
    if deal.account.is_none() {
        notes.remark("opportunities without an account, kept without a company");
    }
    match deal.state {
        DealState::Won { .. } => {}
        DealState::Lost { .. } => notes.remark(
            "lost opportunities, which have no close value: their amount is the list price",
        ),
        DealState::Engaging { .. } => {
            notes.remark("open opportunities: their amount is the product's list price")
        }
        DealState::Prospecting => {
            notes.remark("open opportunities: their amount is the product's list price");
            notes.remark("opportunities in Prospecting, which have no date: dated within the last 30 days of the data");
        }
    }
}

/// What all deals have in common: where they go, and when the data ends.
pub(super) struct Road {
    pub(super) ids: Ids,
    pub(super) stages: Stages,
    pub(super) ends_on: NaiveDate,
}

impl Road {
    /// The opportunity, owned by the agent's user.
    pub(super) fn opportunity(&self, deal: &Deal, owner_id: Option<UserId>) -> NewOpportunity {
        let id: OpportunityId = self.ids.of(&deal.key);
        let path = self.path(id, deal.state);
        let (amount, closed) = match deal.state {
            DealState::Won {
                value_minor,
                closed,
                ..
            } => (value_minor, Some(closed)),
            DealState::Lost { closed, .. } => (deal.product.price_minor, Some(closed)),
            DealState::Engaging { .. } | DealState::Prospecting => (deal.product.price_minor, None),
        };
        let product = &deal.product.name;
        let fields = OpportunityFields {
            name: deal.account.as_ref().map_or_else(
                || product.clone(),
                |account| format!("{account}: {product}"),
            ),
            amount_minor: Some(amount),
            amount_currency: Some(CURRENCY.to_owned()),
            forecast_category: match deal.state {
                DealState::Won { .. } => ForecastCategory::Closed,
                DealState::Lost { .. } => ForecastCategory::Omitted,
                DealState::Engaging { .. } | DealState::Prospecting => ForecastCategory::Pipeline,
            },
            expected_close_on: closed,
            company_id: deal.account.as_deref().map(|account| self.ids.of(account)),
            tags: vec![product.clone()],
            ownership: Ownership {
                owner_id,
                team_path: None,
            },
            ..Default::default()
        };
        NewOpportunity {
            id,
            fields,
            stage_id: path
                .last()
                .map_or(self.stages.prospecting, |visit| visit.stage_id),
            probability: None,
            created_at: path.first().map(|visit| visit.entered_at),
            path,
            contacts: Vec::new(),
            users: Vec::new(),
            lost_reason: None,
            next_action: None,
            last_activity_at: None,
        }
    }

    /// The stages that the deal went through.
    fn path(&self, id: OpportunityId, state: DealState) -> Vec<StageVisit> {
        let began = match state {
            DealState::Prospecting => {
                let days = Days::new(id.uuid().as_u64_pair().1 % PROSPECTING_DAYS);
                self.ends_on.checked_sub_days(days).unwrap_or(self.ends_on)
            }
            DealState::Engaging { engaged }
            | DealState::Won { engaged, .. }
            | DealState::Lost { engaged, .. } => engaged,
        };
        let engaged = (self.stages.engaging, instant(began, 9));
        let visits = [
            Some((self.stages.prospecting, instant(began, 8))),
            match state {
                DealState::Prospecting => None,
                _ => Some(engaged),
            },
            match state {
                DealState::Won { closed, .. } => Some((self.stages.won, instant(closed, 17))),
                DealState::Lost { closed, .. } => Some((self.stages.lost, instant(closed, 17))),
                _ => None,
            },
        ];
        visits
            .into_iter()
            .flatten()
            .map(|(stage_id, entered_at)| StageVisit {
                stage_id,
                entered_at,
            })
            .collect()
    }
}
