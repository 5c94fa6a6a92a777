//! What an endpoint is, and what each kind of verification needs.

use async_graphql::Enum;
use chrono::{DateTime, TimeDelta, Utc};
use dealgraph_derive::{Columns, OrderField, SchemaFields};
use serde::Serialize;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::{
    base::{
        error::{Error, Result},
        ids::{InboundEndpointId, IntegrationId, LeadFormId, Typed as _},
        text::{self, Text, normalize},
    },
    db::list::Record,
    entity::{self, Entity, Stamps, UNARCHIVED, changes_by_fields},
    graphql::projection::enum_columns,
};

/// The longest that a rotated secret goes on being taken, in hours.
const MAX_OVERLAP_HOURS: i32 = 168;
/// Characters of the name of a header.
const HEADER_CHARS: usize = 100;

/// An address that other services send messages to.
#[derive(Debug, Clone, sqlx::FromRow, Columns)]
pub struct InboundEndpoint {
    #[sqlx(rename = "inbound_endpoint_id")]
    #[column(once)]
    pub(super) id: InboundEndpointId,
    #[sqlx(flatten)]
    pub(super) fields: InboundEndpointFields,
    #[column(once, secret)]
    pub(super) path_hash: Option<Vec<u8>>,
    #[column(secret)]
    pub(super) secret: Vec<u8>,
    #[column(secret)]
    pub(super) former_secret: Option<Vec<u8>>,
    /// The permission to read is not scoped: it covers all endpoints of the tenant.
    #[column(select = "'|'")]
    pub(super) visible_to: String,
    #[sqlx(flatten)]
    #[column(parts = UNARCHIVED)]
    pub(super) stamps: Stamps,
}

/// What the events of an endpoint contain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, Columns, SchemaFields)]
#[computed(name_normalized = normalize(&self.name))]
pub struct InboundEndpointFields {
    /// What it is called, for example after the service that sends to it.
    pub name: String,
    /// How messages are verified; it stands.
    #[column(once)]
    pub verification: InboundVerification,
    /// What is done with messages.
    pub handler: InboundHandlerKind,
    /// LEAD_FORM: the form that messages go to.
    #[graphql(skip)]
    pub lead_form_id: Option<LeadFormId>,
    /// INTEGRATION: the account whose service sends.
    #[graphql(skip)]
    pub integration_id: Option<IntegrationId>,
    /// HMAC_SHA256: the header that has the signature.
    pub signature_header: Option<String>,
    /// HMAC_SHA256: how the signature is written.
    pub signature_encoding: Option<SignatureEncoding>,
    /// The header that has the sender's id of a message, if it sends one.
    pub message_id_header: Option<String>,
    /// BASIC: the name that is sent with the password.
    pub username: Option<String>,
    /// TWILIO: what stands before the path in the address that the sender was given, such as `https://crm.example`.
    pub origin: Option<String>,
    /// Whether messages are taken.
    pub enabled: bool,
    /// Why they are not.
    pub disabled_reason: Option<String>,
    /// When its secret was last replaced.
    pub rotated_at: Option<DateTime<Utc>>,
    /// Until when the secret before that is taken as well.
    pub former_ends_at: Option<DateTime<Utc>>,
}

/// How messages of an endpoint are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Enum, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InboundVerification {
    /// As the specification Standard Webhooks 1.0 says: id, time and body are signed.
    StandardWebhooks,
    /// A header has the HMAC-SHA256 of the body.
    #[graphql(name = "HMAC_SHA256")]
    #[serde(rename = "HMAC_SHA256")]
    #[sqlx(rename = "HMAC_SHA256")]
    HmacSha256,
    /// A name and a password (HTTP Basic), at a path that is a secret itself: for services that sign nothing.
    Basic,
    /// As Twilio signs: the address and what was posted, by HMAC-SHA1.
    Twilio,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Enum, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SignatureEncoding {
    /// In hex digits, with or without `sha256=` before them.
    Hex,
    /// In base64, with or without `sha256=` before it.
    Base64,
}

/// What is done with the messages of an endpoint. A kind that this server does not know yet can't be made here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Enum, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InboundHandlerKind {
    /// Nothing: they are there to be read.
    StoreOnly,
    /// They are taken as what is posted to a form for leads, without its captcha and its honeypot.
    LeadForm,
    /// They say that something has changed at a service that records are kept in step with: these are looked at.
    Integration,
}

enum_columns!(InboundVerification, SignatureEncoding, InboundHandlerKind);

impl InboundEndpointFields {
    /// Cleans and bounds all fields, and holds them against the kind of verification.
    ///
    /// # Errors
    /// `BLANK`, `TOO_LONG`, `INVALID_TEXT`, `INVALID_HEADER`, `INVALID_URL`, `NOT_APPLICABLE`, with the field.
    pub(super) fn check(&mut self) -> Result<()> {
        Text::line("name").required(&mut self.name)?;
        Text::line("username").optional(&mut self.username)?;
        Text::line("disabledReason").optional(&mut self.disabled_reason)?;
        check_header(&mut self.signature_header, "signatureHeader")?;
        check_header(&mut self.message_id_header, "messageIdHeader")?;
        text::check_url(&mut self.origin, "origin")?;
        if self.enabled {
            self.disabled_reason = None;
        }
        let leads = self.handler == InboundHandlerKind::LeadForm;
        belongs(leads, self.lead_form_id.is_some(), "leadFormId")?;
        let syncs = self.handler == InboundHandlerKind::Integration;
        belongs(syncs, self.integration_id.is_some(), "integrationId")?;
        let is = |kind| self.verification == kind;
        let hmac = is(InboundVerification::HmacSha256);
        belongs(hmac, self.signature_header.is_some(), "signatureHeader")?;
        belongs(hmac, self.signature_encoding.is_some(), "signatureEncoding")?;
        let basic = is(InboundVerification::Basic);
        belongs(basic, self.username.is_some(), "username")?;
        if self
            .username
            .as_deref()
            .is_some_and(|name| name.contains(':'))
        {
            let message = "a colon ends the name where it is sent";
            return Err(Error::invalid("INVALID_TEXT", "username", message));
        }
        let twilio = is(InboundVerification::Twilio);
        belongs(twilio, self.origin.is_some(), "origin")?;
        if let Some(origin) = &mut self.origin {
            *origin = origin.trim_end_matches('/').to_owned();
        }
        match is(InboundVerification::StandardWebhooks) && self.message_id_header.is_some() {
            true => Err(not_applicable("messageIdHeader")),
            false => Ok(()),
        }
    }
}

/// What one kind of verification needs, others don't take.
fn belongs(needed: bool, given: bool, field: &'static str) -> Result<()> {
    match (needed, given) {
        (true, false) => {
            let message = "this kind of endpoint needs it";
            Err(Error::invalid("BLANK", field, message))
        }
        (false, true) => Err(not_applicable(field)),
        _ => Ok(()),
    }
}

fn not_applicable(field: &'static str) -> Error {
    let message = "this kind of endpoint does not take it, leave it out";
    Error::invalid("NOT_APPLICABLE", field, message)
}

/// The name of a header: a token of HTTP, in lower case, and none that says something else already.
fn check_header(name: &mut Option<String>, field: &'static str) -> Result<()> {
    let Some(some) = name else { return Ok(()) };
    let lower = some.trim().to_ascii_lowercase();
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_sound = (1..=HEADER_CHARS).contains(&lower.len())
        && lower.bytes().all(is_token)
        && !["authorization", "cookie", "host"].contains(&lower.as_str());
    match is_sound {
        true => {
            *some = lower;
            Ok(())
        }
        false => Err(Error::invalid(
            "INVALID_HEADER",
            field,
            "expected the name of a header, such as x-signature-256",
        )),
    }
}

/// How long a rotated secret goes on being taken.
///
/// # Errors
/// `OUT_OF_RANGE` on `overlapHours`.
pub(super) fn overlap(hours: i32) -> Result<TimeDelta> {
    match (0..=MAX_OVERLAP_HOURS).contains(&hours) {
        true => Ok(TimeDelta::hours(hours.into())),
        false => Err(Error::invalid(
            "OUT_OF_RANGE",
            "overlapHours",
            format!("expected 0 to {MAX_OVERLAP_HOURS} hours"),
        )),
    }
}

/// What endpoints can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, OrderField)]
#[order(of = InboundEndpoint)]
pub enum InboundEndpointOrderField {
    /// When it was made.
    #[order(time = self.stamps.created_at)]
    CreatedAt,
    /// Its name, without regard to case.
    #[order(text = normalize(&self.fields.name), column = "name_normalized")]
    Name,
}

impl Record for InboundEndpoint {
    const ARCHIVES: bool = false;
    type Order = InboundEndpointOrderField;

    fn key(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Entity for InboundEndpoint {
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

changes_by_fields!(InboundEndpoint);

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(verification: InboundVerification) -> InboundEndpointFields {
        InboundEndpointFields {
            name: "Shop".to_owned(),
            verification,
            handler: InboundHandlerKind::StoreOnly,
            lead_form_id: None,
            integration_id: None,
            signature_header: None,
            signature_encoding: None,
            message_id_header: None,
            username: None,
            origin: None,
            enabled: true,
            disabled_reason: None,
            rotated_at: None,
            former_ends_at: None,
        }
    }

    fn refusal(mut fields: InboundEndpointFields) -> Option<(&'static str, String)> {
        let error = fields.check().err()?;
        Some((error.code(), error.field()?.to_owned()))
    }

    #[test]
    fn each_kind_needs_what_it_verifies_with_and_takes_nothing_else() {
        use InboundVerification as Kind;
        let refused = |code, field: &str| Some((code, field.to_owned()));
        assert_eq!(refusal(fields(Kind::StandardWebhooks)), None);
        assert_eq!(
            refusal(fields(Kind::HmacSha256)),
            refused("BLANK", "signatureHeader")
        );
        assert_eq!(refusal(fields(Kind::Basic)), refused("BLANK", "username"));
        assert_eq!(refusal(fields(Kind::Twilio)), refused("BLANK", "origin"));
        let mut standard = fields(Kind::StandardWebhooks);
        standard.username = Some("a".to_owned());
        assert_eq!(refusal(standard), refused("NOT_APPLICABLE", "username"));
        let mut hmac = fields(Kind::HmacSha256);
        hmac.signature_encoding = Some(SignatureEncoding::Hex);
        for (header, outcome) in [
            ("X-Hub-Signature-256", None),
            ("no good", refused("INVALID_HEADER", "signatureHeader")),
            (
                "Authorization",
                refused("INVALID_HEADER", "signatureHeader"),
            ),
            ("", refused("INVALID_HEADER", "signatureHeader")),
        ] {
            hmac.signature_header = Some(header.to_owned());
            assert_eq!(refusal(hmac.clone()), outcome, "{header}");
        }
    }
}
