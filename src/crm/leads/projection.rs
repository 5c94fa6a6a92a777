//! Which fields of leads follow from columns.

use super::{Lead, LeadFields};
use crate::{
    base::ids::LeadId,
    crm::activities,
    graphql::projection::{self, Kind, Projected, SchemaFields as _, Shape, id},
    organization::members,
};

pub(super) static SHAPE: Shape = Shape::of::<Lead>("Lead", field);

fn field(name: &str) -> Option<Projected> {
    Some(match name {
        "id" => id::<LeadId>("lead_id"),
        "name" => Projected::Value(Kind::Joined("last_name"), "first_name"),
        "estimatedAmount" => {
            let present = &["estimated_amount_minor", "estimated_amount_currency"];
            Projected::Object("Money", present, estimated)
        }
        "owner" => Projected::One(&members::USER_SHAPE, "owner_id"),
        "activities" => Projected::Page(|ctx| activities::listed(ctx, &activities::OF_LEAD)),
        "can" => Projected::Rights,
        other => return LeadFields::projected(other).or_else(|| members::stamp(other)),
    })
}

fn estimated(name: &str) -> Option<Projected> {
    projection::money(
        name,
        ("estimated_amount_minor", "estimated_amount_currency"),
    )
}
