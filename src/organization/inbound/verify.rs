//! Whether a message is its sender's: by the kind of the endpoint, in constant time, over the bytes that came.

use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use url::form_urlencoded;

use super::{
    model::{InboundEndpointFields, InboundVerification, SignatureEncoding},
    receive::Delivery,
};
use crate::platform::standard_webhooks::{self, SigningKey};

/// The longest name of a message.
pub const MESSAGE_ID_CHARS: usize = 200;
/// Messages without a name that are the same within so long are one.
pub(super) const SAME_WITHIN_S: i64 = 10 * 60;

/// What a message is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageName {
    /// The sender's id, or what stands for it.
    pub id: String,
    /// What stands for the same body a little earlier, where the sender sends no id.
    pub earlier: Option<String>,
}

/// Whether a message was sent by who has the secret.
#[must_use]
pub fn verify(
    endpoint: &InboundEndpointFields,
    secret: &str,
    delivery: &Delivery,
    now: DateTime<Utc>,
) -> bool {
    let verified = match endpoint.verification {
        InboundVerification::StandardWebhooks => by_standard(secret, delivery, now),
        InboundVerification::HmacSha256 => by_hmac(endpoint, secret, delivery),
        InboundVerification::Basic => by_password(endpoint, secret, delivery),
        InboundVerification::Twilio => by_twilio(endpoint, secret, delivery),
    };
    verified.is_some()
}

fn by_standard(secret: &str, delivery: &Delivery, now: DateTime<Utc>) -> Option<()> {
    let keys = [SigningKey::parse(secret)?];
    let header = |name| delivery.header(name);
    let (id, timestamp) = (header("webhook-id")?, header("webhook-timestamp")?);
    let signatures = header("webhook-signature")?;
    // What is signed becomes the name of the message, so it has to be one.
    let verified = standard_webhooks::verify(&keys, id, timestamp, signatures, &delivery.body, now);
    (is_name(id) && verified.is_ok()).then_some(())
}

fn by_hmac(endpoint: &InboundEndpointFields, secret: &str, delivery: &Delivery) -> Option<()> {
    let sent = delivery.header(endpoint.signature_header.as_deref()?)?;
    let text = sent.strip_prefix("sha256=").unwrap_or(sent);
    let tag = match endpoint.signature_encoding? {
        SignatureEncoding::Hex => from_hex(text)?,
        SignatureEncoding::Base64 => STANDARD.decode(text).ok()?,
    };
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::verify(&key, &delivery.body, &tag).ok()
}

fn by_password(endpoint: &InboundEndpointFields, secret: &str, delivery: &Delivery) -> Option<()> {
    let (scheme, sent) = delivery.header("authorization")?.split_once(' ')?;
    let sent = STANDARD.decode(sent.trim()).ok()?;
    let wanted = format!("{}:{secret}", endpoint.username.as_deref()?);
    // Hashes have one length, so that comparing them tells nothing of that of the password.
    let (sent, wanted) = (Sha256::digest(sent), Sha256::digest(wanted));
    verify_slices_are_equal(&sent, &wanted).ok()?;
    scheme.eq_ignore_ascii_case("basic").then_some(())
}

/// Twilio signs the address with what was posted as a form, sorted by name. Of any other body the address has the hash.
fn by_twilio(endpoint: &InboundEndpointFields, secret: &str, delivery: &Delivery) -> Option<()> {
    let tag = STANDARD
        .decode(delivery.header("x-twilio-signature")?)
        .ok()?;
    let mut signed = format!("{}{}", endpoint.origin.as_deref()?, delivery.path_and_query);
    let content_type = delivery.header("content-type").unwrap_or_default();
    if content_type.starts_with("application/x-www-form-urlencoded") {
        let mut posted: Vec<_> = form_urlencoded::parse(&delivery.body).collect();
        posted.sort();
        posted.dedup();
        for (name, value) in posted {
            signed.push_str(&name);
            signed.push_str(&value);
        }
    } else {
        let (_, query) = delivery.path_and_query.split_once('?')?;
        let mut parameters = form_urlencoded::parse(query.as_bytes());
        let (_, hash) = parameters.find(|(name, _)| name == "bodySHA256")?;
        let body = Sha256::digest(&delivery.body);
        verify_slices_are_equal(&from_hex(&hash)?, &body).ok()?;
    }
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    hmac::verify(&key, signed.as_bytes(), &tag).ok()
}

/// What a message is known by: the sender's id where it sends a sound one, else a digest of the body within ten minutes.
#[must_use]
pub fn name_of(
    endpoint: &InboundEndpointFields,
    delivery: &Delivery,
    now: DateTime<Utc>,
) -> MessageName {
    let header = match endpoint.verification {
        InboundVerification::StandardWebhooks => Some("webhook-id"),
        InboundVerification::Twilio => endpoint
            .message_id_header
            .as_deref()
            .or(Some("i-twilio-idempotency-token")),
        _ => endpoint.message_id_header.as_deref(),
    };
    let sent = header.and_then(|name| delivery.header(name));
    // No sender's id looks like what stands for one.
    if let Some(id) = sent.filter(|id| is_name(id) && !id.starts_with("sha256:")) {
        return MessageName {
            id: id.to_owned(),
            earlier: None,
        };
    }
    let mut digest = Sha256::new();
    digest.update(delivery.path_and_query.as_bytes());
    digest.update([0]);
    digest.update(&delivery.body);
    let digest = digest.finalize();
    let slot = now.timestamp().div_euclid(SAME_WITHIN_S);
    let of = |slot: i64| format!("sha256:{digest:x}:{slot}");
    MessageName {
        id: of(slot),
        earlier: Some(of(slot - 1)),
    }
}

fn is_name(id: &str) -> bool {
    (1..=MESSAGE_ID_CHARS).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let digits = text.as_bytes().chunks_exact(2);
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8]| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok();
    digits.map(byte).collect()
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
