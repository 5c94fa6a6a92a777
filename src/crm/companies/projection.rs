//! Which fields of companies follow from columns.

use super::{
    Company, CompanyFields, CompanyFilter,
    filter::{CompanyOrder, USUAL_ORDER},
    graphql::SUBSIDIARIES,
};
use crate::{
    base::ids::CompanyId,
    crm::{activities, contacts, opportunities},
    graphql::projection::{self, Projected, SchemaFields as _, Shape, id, text},
    organization::members,
};

pub(crate) static SHAPE: Shape = Shape::of::<Company>("Company", field);

fn field(name: &str) -> Option<Projected> {
    Some(match name {
        "id" => id::<CompanyId>("company_id"),
        "annualRevenue" => {
            let present = &["annual_revenue_minor", "annual_revenue_currency"];
            Projected::Object("Money", present, revenue)
        }
        "address" => Projected::Object("Address", &[], address),
        "parent" => Projected::One(&SHAPE, "parent_company_id"),
        "owner" => Projected::One(&members::USER_SHAPE, "owner_id"),
        "subsidiaries" => Projected::Page(|ctx| {
            projection::below::<Company, CompanyFilter, CompanyOrder>(
                ctx,
                &SHAPE,
                &SUBSIDIARIES,
                USUAL_ORDER,
            )
        }),
        "contacts" => Projected::Page(|ctx| contacts::listed(ctx, &contacts::OF_COMPANY)),
        "opportunities" => {
            Projected::Page(|ctx| opportunities::listed(ctx, &opportunities::OF_COMPANY))
        }
        "activities" => Projected::Page(|ctx| activities::listed(ctx, &activities::OF_COMPANY)),
        "can" => Projected::Rights,
        other => return CompanyFields::projected(other).or_else(|| members::stamp(other)),
    })
}

fn revenue(name: &str) -> Option<Projected> {
    projection::money(name, ("annual_revenue_minor", "annual_revenue_currency"))
}

fn address(name: &str) -> Option<Projected> {
    Some(match name {
        "line" => text("address_line"),
        "city" => text("city"),
        "region" => text("region"),
        "postalCode" => text("postal_code"),
        "country" => text("country"),
        _ => return None,
    })
}
