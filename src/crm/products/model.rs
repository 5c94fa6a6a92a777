//! What a product is, and what it may look like.

use async_graphql::Enum;
use chrono::{DateTime, Utc};
use dealgraph_derive::{Columns, OrderField, SchemaFields};
use serde::Serialize;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::{
    base::{
        error::{Error, Result},
        ids::{ProductId, Typed as _},
        money::{MAX_MINOR, Money},
        text::{Text, normalize},
    },
    db::list::Record,
    entity::{self, Entity, Stamps, changes_by_fields},
};

/// A product.
#[derive(Debug, Clone, sqlx::FromRow, Columns)]
pub struct Product {
    #[sqlx(rename = "product_id")]
    #[column(once)]
    pub(super) id: ProductId,
    #[sqlx(flatten)]
    pub(super) fields: ProductFields,
    /// Everybody who may read deals sees all products.
    #[column(read)]
    pub(super) visible_to: String,
    #[sqlx(flatten)]
    pub(super) stamps: Stamps,
}

/// What can be written of a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, Columns, SchemaFields)]
#[computed(name_normalized = normalize(&self.name))]
#[computed(code_normalized = normalize(&self.code))]
pub struct ProductFields {
    /// What it is called.
    pub name: String,
    /// What it is listed under; no other product of the tenant has it, in whatever case.
    pub code: String,
    /// What one of it costs, in minor units.
    #[column(amounts)]
    #[graphql(skip)]
    pub unit_price_minor: Option<i64>,
    /// In which currency.
    #[column(amounts)]
    #[graphql(skip)]
    pub unit_price_currency: Option<String>,
    /// Whether it can be sold.
    pub active: bool,
    /// Notes on the product.
    #[column(long)]
    pub description: Option<String>,
}

/// A product that is to be created.
#[derive(Debug, Clone)]
pub struct NewProduct {
    /// The client's own id, or a minted one.
    pub id: ProductId,
    /// What is known of it.
    pub fields: ProductFields,
    /// When it came about, if not now.
    pub created_at: Option<DateTime<Utc>>,
}

impl ProductFields {
    /// A product that can be sold, of which nothing is known but what it is called.
    #[must_use]
    pub fn new(name: String, code: String) -> Self {
        Self {
            name,
            code,
            unit_price_minor: None,
            unit_price_currency: None,
            active: true,
            description: None,
        }
    }

    /// Cleans and bounds all fields.
    ///
    /// # Errors
    /// `BLANK`, `TOO_LONG`, `INVALID_TEXT`, `INVALID_AMOUNT`, with the field.
    pub fn check(&mut self) -> Result<()> {
        Text::line("name").required(&mut self.name)?;
        Text::line("code").required(&mut self.code)?;
        Text::long("description").optional(&mut self.description)?;
        if self
            .unit_price_minor
            .is_some_and(|amount| !(0..=MAX_MINOR).contains(&amount))
        {
            return Err(Error::invalid(
                "INVALID_AMOUNT",
                "unitPrice.amountMinor",
                "expected zero or more",
            ));
        }
        Ok(())
    }

    /// What one of it costs.
    #[must_use]
    pub fn unit_price(&self) -> Option<Money> {
        Money::from_columns(self.unit_price_minor, self.unit_price_currency.as_deref())
    }
}

/// What products can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, OrderField)]
#[order(of = Product)]
pub enum ProductOrderField {
    /// When it was created.
    #[order(time = self.stamps.created_at)]
    CreatedAt,
    /// When it last changed.
    #[order(time = self.stamps.updated_at)]
    UpdatedAt,
    /// Its name, without regard to case.
    #[order(text = normalize(&self.fields.name), column = "name_normalized")]
    Name,
    /// Its code, without regard to case.
    #[order(text = normalize(&self.fields.code), column = "code_normalized")]
    Code,
    /// What one of it costs in minor units, whatever the currency; products without a price come before zero.
    #[order(int = self.fields.unit_price_minor, column = "unit_price_minor", absent = "-1")]
    UnitPrice,
}

impl Record for Product {
    type Order = ProductOrderField;

    fn key(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Entity for Product {
    fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    fn visible_to(&self) -> &str {
        &self.visible_to
    }

    fn columns(&self) -> Json {
        entity::with(
            json!(self.fields),
            json!({
                "name_normalized": normalize(&self.fields.name),
                "code_normalized": normalize(&self.fields.code),
            }),
        )
    }
}

changes_by_fields!(Product);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_needs_a_name_and_a_code_and_costs_no_less_than_nothing() {
        let refusal = |name: &str, code: &str, price| {
            let mut fields = ProductFields::new(name.to_owned(), code.to_owned());
            fields.unit_price_minor = price;
            let error = fields.check().err()?;
            Some((error.code(), error.field()?.to_owned()))
        };
        let refused = |code, field: &str| Some((code, field.to_owned()));
        assert_eq!(refusal(" Anvil ", " A-1 ", Some(0)), None);
        assert_eq!(refusal(" \t", "A-1", None), refused("BLANK", "name"));
        assert_eq!(refusal("Anvil", "\u{200b}", None), refused("BLANK", "code"));
        let price = refused("INVALID_AMOUNT", "unitPrice.amountMinor");
        assert_eq!(refusal("Anvil", "A-1", Some(-1)), price);
    }
}
