//! Which fields of contacts follow from columns.

use super::{Contact, ContactFilter, ContactOrder, filter::USUAL_ORDER, graphql::REPORTS_TO};
use crate::{
    base::{error::Result, ids::ContactId},
    crm::{activities, companies, opportunities},
    db::list::Relation,
    graphql::projection::{self, Kind, Projected, Shape, Source, id, small, text, time},
    organization::members,
};

pub(crate) static SHAPE: Shape = Shape::of::<Contact>("Contact", field);

fn field(name: &str) -> Option<Projected> {
    Some(match name {
        "id" => id::<ContactId>("contact_id"),
        "name" => Projected::Value(Kind::Joined("last_name"), "first_name"),
        "firstName" => text("first_name"),
        "lastName" => text("last_name"),
        "jobTitle" => text("job_title"),
        "department" => text("department"),
        "email" => text("email_normalized"),
        "warmnessScore" => small("warmness_score"),
        "lastContactedAt" => time("last_contacted_at"),
        "tags" => Projected::Value(Kind::Texts, "tags"),
        "company" => Projected::One(&companies::SHAPE, "company_id"),
        "reportsTo" => Projected::One(&SHAPE, "reports_to_id"),
        "owner" => Projected::One(&members::USER_SHAPE, "owner_id"),
        "directReports" => Projected::Page(|ctx| listed(ctx, &REPORTS_TO)),
        "opportunities" => {
            Projected::Page(|ctx| opportunities::listed(ctx, &opportunities::OF_CONTACT))
        }
        "activities" => Projected::Page(|ctx| activities::listed(ctx, &activities::OF_CONTACT)),
        "can" => Projected::Rights,
        other => return members::stamp(other),
    })
}

/// Contacts below records, by the arguments of the field that asks for them.
pub(crate) fn listed(
    ctx: &async_graphql::Context<'_>,
    relation: &'static Relation,
) -> Result<Source> {
    projection::below::<Contact, ContactFilter, ContactOrder>(ctx, &SHAPE, relation, USUAL_ORDER)
}
