//! Signatures of webhooks, by Standard Webhooks 1.0 (<https://www.standardwebhooks.com>): ours, and those of others.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};

use crate::base::secret::{SECRET_BYTES, Secret, random};

/// How a key begins as text.
const KEY_PREFIX: &str = "whsec_";
/// What a key has at least and at most, in bytes.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// How a signature of this kind begins.
const VERSION: &str = "v1";
/// How far the time of a message may be from ours, in seconds.
const TOLERANCE_SECONDS: u64 = 5 * 60;
/// The longest id of a message that is looked at, in bytes.
const MAX_ID_BYTES: usize = 256;
/// The most signatures that are looked at, and the longest list of them in bytes: one for each key while keys are replaced.
const MAX_SIGNATURES: (usize, usize) = (16, 4_096);

/// A key that messages are signed with.
#[derive(Debug, Clone)]
pub struct SigningKey(Secret<Vec<u8>>);

/// Why a message is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// The id, the time or the signatures are not as the standard says.
    #[error("the headers of the message are not those of Standard Webhooks")]
    Malformed,
    /// The message is of another time: a copy of an old one perhaps.
    #[error("the message is more than five minutes old, or ahead")]
    Untimely,
    /// No signature is by one of the keys.
    #[error("no signature of the message is right")]
    Unsigned,
}

impl SigningKey {
    /// A new random key.
    #[must_use]
    pub fn generate() -> Self {
        Self(Secret::new(random::<SECRET_BYTES>().to_vec()))
    }

    /// Reads a key: `whsec_` and 24 to 64 bytes in base64.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.strip_prefix(KEY_PREFIX)?).ok()?;
        Self::from_bytes(bytes)
    }

    /// A key of 24 to 64 bytes, as [`Self::bytes`] gives them.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        KEY_BYTES
            .contains(&bytes.len())
            .then(|| Self(Secret::new(bytes)))
    }

    /// The key as [`Self::parse`] reads it, for the receiver.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{KEY_PREFIX}{}", STANDARD.encode(self.bytes()))
    }

    /// The key itself, for being kept.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.expose()
    }

    fn hmac(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.bytes())
    }
}

/// The header `webhook-signature` of a message: a signature by each key, so that a receiver that knows any of them believes it.
/// The time is in seconds since 1970, as in `webhook-timestamp`.
#[must_use]
pub fn sign(keys: &[SigningKey], id: &str, timestamp: i64, body: &[u8]) -> String {
    let signed = signed(id, &timestamp.to_string(), body);
    let signature = |key: &SigningKey| {
        let tag = hmac::sign(&key.hmac(), &signed);
        format!("{VERSION},{}", STANDARD.encode(tag))
    };
    let signatures: Vec<_> = keys.iter().map(signature).collect();
    signatures.join(" ")
}

/// Checks the headers `webhook-id`, `webhook-timestamp` and `webhook-signature` of a message: one of the signatures must be by
/// one of the keys, and the message of these minutes.
///
/// # Errors
/// [`Unverified`].
pub fn verify(
    keys: &[SigningKey],
    id: &str,
    timestamp: &str,
    signatures: &str,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<(), Unverified> {
    // A dot could move from the id into the body, and make the signature of one message that of another.
    if id.is_empty() || id.len() > MAX_ID_BYTES || id.contains('.') {
        return Err(Unverified::Malformed);
    }
    let is_number = timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let sent: i64 = timestamp.parse().map_err(|_| Unverified::Malformed)?;
    if !is_number || signatures.len() > MAX_SIGNATURES.1 {
        return Err(Unverified::Malformed);
    }
    if sent.abs_diff(now.timestamp()) > TOLERANCE_SECONDS {
        return Err(Unverified::Untimely);
    }
    let signatures: Vec<_> = signatures.split(' ').collect();
    if signatures.len() > MAX_SIGNATURES.0 {
        return Err(Unverified::Malformed);
    }
    let signed = signed(id, timestamp, body);
    let keys: Vec<_> = keys.iter().map(SigningKey::hmac).collect();
    let is_right = |tag: &Vec<u8>| {
        let mut keys = keys.iter();
        keys.any(|key| hmac::verify(key, &signed, tag).is_ok())
    };
    // Those of other kinds are left alone, as the standard asks.
    let mut tags = signatures.into_iter().filter_map(tag);
    if tags.any(|tag| is_right(&tag)) {
        Ok(())
    } else {
        Err(Unverified::Unsigned)
    }
}

fn tag(signature: &str) -> Option<Vec<u8>> {
    let (version, tag) = signature.split_once(',')?;
    (version == VERSION).then(|| STANDARD.decode(tag).ok())?
}

fn signed(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), timestamp.as_bytes(), body].join(&b'.')
}

#[cfg(test)]
mod tests;
