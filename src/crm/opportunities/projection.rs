//! Which fields of deals follow from columns.

use super::{Opportunity, OpportunityFilter, OpportunityOrder, filter::USUAL_ORDER};
use crate::{
    base::ids::OpportunityId,
    crm::{activities, companies, contacts, pipelines},
    db::list::Relation,
    graphql::projection::{self, Kind, Projected, Shape, Source, id, small, text, time},
    organization::members,
};

pub(crate) static SHAPE: Shape = Shape::of::<Opportunity>("Opportunity", field);

fn field(name: &str) -> Option<Projected> {
    Some(match name {
        "id" => id::<OpportunityId>("opportunity_id"),
        "name" => text("name"),
        "amount" => Projected::Object("Money", &["amount_minor", "amount_currency"], amount),
        "weightedAmount" => {
            Projected::Object("Money", &["weighted_minor", "amount_currency"], weighted)
        }
        "pipeline" => Projected::One(&pipelines::SHAPE, "pipeline_id"),
        "stage" => Projected::One(&pipelines::STAGE_SHAPE, "stage_id"),
        "stageEnteredAt" => time("stage_entered_at"),
        "status" => text("status"),
        "probability" => small("probability"),
        "probabilityIsManual" => Projected::Value(Kind::Bool, "probability_manual"),
        "forecastCategory" => text("forecast_category"),
        "expectedCloseOn" => Projected::Value(Kind::Date, "expected_close_on"),
        "wonAt" => time("won_at"),
        "lostAt" => time("lost_at"),
        "lostReason" => text("lost_reason"),
        "lostNote" => text("lost_note"),
        "source" => text("source"),
        "tags" => Projected::Value(Kind::Texts, "tags"),
        "boardPosition" => text("board_position"),
        "owner" => Projected::One(&members::USER_SHAPE, "owner_id"),
        "company" => Projected::One(&companies::SHAPE, "company_id"),
        "primaryContact" => Projected::One(&contacts::SHAPE, "primary_contact_id"),
        "contacts" => Projected::Page(|ctx| contacts::listed(ctx, &contacts::OF_OPPORTUNITY)),
        "nextAction" => {
            let present = &["next_action_at", "next_action_kind"];
            Projected::Object("NextAction", present, next_action)
        }
        "lastActivityAt" => time("last_activity_at"),
        "activities" => Projected::Page(|ctx| activities::listed(ctx, &activities::OF_OPPORTUNITY)),
        "can" => Projected::Rights,
        other => return members::stamp(other),
    })
}

fn amount(name: &str) -> Option<Projected> {
    projection::money(name, ("amount_minor", "amount_currency"))
}

fn weighted(name: &str) -> Option<Projected> {
    projection::money(name, ("weighted_minor", "amount_currency"))
}

fn next_action(name: &str) -> Option<Projected> {
    Some(match name {
        "at" => time("next_action_at"),
        "kind" => text("next_action_kind"),
        "details" => text("next_action_details"),
        "owner" => Projected::One(&members::USER_SHAPE, "next_action_owner_id"),
        _ => return None,
    })
}

/// Deals below records, by the arguments of the field that asks for them.
pub(crate) fn listed(
    ctx: &async_graphql::Context<'_>,
    relation: &'static Relation,
) -> crate::base::error::Result<Source> {
    projection::below::<Opportunity, OpportunityFilter, OpportunityOrder>(
        ctx,
        &SHAPE,
        relation,
        USUAL_ORDER,
    )
}
