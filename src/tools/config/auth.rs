//! The settings of access tokens.

use std::{path::PathBuf, time::Duration};

use super::reader::Reader;
use crate::{base::secret::Secret, platform::Vault};

/// Access tokens, and what their keys are kept by.
#[derive(Debug, Clone)]
pub struct AuthConfig {
    /// The `iss` that tokens carry.
    pub issuer: String,
    /// The `aud` that tokens carry.
    pub audience: String,
    /// What seals secrets in the database: keys of 32 bytes in base64, separated by commas; the first one seals.
    pub encryption_keys: Option<Secret<String>>,
    /// The secret of HS256; tokens of that algorithm are refused without it.
    pub hs256_secret: Option<Secret<String>>,
    /// The file that names outside providers and issuers, if there is one.
    pub identity_file: Option<PathBuf>,
    /// Life of an access token.
    pub token_ttl: Duration,
}

impl AuthConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let ttl_s = reader.number("DEALGRAPH_AUTH_TOKEN_TTL_S", 10..=86_400);
        Self {
            issuer: reader.name("DEALGRAPH_AUTH_ISSUER"),
            audience: reader.name("DEALGRAPH_AUTH_AUDIENCE"),
            encryption_keys: reader.secret(
                "DEALGRAPH_ENCRYPTION_KEYS",
                "32 random bytes in base64, as `openssl rand -base64 32` prints them; several with commas between",
                |value| Vault::new(value).is_ok(),
            ),
            hs256_secret: reader.secret(
                "DEALGRAPH_AUTH_HS256_SECRET",
                "a random text of at least 32 bytes",
                |value| value.len() >= 32,
            ),
            identity_file: reader.optional("DEALGRAPH_IDENTITY_FILE", "a path", |value| {
                Some(value.into())
            }),
            token_ttl: Duration::from_secs(ttl_s.into()),
        }
    }
}
