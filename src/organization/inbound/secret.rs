//! What messages are verified with: made here or given by the sender's side, sealed in the row.

use super::model::InboundVerification;
use crate::{
    base::{
        error::{Error, Result},
        ids::{InboundEndpointId, TenantId, Typed as _},
        secret::{self, Secret},
    },
    platform::{Vault, standard_webhooks::SigningKey},
};

/// Bytes of a secret that a sender gave.
const GIVEN: std::ops::RangeInclusive<usize> = 16..=512;

/// The secret of an endpoint, as its sender writes it.
#[derive(Debug, Clone)]
pub struct EndpointSecret(Secret<String>);

impl EndpointSecret {
    /// The one that was given, or a new one where the sender takes ours.
    ///
    /// # Errors
    /// `INVALID_SECRET`; `BLANK` where only the sender has one to give.
    pub(super) fn new(kind: InboundVerification, given: Option<String>) -> Result<Self> {
        let bad = |message: &str| Err(Error::invalid("INVALID_SECRET", "secret", message));
        let text = match (kind, given) {
            (InboundVerification::StandardWebhooks, Some(text)) => match SigningKey::parse(&text) {
                Some(_) => text,
                None => return bad("expected whsec_ and 24 to 64 bytes in base64"),
            },
            (InboundVerification::StandardWebhooks, None) => SigningKey::generate().to_text(),
            (_, Some(text)) => {
                let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
                match is_plain && GIVEN.contains(&text.len()) {
                    true => text,
                    false => {
                        return bad("expected 16 to 512 characters of ASCII without spaces");
                    }
                }
            }
            (InboundVerification::Twilio, None) => {
                let message = "the auth token of the account at Twilio is needed";
                return Err(Error::invalid("BLANK", "secret", message));
            }
            (InboundVerification::HmacSha256 | InboundVerification::Basic, None) => {
                secret::token("")
            }
        };
        Ok(Self(Secret::new(text)))
    }

    /// The secret to hand out, once.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    pub(super) fn seal(&self, vault: &Vault, endpoint: Place) -> Result<Vec<u8>> {
        vault.seal(&endpoint.name(), self.expose().as_bytes())
    }
}

/// Where a secret is sealed: it opens in no other row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place(pub(super) TenantId, pub(super) InboundEndpointId);

impl Place {
    fn name(self) -> String {
        format!("inbound endpoint:{}:{}", self.0.uuid(), self.1.uuid())
    }

    pub(super) fn open(self, vault: &Vault, sealed: &[u8]) -> Result<Secret<String>> {
        let bytes = vault.open(&self.name(), sealed)?;
        let text = String::from_utf8(bytes).map_err(Error::internal)?;
        Ok(Secret::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_or_given_as_its_kind_has_it() {
        use InboundVerification as Kind;
        let code = |kind, given: Option<&str>| {
            let made = EndpointSecret::new(kind, given.map(str::to_owned));
            made.err().map(|error| error.code())
        };
        let made = EndpointSecret::new(Kind::StandardWebhooks, None).expect("a secret");
        assert!(SigningKey::parse(made.expose()).is_some());
        assert_eq!(code(Kind::StandardWebhooks, Some(made.expose())), None);
        assert_eq!(
            code(Kind::StandardWebhooks, Some("whsec_c2hvcnQ=")),
            Some("INVALID_SECRET")
        );
        assert_eq!(code(Kind::HmacSha256, None), None);
        assert_eq!(
            code(Kind::HmacSha256, Some("short")),
            Some("INVALID_SECRET")
        );
        assert_eq!(
            code(Kind::Basic, Some("a password of words")),
            Some("INVALID_SECRET")
        );
        assert_eq!(code(Kind::Twilio, None), Some("BLANK"));
        assert_eq!(format!("{made:?}"), "EndpointSecret(***)");
    }
}
