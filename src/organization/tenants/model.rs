//! What a tenant is, and what its settings may look like.

use async_graphql::Enum;
use chrono::{DateTime, Utc};
use dealgraph_derive::{Columns, SchemaFields};
use serde::Serialize;

use crate::base::{
    error::{Error, Result},
    ids::TenantId,
    money::Currency,
    text::Text,
};

/// A tenant.
#[derive(Debug, Clone, sqlx::FromRow)]
#[expect(missing_docs, reason = "the names say it; the schema describes each")]
pub struct Tenant {
    pub tenant_id: TenantId,
    pub slug: String,
    pub status: TenantStatus,
    #[sqlx(flatten)]
    pub settings: TenantSettings,
    pub suspended_because: Option<String>,
    pub delete_after: Option<DateTime<Utc>>,
    #[sqlx(flatten)]
    pub quotas: Quotas,
    pub plan: Option<String>,
    pub created_at: DateTime<Utc>,
    pub version: i32,
}

/// What an admin of a tenant can change about it.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow, Columns, SchemaFields)]
// Columns of the tenant itself that the operator changes, for the events and the audit log.
#[told(status)]
#[told(suspended_because)]
#[told(delete_after)]
#[told(quotas)]
#[told(plan)]
pub struct TenantSettings {
    /// What it is called.
    pub name: String,
    /// The currency it reports in, by its ISO 4217 code.
    pub base_currency: String,
    /// Its time zone, by its IANA name; days begin and end in it.
    pub time_zone: String,
    /// Its language and region (BCP 47).
    pub locale: String,
    /// The month its fiscal year starts in, 1 to 12.
    pub fiscal_year_start: i16,
    /// Whether losing a deal needs a reason.
    pub lost_reason_required: bool,
    /// From which warmness score on (0 to 100) a contact counts as warm.
    pub warmness_threshold: i16,
    /// Whether everybody needs a second factor to sign in.
    pub second_factor_required: bool,
    /// The outside provider that everybody has to sign in through, by its key; null when passwords are accepted.
    pub required_provider: Option<String>,
    /// Whether only the documents that the operator of the server has listed are run for the tenant's people and keys.
    pub trusted_documents_only: bool,
}

/// How many of some things a tenant may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::FromRow)]
#[expect(missing_docs, reason = "the names say it; the schema describes each")]
pub struct Quotas {
    pub quota_members: i32,
    pub quota_teams: i32,
    pub quota_roles: i32,
    pub quota_api_keys: i32,
    pub quota_webhook_endpoints: i32,
}

/// How a tenant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TenantStatus {
    /// At work.
    Active,
    /// May read, not write.
    Suspended,
    /// About to be deleted.
    Deleting,
}

impl TenantSettings {
    /// Cleans and bounds all fields but the time zone, which the database knows.
    ///
    /// # Errors
    /// `BLANK`, `TOO_LONG`, `INVALID_CURRENCY`, `INVALID_LOCALE`, `OUT_OF_RANGE`, with the field.
    pub fn check(&mut self) -> Result<()> {
        Text::line("name").required(&mut self.name)?;
        Text::line("timeZone").required(&mut self.time_zone)?;
        Text::line("requiredProvider").optional(&mut self.required_provider)?;
        Currency::parse(&self.base_currency, "baseCurrency")?;
        if !is_locale(&self.locale) {
            return Err(Error::invalid(
                "INVALID_LOCALE",
                "locale",
                "expected a language with or without a region, like en or de-CH (BCP 47)",
            ));
        }
        for (field, value, most) in [
            ("fiscalYearStart", self.fiscal_year_start, 1..=12),
            ("warmnessThreshold", self.warmness_threshold, 0..=100),
        ] {
            if !most.contains(&value) {
                let (from, to) = (most.start(), most.end());
                let message = format!("expected a number from {from} to {to}");
                return Err(Error::invalid("OUT_OF_RANGE", field, message));
            }
        }
        Ok(())
    }
}

/// A language, then subtags of one to eight letters and digits (RFC 5646, section 2.1, without its oldest exceptions).
fn is_locale(text: &str) -> bool {
    let mut tags = text.split('-');
    let language = tags.next().unwrap_or_default();
    (2..=8).contains(&language.len())
        && language.bytes().all(|b| b.is_ascii_alphabetic())
        && text.len() <= 35
        && tags.all(|tag| {
            (1..=8).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric())
        })
}

/// Whether a plan can be called so: up to 40 small letters, digits, `-` and `_`, beginning with a letter.
#[must_use]
pub fn is_plan_name(name: &str) -> bool {
    let is_part = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    name.len() <= 40
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(is_part)
}

/// A tenant's short name: what addresses and the command line call it.
///
/// # Errors
/// `INVALID_SLUG`.
pub fn check_slug(slug: &str) -> Result<()> {
    let is_part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    match (2..=63).contains(&slug.len()) && slug.split('-').all(is_part) {
        true => Ok(()),
        false => Err(Error::invalid(
            "INVALID_SLUG",
            "slug",
            "expected 2 to 63 small letters, digits and single dashes between them",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_has_the_shape_of_bcp_47() {
        for good in ["en", "de-CH", "zh-Hant-TW", "es-419", "sl-rozaj-biske"] {
            assert!(is_locale(good), "{good}");
        }
        for bad in [
            "",
            "e",
            "en_US",
            "en-",
            "-en",
            "en US",
            "12",
            "en-toolongtag",
            "né",
        ] {
            assert!(!is_locale(bad), "{bad}");
        }
    }

    #[test]
    fn a_slug_is_what_the_database_takes() {
        for good in ["ab", "acme", "acme-2", "a-b-c"] {
            assert!(check_slug(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a",
            "-ab",
            "ab-",
            "a--b",
            "Acme",
            "a b",
            &"x".repeat(64),
        ] {
            assert!(check_slug(bad).is_err(), "{bad}");
        }
    }
}
