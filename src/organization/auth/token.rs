//! Making and checking access tokens (RFC 7519, RFC 8725). The only place that knows the token library.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, Header, Validation, crypto};

use super::{Claims, KeyRing, header};
use crate::base::{
    clock::Clock,
    ids::{SessionId, TenantId, Typed as _, UserId},
};

/// How far clocks may be apart, in seconds.
const LEEWAY_SECONDS: i64 = 5;

/// Why a token is refused. Clients learn no more than this; what exactly failed would help an attacker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is not a token of ours.
    #[error("the token is not valid")]
    Invalid,
    /// It is signed by a key that this server does not know (yet).
    #[error("the token is not valid")]
    UnknownKey,
    /// This server has no key that signs.
    #[error("this server has no key to sign tokens with")]
    NoSigningKey,
    /// It will be one.
    #[error(
        "the token is not valid yet: the clocks of this server and of the one that made it differ"
    )]
    Early,
    /// It was one.
    #[error("the token has expired, get a new one")]
    Expired,
}

/// A new token and when it ends.
#[derive(Debug, Clone)]
pub struct IssuedToken {
    /// The token, to be sent as `Authorization: Bearer …`.
    pub token: String,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// What all access tokens of a server have in common.
#[derive(Debug, Clone)]
pub struct TokenOptions {
    /// The `iss` that they carry.
    pub issuer: String,
    /// The `aud` that they carry.
    pub audience: String,
    /// How long they last.
    pub lifetime: TimeDelta,
}

/// Makes and checks access tokens.
pub struct Tokens {
    ring: Arc<KeyRing>,
    options: TokenOptions,
    clock: Clock,
}

impl Tokens {
    /// Tokens of one issuer for one audience, checked to work once before anything relies on them.
    ///
    /// # Errors
    /// [`TokenError`] when the keys can't sign and check a token.
    pub fn new(
        ring: Arc<KeyRing>,
        options: TokenOptions,
        clock: Clock,
    ) -> Result<Self, TokenError> {
        // With none or several of its crypto features on, the library panics at first use unless one is chosen.
        _ = crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let tokens = Self {
            ring,
            options,
            clock,
        };
        let probe = tokens.issue(UserId::new(), TenantId::new())?;
        tokens.verify(&probe.token)?;
        Ok(tokens)
    }

    /// The keys.
    #[must_use]
    pub fn ring(&self) -> &Arc<KeyRing> {
        &self.ring
    }

    /// Who makes the tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.options.issuer
    }

    /// The time that tokens are checked by.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Signs an access token for a person in a tenant.
    ///
    /// # Errors
    /// [`TokenError::NoSigningKey`], [`TokenError::Invalid`] when a key can't sign.
    pub fn issue(&self, user: UserId, tenant: TenantId) -> Result<IssuedToken, TokenError> {
        self.sign(user, tenant, None)
    }

    /// Signs an access token for a signed-in device.
    ///
    /// # Errors
    /// As [`Self::issue`].
    pub fn issue_for(
        &self,
        session: SessionId,
        user: UserId,
        tenant: TenantId,
    ) -> Result<IssuedToken, TokenError> {
        self.sign(user, tenant, Some(session))
    }

    fn sign(
        &self,
        user: UserId,
        tenant: TenantId,
        session: Option<SessionId>,
    ) -> Result<IssuedToken, TokenError> {
        let now = self.clock.now();
        let expires_at = now + self.options.lifetime;
        let claims = Claims {
            iss: self.options.issuer.clone(),
            aud: self.options.audience.clone(),
            sub: user.uuid(),
            tid: tenant.uuid(),
            sid: session.map(|session| session.uuid()),
            iat: now.timestamp(),
            nbf: None,
            exp: expires_at.timestamp(),
        };
        let signed = self.ring.with_signing_key(now, |kid, key| {
            let header = Header {
                kid: Some(kid.to_owned()),
                ..Header::new(Algorithm::EdDSA)
            };
            jsonwebtoken::encode(&header, &claims, key)
        });
        let token = signed
            .ok_or(TokenError::NoSigningKey)?
            .map_err(|_| TokenError::Invalid)?;
        Ok(IssuedToken { token, expires_at })
    }

    /// Checks a token: size, header, the key's own algorithm, signature, claims, issuer, audience and times.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        let kid = header::read(token).ok_or(TokenError::Invalid)?.kid;
        self.verify_by(token, &kid)
    }

    /// The same, and an unknown key is looked up in the database once. Answers the key's id too.
    pub(super) async fn verify_or_search(
        &self,
        token: &str,
    ) -> Result<(Claims, String), TokenError> {
        let kid = header::read(token).ok_or(TokenError::Invalid)?.kid;
        let claims = match self.verify_by(token, &kid) {
            Err(TokenError::UnknownKey) if self.ring.search(&kid).await => {
                self.verify_by(token, &kid)
            }
            done => done,
        };
        Ok((claims?, kid))
    }

    /// Whether claims that were verified before are still valid.
    pub(super) fn check_again(&self, claims: &Claims, kid: &str) -> Result<(), TokenError> {
        let now = self.clock.now();
        self.ring
            .with_key(kid, now, |_| ())
            .ok_or(TokenError::UnknownKey)?;
        check_times(claims, now)
    }

    fn verify_by(&self, token: &str, kid: &str) -> Result<Claims, TokenError> {
        let now = self.clock.now();
        let decoded = self.ring.with_key(kid, now, |checking| {
            let mut validation = Validation::new(checking.algorithm);
            validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
            validation.set_issuer(&[&self.options.issuer]);
            validation.set_audience(&[&self.options.audience]);
            // Times are checked below, by our clock.
            validation.validate_exp = false;
            validation.validate_nbf = false;
            jsonwebtoken::decode::<Claims>(token, &checking.key, &validation)
        });
        let claims = decoded
            .ok_or(TokenError::UnknownKey)?
            .map_err(|_| TokenError::Invalid)?
            .claims;
        check_times(&claims, now)?;
        Ok(claims)
    }
}

fn check_times(claims: &Claims, now: DateTime<Utc>) -> Result<(), TokenError> {
    let (now, latest) = (
        now.timestamp(),
        now.timestamp().saturating_add(LEEWAY_SECONDS),
    );
    if claims.iat > latest || claims.nbf.is_some_and(|nbf| nbf > latest) {
        return Err(TokenError::Early);
    }
    if claims.exp.saturating_add(LEEWAY_SECONDS) <= now {
        return Err(TokenError::Expired);
    }
    Ok(())
}
