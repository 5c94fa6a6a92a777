//! The stage history of a deal: one row each time it enters a stage or changes its status, and never changed after.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{OpportunityStatus, model::Opportunity, new::StageVisit};
use crate::{
    base::ids::{OpportunityId, StageChangeId, StageId},
    crm::pipelines::{Stage, StageKind},
};

/// One row of a deal's stage history.
#[derive(Debug, Clone)]
pub(super) struct StageChange {
    pub(super) id: StageChangeId,
    pub(super) opportunity_id: OpportunityId,
    pub(super) from: Option<(StageId, OpportunityStatus)>,
    pub(super) to: (StageId, OpportunityStatus),
    pub(super) amount: (Option<i64>, Option<String>),
    pub(super) probability: i16,
    pub(super) stood_seconds: Option<i64>,
    pub(super) changed_at: DateTime<Utc>,
    pub(super) changed_by: String,
    pub(super) visible_to: String,
}

/// The history row of a change of stage or status.
pub(super) fn step(
    before: &Opportunity,
    after: &Opportunity,
    at: DateTime<Utc>,
    by: String,
) -> StageChange {
    StageChange {
        id: StageChangeId::new(),
        opportunity_id: after.id,
        from: Some((before.standing.stage_id, before.standing.status)),
        to: (after.standing.stage_id, after.standing.status),
        amount: (
            after.fields.amount_minor,
            after.fields.amount_currency.clone(),
        ),
        probability: after.standing.probability,
        stood_seconds: Some((at - before.standing.stage_entered_at).num_seconds().max(0)),
        changed_at: at,
        changed_by: by,
        visible_to: after.visible_to.clone(),
    }
}

/// The history rows of a deal that is created with the stages it went through.
pub(super) fn of(
    deal: &Opportunity,
    path: &[StageVisit],
    stages: &HashMap<StageId, Stage>,
) -> Vec<StageChange> {
    let status =
        |visit: &StageVisit| match stages.get(&visit.stage_id).map(|stage| stage.fields.kind) {
            Some(StageKind::Won) => OpportunityStatus::Won,
            Some(StageKind::Lost) => OpportunityStatus::Lost,
            _ => OpportunityStatus::Open,
        };
    let mut previous: Option<&StageVisit> = None;
    let mut rows = Vec::with_capacity(path.len());
    for visit in path {
        rows.push(StageChange {
            id: StageChangeId::new(),
            opportunity_id: deal.id,
            from: previous.map(|from| (from.stage_id, status(from))),
            to: (visit.stage_id, status(visit)),
            amount: (
                deal.fields.amount_minor,
                deal.fields.amount_currency.clone(),
            ),
            probability: stages
                .get(&visit.stage_id)
                .map_or(0, |stage| stage.fields.probability),
            stood_seconds: previous.map(|from| (visit.entered_at - from.entered_at).num_seconds()),
            changed_at: visit.entered_at,
            changed_by: deal.stamps.created_by.clone(),
            visible_to: deal.visible_to.clone(),
        });
        previous = Some(visit);
    }
    rows
}
