//! Which fields of products follow from columns.

use super::{Product, ProductFields};
use crate::{
    base::ids::ProductId,
    graphql::projection::{self, Projected, SchemaFields as _, Shape, id},
    organization::members,
};

pub(super) static SHAPE: Shape = Shape::of::<Product>("Product", field);

const UNIT_PRICE: (&str, &str) = ("unit_price_minor", "unit_price_currency");

fn field(name: &str) -> Option<Projected> {
    Some(match name {
        "id" => id::<ProductId>("product_id"),
        "unitPrice" => Projected::Object("Money", &[UNIT_PRICE.0, UNIT_PRICE.1], unit_price),
        "can" => Projected::Rights,
        other => return ProductFields::projected(other).or_else(|| members::stamp(other)),
    })
}

fn unit_price(name: &str) -> Option<Projected> {
    projection::money(name, UNIT_PRICE)
}
