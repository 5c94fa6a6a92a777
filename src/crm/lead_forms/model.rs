//! What a form is, and which fields it takes.

use std::collections::BTreeSet;

use async_graphql::{Enum, SimpleObject};
use dealgraph_derive::{Columns, OrderField, SchemaFields};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use sqlx::types::Json as Stored;
use url::Url;
use uuid::Uuid;

use crate::{
    base::{
        error::{Error, Result},
        ids::{LeadFormId, Typed as _, UserId},
        text::{self, LONG_CHARS, Text, normalize},
    },
    db::list::Record,
    entity::{self, Changeable, Entity, Stamps, UNARCHIVED},
    graphql::projection::enum_columns,
};

/// The most origins, and the most fields that are mapped.
const MOST: usize = 20;
/// Characters of the name of a posted field.
pub(super) const NAME_CHARS: usize = 100;

/// A form by which strangers become leads.
#[derive(Debug, Clone, sqlx::FromRow, Columns)]
pub struct LeadForm {
    #[sqlx(rename = "lead_form_id")]
    #[column(once)]
    pub(super) id: LeadFormId,
    #[sqlx(flatten)]
    pub(super) fields: LeadFormFields,
    #[column(secret)]
    pub(super) captcha_secret: Option<Vec<u8>>,
    /// The permission to read is not scoped: it covers all forms of the tenant.
    #[column(select = "'|'")]
    pub(super) visible_to: String,
    #[sqlx(flatten)]
    #[column(parts = UNARCHIVED)]
    pub(super) stamps: Stamps,
}

/// What can be written of a form.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow, Columns, SchemaFields)]
#[computed(name_normalized = normalize(&self.name))]
pub struct LeadFormFields {
    /// What it is called, for example after the campaign.
    pub name: String,
    /// Whether it takes anything.
    pub enabled: bool,
    /// The origins of pages that may post to it, such as `https://shop.example`. Without one only programs may.
    pub allowed_origins: Vec<String>,
    /// Which posted field goes where.
    #[graphql(skip)]
    pub mapping: Stored<Vec<FieldMapping>>,
    /// What new leads have as their source.
    pub source: Option<String>,
    /// Tags that leads get.
    pub tags: Vec<String>,
    /// Who owns new leads.
    #[graphql(skip)]
    pub owner_id: Option<UserId>,
    /// What is done when there is an open lead with the e-mail address.
    pub duplicates: LeadFormDuplicates,
    /// What who submits agrees to. It is recorded with each submission.
    #[column(long)]
    pub consent_text: Option<String>,
    /// Which version of the text that is.
    pub consent_version: Option<String>,
    /// The posted field that says yes to it; nothing is taken without.
    pub consent_field: Option<String>,
    /// A posted field that people don't see: what fills it in is taken for a program.
    pub honeypot: Option<String>,
    /// The page that a plain form goes on to, at one of the allowed origins.
    pub thanks_url: Option<String>,
    /// Where the answer to a captcha is verified, as Turnstile, hCaptcha and reCAPTCHA have it.
    pub captcha_url: Option<String>,
    /// The posted field that has the answer, `cf-turnstile-response` for example.
    pub captcha_field: Option<String>,
}

/// A posted field and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, SimpleObject)]
#[graphql(name = "LeadFormField")]
pub struct FieldMapping {
    /// The name that it is posted under.
    pub name: String,
    /// The field of the lead.
    pub target: LeadFormTarget,
    /// Whether nothing is taken without it.
    pub required: bool,
    /// How many characters it may have, fewer than the field of the lead.
    pub max_length: Option<i32>,
}

/// The fields of a lead that a form can fill in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LeadFormTarget {
    /// First name.
    FirstName,
    /// Last name.
    LastName,
    /// Both in one; the last word is the last name.
    FullName,
    /// E-mail address.
    Email,
    /// Phone number.
    Phone,
    /// The company they work for.
    CompanyName,
    /// What they do there.
    Title,
    /// Notes; those of an open lead are added to.
    Notes,
}

/// What is done when there is an open lead with the e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Enum, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LeadFormDuplicates {
    /// What is empty in the latest of them is filled in, and notes and tags are added.
    UpdateOpen,
    /// Another lead comes about.
    Create,
}

enum_columns!(LeadFormDuplicates);

impl LeadFormFields {
    /// Cleans and bounds all fields.
    ///
    /// # Errors
    /// `BLANK`, `TOO_LONG`, `INVALID_TEXT`, `INVALID_ORIGIN`, `INVALID_URL`, `INVALID_MAPPING`, `NOT_APPLICABLE`, and what tags are
    /// refused for, with the field.
    pub(super) fn check(&mut self) -> Result<()> {
        Text::line("name").required(&mut self.name)?;
        for (field, text) in [
            ("source", &mut self.source),
            ("consentVersion", &mut self.consent_version),
            ("consentField", &mut self.consent_field),
            ("honeypot", &mut self.honeypot),
            ("captchaField", &mut self.captcha_field),
        ] {
            Text::line(field).optional(text)?;
        }
        Text::long("consentText").optional(&mut self.consent_text)?;
        text::check_tags(&mut self.tags)?;
        text::check_url(&mut self.captcha_url, "captchaUrl")?;
        together(
            (&self.consent_text, "consentText"),
            (&self.consent_field, "consentField"),
        )?;
        together(
            (&self.captcha_url, "captchaUrl"),
            (&self.captcha_field, "captchaField"),
        )?;
        self.check_origins()?;
        self.check_mapping()
    }

    fn check_origins(&mut self) -> Result<()> {
        if self.allowed_origins.len() > MOST {
            let message = format!("expected at most {MOST} origins");
            return Err(Error::invalid("TOO_MANY_VALUES", "allowedOrigins", message));
        }
        for origin in &mut self.allowed_origins {
            *origin = read_origin(origin).ok_or_else(|| {
                let message = "expected an origin like https://shop.example, without a path";
                Error::invalid("INVALID_ORIGIN", "allowedOrigins", message)
            })?;
        }
        text::check_url(&mut self.thanks_url, "thanksUrl")?;
        let Some(thanks) = &self.thanks_url else {
            return Ok(());
        };
        let origin = Url::parse(thanks).map(|url| url.origin().ascii_serialization());
        match origin.is_ok_and(|origin| self.allowed_origins.contains(&origin)) {
            true => Ok(()),
            false => Err(Error::invalid(
                "INVALID_URL",
                "thanksUrl",
                "expected a page at one of the allowed origins",
            )),
        }
    }

    fn check_mapping(&mut self) -> Result<()> {
        let wrong = |message: &str| Err(Error::invalid("INVALID_MAPPING", "mapping", message));
        let mapping = &self.mapping.0;
        if mapping.len() > MOST {
            return wrong("too many fields");
        }
        let kept = [&self.consent_field, &self.honeypot, &self.captcha_field];
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for name in kept.into_iter().flatten() {
            if !names.insert(name) {
                return wrong("the consent, the honeypot and the captcha are fields of their own");
            }
        }
        let mut targets = BTreeSet::new();
        for FieldMapping {
            name,
            target,
            max_length,
            ..
        } in mapping
        {
            let is_name = (1..=NAME_CHARS).contains(&name.chars().count())
                && name.trim() == name
                && !name.chars().any(char::is_control);
            if !is_name {
                return wrong("a field has a name of 1 to 100 characters");
            }
            if !names.insert(name) || !targets.insert(*target) {
                return wrong("no name and no field of the lead may be there twice");
            }
            if max_length.is_some_and(|most| !(1..=LONG_CHARS as i32).contains(&most)) {
                return wrong("the longest length is 1 to 20000 characters");
            }
        }
        let has = |target| targets.contains(&target);
        let parts = has(LeadFormTarget::FirstName) && has(LeadFormTarget::LastName);
        if has(LeadFormTarget::FullName) == parts {
            return wrong("a lead needs FULL_NAME, or FIRST_NAME and LAST_NAME");
        }
        if self.duplicates == LeadFormDuplicates::UpdateOpen && !has(LeadFormTarget::Email) {
            return wrong("open leads are found by EMAIL");
        }
        Ok(())
    }
}

/// Two fields of which one says nothing without the other.
fn together(
    one: (&Option<String>, &'static str),
    other: (&Option<String>, &'static str),
) -> Result<()> {
    let missing = match (one.0.is_some(), other.0.is_some()) {
        (true, false) => other.1,
        (false, true) => one.1,
        _ => return Ok(()),
    };
    let message = "this is needed with the other of the two";
    Err(Error::invalid("BLANK", missing, message))
}

/// An origin as browsers send it.
pub(super) fn read_origin(text: &str) -> Option<String> {
    let url = Url::parse(text.trim()).ok()?;
    let is_bare = matches!(url.scheme(), "http" | "https")
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    is_bare.then(|| url.origin().ascii_serialization())
}

/// What forms can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, OrderField)]
#[order(of = LeadForm)]
pub enum LeadFormOrderField {
    /// When it was made.
    #[order(time = self.stamps.created_at)]
    CreatedAt,
    /// Its name, without regard to case.
    #[order(text = normalize(&self.fields.name), column = "name_normalized")]
    Name,
}

impl Record for LeadForm {
    const ARCHIVES: bool = false;
    type Order = LeadFormOrderField;

    fn key(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Entity for LeadForm {
    fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    fn visible_to(&self) -> &str {
        &self.visible_to
    }

    fn columns(&self) -> Json {
        entity::with(
            json!(self.fields),
            json!({ "name_normalized": normalize(&self.fields.name) }),
        )
    }
}

impl Changeable for LeadForm {
    fn same_as(&self, before: &Self) -> bool {
        self.fields == before.fields && self.captcha_secret == before.captcha_secret
    }

    fn told(&self) -> Json {
        json!(self.fields)
    }

    fn stamps_mut(&mut self) -> &mut Stamps {
        &mut self.stamps
    }
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
