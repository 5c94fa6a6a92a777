//! What a way to reach a contact is, and how a contact's list of them is checked and put in order.

use async_graphql::Enum;
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{
    access::{Rights, Sensitivity},
    base::{
        error::{Error, Result},
        ids::ContactMethodId,
        text::{self, Text},
        times,
    },
    graphql::patch::masked,
};

/// Most methods of a contact.
const MAX_METHODS: usize = 20;
/// Digits of a phone number: below, it can't be dialled from elsewhere; E.164 ends at 15, extensions need some more.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 5..=20;

/// A way to reach a contact.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow)]
pub struct ContactMethod {
    #[sqlx(rename = "contact_method_id")]
    pub(super) id: ContactMethodId,
    pub(super) kind: ContactMethodKind,
    /// As it was written.
    pub(super) value: String,
    /// The form it is compared in.
    #[serde(skip)]
    pub(super) value_normalized: String,
    pub(super) label: Option<String>,
    pub(super) preferred: bool,
    pub(super) opted_out_at: Option<DateTime<Utc>>,
    pub(super) position: i16,
}

/// Kinds of ways to reach a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ContactMethodKind {
    /// An e-mail address.
    Email,
    /// A phone number.
    Phone,
    /// A mobile phone number.
    Mobile,
    /// A fax number.
    Fax,
    /// A web address.
    Url,
    /// A name in a social network.
    Social,
}

impl ContactMethodKind {
    /// As the database keeps it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Email => "EMAIL",
            Self::Phone => "PHONE",
            Self::Mobile => "MOBILE",
            Self::Fax => "FAX",
            Self::Url => "URL",
            Self::Social => "SOCIAL",
        }
    }

    /// Who is shown the values of its kind.
    pub(in crate::crm::contacts) fn sensitivity(self) -> Sensitivity {
        match self {
            Self::Email => Sensitivity::Emails,
            Self::Phone | Self::Mobile | Self::Fax => Sensitivity::Phones,
            Self::Url | Self::Social => Sensitivity::Plain,
        }
    }
}

/// Refuses new methods of a kind that the actor is not shown.
///
/// # Errors
/// `FORBIDDEN` on the method's value.
pub(in crate::crm::contacts) fn refuse_masked(
    rights: &Rights,
    methods: &[NewContactMethod],
) -> Result<()> {
    let hidden = |method: &NewContactMethod| !method.kind.sensitivity().is_shown(rights);
    match methods.iter().position(hidden) {
        Some(i) => Err(masked(&format!("contactMethods.{i}.value"))),
        None => Ok(()),
    }
}

/// A way to reach a contact that is to be written.
#[derive(Debug, Clone)]
pub struct NewContactMethod {
    /// Which of the contact's methods it is, so that it keeps its row; `None` for a new one.
    pub id: Option<ContactMethodId>,
    /// What it is.
    pub kind: ContactMethodKind,
    /// The address, number or name.
    pub value: String,
    /// What it is for, for example `assistant`.
    pub label: Option<String>,
    /// Whether it is the one to use of its kind. The first of a kind is, when none is said to be.
    pub preferred: bool,
    /// Since when the contact does not want to be reached by it.
    pub opted_out_at: Option<DateTime<Utc>>,
}

impl NewContactMethod {
    /// A new method without a label.
    #[must_use]
    pub fn new(kind: ContactMethodKind, value: String) -> Self {
        Self {
            id: None,
            kind,
            value,
            label: None,
            preferred: false,
            opted_out_at: None,
        }
    }

    fn check(mut self, id: ContactMethodId, position: i16) -> Result<ContactMethod> {
        Text::line("value").required(&mut self.value)?;
        Text::line("label").optional(&mut self.label)?;
        if let Some(at) = self.opted_out_at {
            times::check_time("optedOutAt", at)?;
        }
        let Self {
            kind,
            value,
            label,
            preferred,
            opted_out_at,
            ..
        } = self;
        let value_normalized = match kind {
            ContactMethodKind::Email => text::normalize_email(&value, "value")?,
            ContactMethodKind::Phone | ContactMethodKind::Mobile | ContactMethodKind::Fax => {
                normalize_phone(&value)?
            }
            ContactMethodKind::Url => normalize_url(&value)?,
            ContactMethodKind::Social => text::normalize(&value),
        };
        Ok(ContactMethod {
            id,
            kind,
            value,
            value_normalized,
            label,
            preferred,
            opted_out_at,
            position,
        })
    }
}

/// Checks the whole list of a contact's methods; `known` are those it has already.
///
/// # Errors
/// `TOO_MANY_VALUES`; `NOT_FOUND` for an id that is none of the contact's, `TAKEN` for one that comes twice;
/// `TOO_MANY_PREFERRED`; `BLANK`, `TOO_LONG`, `INVALID_EMAIL`, `INVALID_PHONE`, `INVALID_URL`, `OUT_OF_RANGE`; all with the
/// place in the list, as in `contactMethods.0.value`.
pub(in crate::crm::contacts) fn arrange(
    new: Vec<NewContactMethod>,
    known: &[ContactMethod],
) -> Result<Vec<ContactMethod>> {
    if new.len() > MAX_METHODS {
        let message = format!(
            "expected at most {MAX_METHODS} contact methods, found {}",
            new.len()
        );
        return Err(Error::invalid("TOO_MANY_VALUES", "contactMethods", message));
    }
    let mut methods: Vec<ContactMethod> = Vec::with_capacity(new.len());
    for (position, method) in (0..).zip(new) {
        let same = |id| move |method: &ContactMethod| method.id == id;
        let checked = match method.id {
            None => method.check(ContactMethodId::new(), position),
            Some(id) if !known.iter().any(same(id)) => Err(Error::invalid(
                "NOT_FOUND",
                "id",
                "this contact has no such contact method",
            )),
            Some(id) if methods.iter().any(same(id)) => Err(Error::invalid(
                "TAKEN",
                "id",
                "this contact method comes twice in the list",
            )),
            Some(id) => method.check(id, position),
        };
        methods.push(checked.map_err(|error| at(position, error))?);
    }
    prefer_one_of_each_kind(&mut methods)?;
    Ok(methods)
}

fn prefer_one_of_each_kind(methods: &mut [ContactMethod]) -> Result<()> {
    for i in 0..methods.len() {
        let (kind, preferred) = (methods[i].kind, methods[i].preferred);
        let earlier = methods[..i].iter().filter(|method| method.kind == kind);
        if preferred && earlier.clone().any(|method| method.preferred) {
            let error = Error::invalid(
                "TOO_MANY_PREFERRED",
                "preferred",
                "another one of this kind is preferred already",
            );
            return Err(at(methods[i].position, error));
        }
        let first = earlier.count() == 0;
        if first
            && !methods[i..]
                .iter()
                .any(|method| method.kind == kind && method.preferred)
        {
            methods[i].preferred = true;
        }
    }
    Ok(())
}

/// The same error, said of a method in the list.
fn at(position: i16, error: Error) -> Error {
    match error {
        Error::Invalid {
            code,
            field,
            message,
        } => Error::invalid(code, format!("contactMethods.{position}.{field}"), message),
        other => other,
    }
}

/// The address to write to, in the form addresses are compared in.
pub(in crate::crm::contacts) fn preferred_email(methods: &[ContactMethod]) -> Option<String> {
    preferred(methods, ContactMethodKind::Email).map(|method| method.value_normalized.clone())
}

/// The number to call, as it was written: the phone before the mobile phone.
pub(in crate::crm::contacts) fn preferred_phone(methods: &[ContactMethod]) -> Option<String> {
    let phone = preferred(methods, ContactMethodKind::Phone)
        .or_else(|| preferred(methods, ContactMethodKind::Mobile));
    phone.map(|method| method.value.clone())
}

fn preferred(methods: &[ContactMethod], kind: ContactMethodKind) -> Option<&ContactMethod> {
    methods
        .iter()
        .find(|method| method.kind == kind && method.preferred)
}

/// `+49 (30) 901820-0` -> `+49309018200`.
fn normalize_phone(number: &str) -> Result<String> {
    let (plus, digits) = match number.strip_prefix('+') {
        Some(rest) => ("+", rest),
        None => ("", number),
    };
    let punctuation = |c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '-' | '\u{2010}'..='\u{2013}' | '(' | ')' | '[' | ']' | '.' | '/'
            )
    };
    let digits: String = digits.chars().filter(|c| !punctuation(*c)).collect();
    if PHONE_DIGITS.contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(format!("{plus}{digits}"));
    }
    Err(Error::invalid(
        "INVALID_PHONE",
        "value",
        "expected a phone number of 5 to 20 digits, like +49 30 9018200",
    ))
}

fn normalize_url(url: &str) -> Result<String> {
    text::check_url(&mut Some(url.to_owned()), "value")?;
    Ok(url::Url::parse(url).map_or_else(|_| url.to_owned(), String::from))
}
