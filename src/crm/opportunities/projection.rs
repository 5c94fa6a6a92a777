//! Which fields of deals follow from columns.

use super::{
    Opportunity, OpportunityFields, OpportunityFilter, OpportunityOrder, filter::USUAL_ORDER,
    model::Agenda, standing::Standing,
};
use crate::{
    base::ids::OpportunityId,
    crm::{activities, companies, contacts, pipelines},
    db::list::Relation,
    graphql::projection::{self, Projected, SchemaFields as _, Shape, Source, id, text, time},
    organization::members,
};

pub(crate) static SHAPE: Shape = Shape::of::<Opportunity>("Opportunity", field);

fn field(name: &str) -> Option<Projected> {
    Some(match name {
        "id" => id::<OpportunityId>("opportunity_id"),
        "amount" => Projected::Object("Money", &["amount_minor", "amount_currency"], amount),
        "weightedAmount" => {
            Projected::Object("Money", &["weighted_minor", "amount_currency"], weighted)
        }
        "pipeline" => Projected::One(&pipelines::SHAPE, "pipeline_id"),
        "stage" => Projected::One(&pipelines::STAGE_SHAPE, "stage_id"),
        "owner" => Projected::One(&members::USER_SHAPE, "owner_id"),
        "company" => Projected::One(&companies::SHAPE, "company_id"),
        "primaryContact" => Projected::One(&contacts::SHAPE, "primary_contact_id"),
        "contacts" => Projected::Page(|ctx| contacts::listed(ctx, &contacts::OF_OPPORTUNITY)),
        "nextAction" => {
            let present = &["next_action_at", "next_action_kind"];
            Projected::Object("NextAction", present, next_action)
        }
        "activities" => Projected::Page(|ctx| activities::listed(ctx, &activities::OF_OPPORTUNITY)),
        "can" => Projected::Rights,
        other => {
            return OpportunityFields::projected(other)
                .or_else(|| Standing::projected(other))
                .or_else(|| Agenda::projected(other))
                .or_else(|| members::stamp(other));
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::projection::check_schema_fields;

    #[test]
    fn plain_fields_of_deals_are_projected_from_their_columns() {
        check_schema_fields::<OpportunityFields>();
        check_schema_fields::<Standing>();
        check_schema_fields::<Agenda>();
    }
}
