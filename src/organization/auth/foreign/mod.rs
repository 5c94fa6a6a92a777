//! Access tokens that other issuers made: whose they are, checked by the keys that the issuer publishes.
//!
//! Such a token names a person at the issuer; which person of ours that is, and what they may do, is read from the
//! database.

mod claims;
mod issuer;
mod jwks;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, crypto};
use serde::{Deserialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{
    base::{clock::Clock, error::Error},
    organization::identities::{IssuerConfig, SigningAlgorithm},
    platform::outbound::FetchError,
};
use issuer::Issuer;

/// No legitimate token is longer, in bytes.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Why a token of another issuer is refused. Clients learn no more than this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ForeignError {
    /// It is not a token of an issuer that is known, for us.
    #[error("the token is not valid")]
    Invalid,
    /// It was one.
    #[error("the token has expired, get a new one")]
    Expired,
    /// The issuer's keys could never be read, or not for hours.
    #[error("the issuer of the token does not answer")]
    Unavailable,
}

impl From<ForeignError> for Error {
    fn from(error: ForeignError) -> Self {
        match error {
            ForeignError::Invalid => Self::Unauthenticated("the token is not valid"),
            ForeignError::Expired => Self::Unauthenticated("the token has expired, get a new one"),
            ForeignError::Unavailable => Self::Unavailable("the issuer of the token"),
        }
    }
}

/// How a token names a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TenantName {
    /// By its id.
    Id(Uuid),
    /// By its slug.
    Slug(String),
}

impl TenantName {
    fn read(text: &str) -> Self {
        match text.parse() {
            Ok(id) => Self::Id(id),
            Err(_) => Self::Slug(text.to_owned()),
        }
    }
}

/// The verified claims of another issuer's token.
#[derive(Debug, Clone)]
pub struct ForeignClaims {
    /// Who made it.
    pub issuer: String,
    /// Whom it is about, by the issuer's name for them.
    pub subject: String,
    /// The person's e-mail address, if the issuer says that it checked it.
    pub verified_email: Option<String>,
    /// The tenant it opens.
    pub tenant: TenantName,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// The issuers whose access tokens are taken beside our own.
#[derive(Default)]
pub struct Foreign {
    issuers: Vec<Issuer>,
}

impl Foreign {
    /// Takes tokens of these issuers. Nothing is asked yet.
    ///
    /// # Errors
    /// The machine has no certificates to trust.
    pub fn new(issuers: Vec<IssuerConfig>, clock: &Clock) -> Result<Self, std::io::Error> {
        _ = crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let issuer = |config| Issuer::new(config, clock.clone());
        let issuers: Result<_, FetchError> = issuers.into_iter().map(issuer).collect();
        Ok(Self {
            issuers: issuers.map_err(std::io::Error::other)?,
        })
    }

    /// Asks each issuer for its keys, and says which have some that can be used, by their names.
    pub(crate) async fn examine(&self) -> Vec<(String, bool)> {
        let mut answered = Vec::new();
        for issuer in &self.issuers {
            answered.push((format!("issuer {}", issuer.name()), issuer.has_keys().await));
        }
        answered
    }

    /// Checks a token: size, algorithm and signature by the issuer's own keys, issuer, audience and times.
    ///
    /// # Errors
    /// [`ForeignError`].
    pub async fn verify(&self, token: &str) -> Result<ForeignClaims, ForeignError> {
        let issuer = self.issuer_of(token).ok_or(ForeignError::Invalid)?;
        issuer.verify(token).await
    }

    /// What the token says of its maker only selects whose keys it has to fit.
    fn issuer_of(&self, token: &str) -> Option<&Issuer> {
        #[derive(Deserialize)]
        struct Maker {
            iss: String,
        }
        if self.issuers.is_empty() || token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let maker: Maker = segment(token, 1)?;
        self.issuers
            .iter()
            .find(|issuer| issuer.name() == maker.iss)
    }
}

/// A part of a token, unchecked.
fn segment<T: DeserializeOwned>(token: &str, which: usize) -> Option<T> {
    let part = token.split('.').nth(which)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

impl SigningAlgorithm {
    fn used(self) -> Algorithm {
        match self {
            Self::RS256 => Algorithm::RS256,
            Self::RS384 => Algorithm::RS384,
            Self::RS512 => Algorithm::RS512,
            Self::PS256 => Algorithm::PS256,
            Self::PS384 => Algorithm::PS384,
            Self::PS512 => Algorithm::PS512,
            Self::ES256 => Algorithm::ES256,
            Self::ES384 => Algorithm::ES384,
            Self::EdDSA => Algorithm::EdDSA,
        }
    }
}
