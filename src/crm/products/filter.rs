//! Products in the schema: which ones are asked for, and in which order.

use async_graphql::InputObject;

use super::ProductOrderField;
use crate::{
    base::{error::Result, ids::ProductId, text::Form},
    db::{Direction, OrderTerm, Predicate},
    graphql::{
        Filter,
        filters::{BigIntFilter, Conditions, DateTimeFilter, IdFilter, TextFilter, order_input},
    },
};

/// Which products.
#[derive(Debug, Default, InputObject)]
pub struct ProductFilter {
    /// All of these hold.
    and: Option<Vec<ProductFilter>>,
    /// At least one of these holds.
    or: Option<Vec<ProductFilter>>,
    /// This does not hold.
    not: Option<Box<ProductFilter>>,
    /// By id.
    id: Option<IdFilter>,
    /// By name, without regard to case.
    name: Option<TextFilter>,
    /// By code, without regard to case.
    code: Option<TextFilter>,
    /// Whether it can be sold.
    active: Option<bool>,
    /// By what one of it costs in minor units, whatever the currency.
    unit_price_minor: Option<BigIntFilter>,
    /// By time of creation.
    created_at: Option<DateTimeFilter>,
    /// By time of the last change.
    updated_at: Option<DateTimeFilter>,
}

impl Filter for ProductFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.id::<ProductId>("id", "product_id", self.id)?;
        all.text("name", "name_normalized", self.name, Form::Name)?;
        all.text("code", "code_normalized", self.code, Form::Name)?;
        all.flag("active", self.active);
        all.big_int(
            "unitPriceMinor",
            ("unit_price_minor", "-1"),
            self.unit_price_minor,
        )?;
        all.time("createdAt", "created_at", self.created_at)?;
        all.time("updatedAt", "updated_at", self.updated_at)?;
        all.finish(self.and, self.or, self.not)
    }
}

order_input! {
    /// One criterion of the order of products.
    pub ProductOrder(ProductOrderField)
}

pub(super) const USUAL_ORDER: OrderTerm<ProductOrderField> = OrderTerm {
    field: ProductOrderField::CreatedAt,
    direction: Direction::Desc,
};
