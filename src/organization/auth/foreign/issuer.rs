//! One outside issuer: the keys it publishes, and what of a token is believed.

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, Header, Validation};
use serde_json::Value;

use super::{
    super::cached_document::CachedDocument,
    ForeignClaims, ForeignError, TenantName,
    claims::AnyClaims,
    jwks::{IssuerKey, Jwks},
};
use crate::{
    base::clock::Clock,
    organization::identities::{IssuerConfig, TenantClaim},
    platform::outbound::{Fetch, FetchError},
};

/// How far clocks may be apart, in seconds.
const LEEWAY_SECONDS: i64 = 5;
/// What an access token may call itself (RFC 9068, section 2.1; RFC 7519, section 5.1). A token that says it is for
/// something else, such as a logout, is not one.
const TYPES: [&str; 3] = ["jwt", "at+jwt", "application/at+jwt"];

/// An issuer whose access tokens are taken.
pub(super) struct Issuer {
    config: IssuerConfig,
    keys: CachedDocument<Jwks>,
    clock: Clock,
}

impl Issuer {
    pub(super) fn new(config: IssuerConfig, clock: Clock) -> Result<Self, FetchError> {
        let address = config.jwks_url.url().clone();
        let fetch = Fetch::from(&address)?;
        let allowed: Vec<Algorithm> = config.algorithms.iter().map(|name| name.used()).collect();
        let what = format!("the keys of {}", config.issuer.as_str());
        let keys = CachedDocument::new(what, clock.clone(), move || {
            let (fetch, address, allowed) = (fetch.clone(), address.clone(), allowed.clone());
            async move {
                let bytes = fetch.get(&address).await?;
                Jwks::read(&bytes, &allowed).map_err(FetchError::Content)
            }
        });
        Ok(Self {
            config,
            keys,
            clock,
        })
    }

    pub(super) fn name(&self) -> &str {
        self.config.issuer.as_str()
    }

    /// Whether it publishes keys that can be used.
    pub(super) async fn has_keys(&self) -> bool {
        let keys = self.keys.get().await;
        keys.is_some_and(|keys| !keys.is_empty())
    }

    /// Checks a token that claims to be this issuer's.
    pub(super) async fn verify(&self, token: &str) -> Result<ForeignClaims, ForeignError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| ForeignError::Invalid)?;
        if !is_plain(token, &header) {
            return Err(ForeignError::Invalid);
        }
        let id = header.kid.as_deref();
        let mut keys = self.keys.get().await.ok_or(ForeignError::Unavailable)?;
        if !keys.knows(id)
            && let Some(newer) = self.keys.newer(&keys).await
        {
            keys = newer;
        }
        let key = keys.find(id, header.alg).ok_or(ForeignError::Invalid)?;
        self.believe(&signed(token, key)?)
    }

    fn believe(&self, claims: &AnyClaims) -> Result<ForeignClaims, ForeignError> {
        let names = &self.config.claims;
        if claims.text("iss") != Some(self.name()) || !claims.names("aud", &self.config.audience) {
            return Err(ForeignError::Invalid);
        }
        let expires_at = self.in_time(claims)?;
        let subject = claims.text(&names.subject).ok_or(ForeignError::Invalid)?;
        let tenant = match &names.tenant {
            TenantClaim::Fixed { fixed } => fixed.as_str(),
            TenantClaim::Named(name) => claims.text(name).ok_or(ForeignError::Invalid)?,
        };
        let email = claims
            .text(&names.email)
            .filter(|_| claims.is_true(&names.email_verified));
        Ok(ForeignClaims {
            issuer: self.name().to_owned(),
            subject: subject.to_owned(),
            verified_email: email.map(str::to_owned),
            tenant: TenantName::read(tenant),
            expires_at,
        })
    }

    fn in_time(&self, claims: &AnyClaims) -> Result<DateTime<Utc>, ForeignError> {
        let now = self.clock.now().timestamp();
        if claims.0.contains_key("nbf") {
            let from = claims.seconds("nbf").ok_or(ForeignError::Invalid)?;
            if from > now + LEEWAY_SECONDS {
                return Err(ForeignError::Invalid);
            }
        }
        let until = claims.seconds("exp").ok_or(ForeignError::Invalid)?;
        if until.saturating_add(LEEWAY_SECONDS) <= now {
            return Err(ForeignError::Expired);
        }
        DateTime::from_timestamp(until, 0).ok_or(ForeignError::Invalid)
    }
}

/// Whether the header asks for nothing that we don't know: an extension it calls critical, or another kind of token.
fn is_plain(token: &str, header: &Header) -> bool {
    let typed = header
        .typ
        .as_ref()
        .is_none_or(|typ| TYPES.contains(&typ.to_ascii_lowercase().as_str()));
    let critical =
        super::segment::<Value>(token, 0).is_none_or(|header| header.get("crit").is_some());
    typed && !critical
}

/// The claims of a token that the key has signed by one of its own algorithms.
fn signed(token: &str, key: &IssuerKey) -> Result<AnyClaims, ForeignError> {
    let mut validation = Validation::new(key.algorithms[0]);
    validation.algorithms.clone_from(&key.algorithms);
    // What the claims say is judged by ourselves, by our clock and by the operator's names.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    jsonwebtoken::decode::<AnyClaims>(token, &key.key, &validation)
        .map(|token| token.claims)
        .map_err(|_| ForeignError::Invalid)
}
