//! From what was posted to what a lead is to have, by the mapping of the form.

use serde_json::Value as Json;
use url::Url;

use super::{
    model::{FieldMapping, LeadFormFields, LeadFormTarget},
    posted::Posted,
};
use crate::{
    base::error::{Error, Result},
    crm::leads::LeadFields,
};

/// The posted field that has the address of the page.
const PAGE: &str = "_page";
/// Characters of that.
const PAGE_CHARS: usize = 500;
/// What stands for the first name of who has one name only; a lead has both.
const NO_NAME: &str = "-";

/// What was posted, by its meaning.
#[derive(Debug)]
pub(super) struct Reading {
    /// What the lead is to have; all else of it is empty.
    pub(super) lead: LeadFields,
    /// What is not mapped.
    pub(super) extra: Json,
    /// Whether its sender agreed to what the form says.
    pub(super) has_agreed: bool,
    /// The answer to a captcha.
    pub(super) captcha: Option<String>,
    /// The page that it comes from.
    pub(super) page: Option<String>,
}

/// Whether a field is filled in that people don't see.
pub(super) fn is_spam(form: &LeadFormFields, posted: &Posted) -> bool {
    let honeypot = form.honeypot.as_deref();
    honeypot.is_some_and(|name| posted.is_set(name))
}

/// What is kept of a post that comes to nothing.
pub(super) fn extra(form: &LeadFormFields, posted: &Posted) -> Json {
    let own = [&form.consent_field, &form.honeypot, &form.captcha_field];
    let own = own.into_iter().flatten().map(String::as_str);
    let mapped = form.mapping.0.iter().map(|field| field.name.as_str());
    let known: Vec<_> = own.chain(mapped).chain([PAGE]).collect();
    posted.without(&known)
}

/// The page that a post comes from: as it says, or as the browser does.
pub(super) fn page(
    posted: &Posted,
    referrer: Option<&str>,
    origin: Option<&str>,
) -> Option<String> {
    let read = |text: &str| {
        let mut url = Url::parse(text).ok()?;
        url.set_fragment(None);
        let is_web = matches!(url.scheme(), "http" | "https") && url.username().is_empty();
        let is_theirs = origin.is_none_or(|origin| url.origin().ascii_serialization() == origin);
        let text = url.as_str().to_owned();
        (is_web && is_theirs && text.chars().count() <= PAGE_CHARS).then_some(text)
    };
    let said = posted.text(PAGE);
    said.as_deref()
        .and_then(read)
        .or_else(|| referrer.and_then(read))
}

/// Reads a post.
///
/// # Errors
/// What is missing or can't be of a lead, with the name that it is posted under: `BLANK`, `TOO_LONG`, `INVALID_TEXT`,
/// `INVALID_EMAIL`; `CONSENT_MISSING`.
pub(super) fn read(form: &LeadFormFields, posted: &Posted) -> Result<Reading> {
    let mut lead = LeadFields {
        source: form.source.clone(),
        tags: form.tags.clone(),
        ..LeadFields::default()
    };
    let mut full_name = None;
    for field in &form.mapping.0 {
        let Some(text) = value(field, posted)? else {
            continue;
        };
        match field.target {
            LeadFormTarget::FirstName => lead.first_name = text,
            LeadFormTarget::LastName => lead.last_name = text,
            LeadFormTarget::FullName => full_name = Some(text),
            LeadFormTarget::Email => lead.email = Some(text),
            LeadFormTarget::Phone => lead.phone = Some(text),
            LeadFormTarget::CompanyName => lead.company_name = Some(text),
            LeadFormTarget::Title => lead.title = Some(text),
            LeadFormTarget::Notes => lead.notes = Some(text),
        }
    }
    if let Some(name) = full_name {
        let (first, last) = name
            .rsplit_once(char::is_whitespace)
            .unwrap_or((NO_NAME, &name));
        (lead.first_name, lead.last_name) = (first.trim().to_owned(), last.to_owned());
    }
    lead.check().map_err(|error| named(form, error))?;
    let has_agreed = form
        .consent_field
        .as_deref()
        .is_some_and(|name| posted.is_set(name));
    if let Some(field) = form.consent_field.as_deref().filter(|_| !has_agreed) {
        let message = "this has to be agreed to";
        return Err(Error::invalid("CONSENT_MISSING", field, message));
    }
    let captcha = form.captcha_field.as_deref();
    Ok(Reading {
        lead,
        extra: extra(form, posted),
        has_agreed,
        captcha: captcha.and_then(|name| posted.text(name)),
        page: None,
    })
}

/// The text of a field, if there is any.
fn value(field: &FieldMapping, posted: &Posted) -> Result<Option<String>> {
    let name = field.name.as_str();
    if posted.is_no_text(name) {
        return Err(Error::invalid("INVALID_TEXT", name, "expected a text"));
    }
    let text = posted.text(name).map(|text| text.trim().to_owned());
    let text = text.filter(|text| !text.is_empty());
    let most = field.max_length.and_then(|most| usize::try_from(most).ok());
    match &text {
        None if field.required => Err(Error::invalid("BLANK", name, "this must not be blank")),
        Some(text) if most.is_some_and(|most| text.chars().count() > most) => {
            let message = "this is longer than the form takes";
            Err(Error::invalid("TOO_LONG", name, message))
        }
        _ => Ok(text),
    }
}

/// What a lead was refused for, under the name that the field is posted under.
fn named(form: &LeadFormFields, error: Error) -> Error {
    let Error::Invalid {
        code,
        field,
        message,
    } = error
    else {
        return error;
    };
    let targets: &[_] = match field.as_str() {
        "firstName" => &[LeadFormTarget::FirstName, LeadFormTarget::FullName],
        "lastName" => &[LeadFormTarget::LastName, LeadFormTarget::FullName],
        "email" => &[LeadFormTarget::Email],
        "phone" => &[LeadFormTarget::Phone],
        "companyName" => &[LeadFormTarget::CompanyName],
        "title" => &[LeadFormTarget::Title],
        "notes" => &[LeadFormTarget::Notes],
        _ => &[],
    };
    let mut mapping = form.mapping.0.iter();
    let posted = mapping.find(|mapping| targets.contains(&mapping.target));
    Error::Invalid {
        code,
        field: posted.map_or(field, |mapping| mapping.name.clone()),
        message,
    }
}
