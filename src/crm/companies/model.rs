//! What a company is, and what it may look like.

use chrono::{DateTime, Utc};
use dealgraph_derive::{Columns, SchemaFields};
use serde::Serialize;

use crate::{
    base::{
        error::{Error, Result},
        ids::CompanyId,
        money::{MAX_MINOR, Money},
        text::{self, Text},
    },
    entity::{Ownership, Stamps},
};

/// A company.
#[derive(Debug, Clone, sqlx::FromRow, Columns)]
pub struct Company {
    #[sqlx(rename = "company_id")]
    #[column(once)]
    pub(super) id: CompanyId,
    #[sqlx(flatten)]
    pub(super) fields: CompanyFields,
    #[column(read)]
    pub(super) visible_to: String,
    #[sqlx(flatten)]
    pub(super) stamps: Stamps,
}

/// What can be written of a company.
#[derive(Debug, Clone, Default, PartialEq, Serialize, sqlx::FromRow, Columns, SchemaFields)]
#[computed(name_normalized = text::normalize(&self.name))]
pub struct CompanyFields {
    /// What it is called.
    pub name: String,
    /// Its internet domain, in lower case, for example `acme.example`.
    pub domain: Option<String>,
    /// What it does, for example `software`.
    pub industry: Option<String>,
    /// How many people work there.
    pub employee_count: Option<i32>,
    /// What it turns over in a year, in minor units.
    #[column(amounts)]
    #[graphql(skip)]
    pub annual_revenue_minor: Option<i64>,
    /// In which currency.
    #[column(amounts)]
    #[graphql(skip)]
    pub annual_revenue_currency: Option<String>,
    /// The year it was founded in.
    pub founded_year: Option<i16>,
    /// Its web site.
    pub website: Option<String>,
    /// Its switchboard's phone number.
    #[column(phones)]
    pub phone: Option<String>,
    /// Street and number.
    #[graphql(skip)]
    pub address_line: Option<String>,
    /// City.
    #[graphql(skip)]
    pub city: Option<String>,
    /// State, province or canton.
    #[graphql(skip)]
    pub region: Option<String>,
    /// Postal code.
    #[graphql(skip)]
    pub postal_code: Option<String>,
    /// Country.
    #[graphql(skip)]
    pub country: Option<String>,
    /// Notes on the company.
    #[column(long)]
    pub description: Option<String>,
    /// The company it belongs to.
    #[graphql(skip)]
    pub parent_company_id: Option<CompanyId>,
    /// Free words to find it by.
    pub tags: Vec<String>,
    /// Who owns it.
    #[sqlx(flatten)]
    #[serde(flatten)]
    pub ownership: Ownership,
}

/// A company that is to be created.
#[derive(Debug, Clone)]
pub struct NewCompany {
    /// The client's own id, or a minted one.
    pub id: CompanyId,
    /// What is known of it.
    pub fields: CompanyFields,
    /// When it came about, if not now.
    pub created_at: Option<DateTime<Utc>>,
}

impl CompanyFields {
    /// Cleans and bounds all fields.
    ///
    /// # Errors
    /// `BLANK`, `TOO_LONG`, `OUT_OF_RANGE`, `INVALID_URL`, `INVALID_DOMAIN`, with the field.
    pub fn check(&mut self) -> Result<()> {
        Text::line("name").required(&mut self.name)?;
        for (field, text) in [
            ("industry", &mut self.industry),
            ("phone", &mut self.phone),
            ("addressLine", &mut self.address_line),
            ("city", &mut self.city),
            ("region", &mut self.region),
            ("postalCode", &mut self.postal_code),
            ("country", &mut self.country),
            ("domain", &mut self.domain),
        ] {
            Text::line(field).optional(text)?;
        }
        Text::long("description").optional(&mut self.description)?;
        text::check_url(&mut self.website, "website")?;
        text::check_tags(&mut self.tags)?;
        if let Some(domain) = &mut self.domain {
            *domain = text::domain(domain).ok_or_else(|| {
                let message = "expected a domain like example.com";
                Error::invalid("INVALID_DOMAIN", "domain", message)
            })?;
        }
        if self.employee_count.is_some_and(|n| n < 0) {
            return Err(Error::invalid(
                "OUT_OF_RANGE",
                "employeeCount",
                "expected zero or more",
            ));
        }
        if self
            .founded_year
            .is_some_and(|year| !(1000..=2200).contains(&year))
        {
            return Err(Error::invalid(
                "OUT_OF_RANGE",
                "foundedYear",
                "expected a year between 1000 and 2200",
            ));
        }
        if self
            .annual_revenue_minor
            .is_some_and(|amount| !(0..=MAX_MINOR).contains(&amount))
        {
            return Err(Error::invalid(
                "INVALID_AMOUNT",
                "annualRevenue.amountMinor",
                "expected zero or more",
            ));
        }
        Ok(())
    }

    /// The revenue of a year.
    #[must_use]
    pub fn annual_revenue(&self) -> Option<Money> {
        Money::from_columns(
            self.annual_revenue_minor,
            self.annual_revenue_currency.as_deref(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blank_name_is_refused_with_its_field() {
        let error = CompanyFields {
            name: " \t".to_owned(),
            ..Default::default()
        }
        .check()
        .expect_err("blank");
        assert_eq!((error.code(), error.field()), ("BLANK", Some("name")));
    }
}
