//! Which fields of contacts follow from columns.

use super::{
    Contact, ContactFields, ContactFilter, ContactOrder, filter::USUAL_ORDER, graphql::REPORTS_TO,
};
use crate::{
    base::{error::Result, ids::ContactId},
    crm::{activities, companies, opportunities},
    db::list::Relation,
    graphql::projection::{self, Kind, Projected, SchemaFields as _, Shape, Source, id, text},
    organization::members,
};

pub(crate) static SHAPE: Shape = Shape::of::<Contact>("Contact", field);

fn field(name: &str) -> Option<Projected> {
    Some(match name {
        "id" => id::<ContactId>("contact_id"),
        "name" => Projected::Value(Kind::Joined("last_name"), "first_name"),
        "email" => text("email_normalized"),
        "company" => Projected::One(&companies::SHAPE, "company_id"),
        "reportsTo" => Projected::One(&SHAPE, "reports_to_id"),
        "owner" => Projected::One(&members::USER_SHAPE, "owner_id"),
        "directReports" => Projected::Page(|ctx| listed(ctx, &REPORTS_TO)),
        "opportunities" => {
            Projected::Page(|ctx| opportunities::listed(ctx, &opportunities::OF_CONTACT))
        }
        "activities" => Projected::Page(|ctx| activities::listed(ctx, &activities::OF_CONTACT)),
        "can" => Projected::Rights,
        other => return ContactFields::projected(other).or_else(|| members::stamp(other)),
    })
}

/// Contacts below records, by the arguments of the field that asks for them.
pub(crate) fn listed(
    ctx: &async_graphql::Context<'_>,
    relation: &'static Relation,
) -> Result<Source> {
    projection::below::<Contact, ContactFilter, ContactOrder>(ctx, &SHAPE, relation, USUAL_ORDER)
}
