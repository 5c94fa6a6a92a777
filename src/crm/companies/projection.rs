//! Which fields of companies follow from columns.

use super::{
    Company, CompanyFilter,
    filter::{CompanyOrder, USUAL_ORDER},
    graphql::SUBSIDIARIES,
};
use crate::{
    base::ids::CompanyId,
    crm::{activities, contacts, opportunities},
    graphql::projection::{self, Kind, Projected, Shape, id, int, small, text},
    organization::members,
};

pub(crate) static SHAPE: Shape = Shape::of::<Company>("Company", field);

fn field(name: &str) -> Option<Projected> {
    Some(match name {
        "id" => id::<CompanyId>("company_id"),
        "name" => text("name"),
        "domain" => text("domain"),
        "industry" => text("industry"),
        "employeeCount" => int("employee_count"),
        "annualRevenue" => {
            let present = &["annual_revenue_minor", "annual_revenue_currency"];
            Projected::Object("Money", present, revenue)
        }
        "foundedYear" => small("founded_year"),
        "website" => text("website"),
        "phone" => text("phone"),
        "address" => Projected::Object("Address", &[], address),
        "description" => text("description"),
        "tags" => Projected::Value(Kind::Texts, "tags"),
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
        other => return members::stamp(other),
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
