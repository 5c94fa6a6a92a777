//! Making and checking access tokens (RFC 7519, RFC 8725). The only place that knows the token library.

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, Header, Validation, crypto};

use super::{Claims, Keys};
use crate::{
    clock::Clock,
    ids::{SessionId, TenantId, Typed as _, UserId},
};

/// No honest token is longer, in bytes.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// How far clocks may be apart, in seconds.
const LEEWAY_SECONDS: i64 = 5;

/// Why a token is refused. Clients are told no more than this; what exactly failed would help an attacker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is not a token of ours.
    #[error("the token is not valid")]
    Invalid,
    /// This server checks tokens of others and makes none.
    #[error("this server has no key to sign tokens with")]
    NoSigningKey,
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

/// Makes and checks access tokens.
pub struct Tokens {
    keys: Keys,
    issuer: String,
    audience: String,
    lifetime: TimeDelta,
    clock: Clock,
}

impl Tokens {
    /// Tokens of one issuer for one audience, checked to work once before anything relies on them.
    ///
    /// # Errors
    /// [`TokenError`] when the keys can't sign and check a token.
    pub fn new(
        keys: Keys,
        (issuer, audience): (String, String),
        lifetime: TimeDelta,
        clock: Clock,
    ) -> Result<Self, TokenError> {
        // With none or several of its crypto features on, the library panics at first use unless one is chosen.
        _ = crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let tokens = Self {
            keys,
            issuer,
            audience,
            lifetime,
            clock,
        };
        if tokens.keys.signing.is_some() {
            let probe = tokens.issue(UserId::new(), TenantId::new())?;
            tokens.verify(&probe.token)?;
        }
        Ok(tokens)
    }

    /// Signs an access token for a person in a tenant.
    ///
    /// # Errors
    /// [`TokenError::NoSigningKey`] for a server that only checks tokens, [`TokenError::Invalid`] when a key can't sign.
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
        let (kid, key) = self.keys.signing.as_ref().ok_or(TokenError::NoSigningKey)?;
        let now = self.clock.now();
        let expires_at = now + self.lifetime;
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: user.uuid(),
            tid: tenant.uuid(),
            sid: session.map(|session| session.uuid()),
            iat: now.timestamp(),
            nbf: None,
            exp: expires_at.timestamp(),
        };
        let header = Header {
            kid: Some(kid.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        let token = jsonwebtoken::encode(&header, &claims, key).map_err(|_| TokenError::Invalid)?;
        Ok(IssuedToken { token, expires_at })
    }

    /// Checks a token: size, key id, the key's own algorithm, signature, issuer, audience and times.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Invalid);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        let kid = header.kid.ok_or(TokenError::Invalid)?;
        let checking = self.keys.checking.get(&kid).ok_or(TokenError::Invalid)?;

        let mut validation = Validation::new(checking.algorithm);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        // Times are checked below, by our clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &checking.key, &validation)
            .map_err(|_| TokenError::Invalid)?
            .claims;

        let now = self.clock.now().timestamp();
        if claims
            .nbf
            .is_some_and(|nbf| nbf > now.saturating_add(LEEWAY_SECONDS))
        {
            return Err(TokenError::Invalid);
        }
        if claims.exp.saturating_add(LEEWAY_SECONDS) <= now {
            return Err(TokenError::Expired);
        }
        Ok(claims)
    }
}
