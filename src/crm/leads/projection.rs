//! Which fields of leads follow from columns.

use super::Lead;
use crate::{
    base::ids::LeadId,
    crm::activities,
    graphql::projection::{self, Kind, Projected, Shape, id, text, time},
    organization::members,
};

pub(super) static SHAPE: Shape = Shape::of::<Lead>("Lead", field);

fn field(name: &str) -> Option<Projected> {
    Some(match name {
        "id" => id::<LeadId>("lead_id"),
        "name" => Projected::Value(Kind::Joined("last_name"), "first_name"),
        "firstName" => text("first_name"),
        "lastName" => text("last_name"),
        "email" => text("email"),
        "phone" => text("phone"),
        "companyName" => text("company_name"),
        "title" => text("title"),
        "status" => text("status"),
        "unqualifiedReason" => text("unqualified_reason"),
        "source" => text("source"),
        "notes" => text("notes"),
        "estimatedAmount" => {
            let present = &["estimated_amount_minor", "estimated_amount_currency"];
            Projected::Object("Money", present, estimated)
        }
        "nextActionAt" => time("next_action_at"),
        "nextActionDetails" => text("next_action_details"),
        "lastActivityAt" => time("last_activity_at"),
        "tags" => Projected::Value(Kind::Texts, "tags"),
        "owner" => Projected::One(&members::USER_SHAPE, "owner_id"),
        "activities" => Projected::Page(|ctx| activities::listed(ctx, &activities::OF_LEAD)),
        "can" => Projected::Rights,
        other => return members::stamp(other),
    })
}

fn estimated(name: &str) -> Option<Projected> {
    projection::money(
        name,
        ("estimated_amount_minor", "estimated_amount_currency"),
    )
}
