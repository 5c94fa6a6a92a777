//! Secrets: a value that can be used but not shown, so that no log line, panic or error text gives it away; random ones for
//! clients, and what the database keeps of those. They hold 256 random bits, so a plain hash cannot be guessed back, and
//! looking it up by the hash compares nothing byte by byte.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand_core::{OsRng, TryRngCore as _};
use sha2::{Digest as _, Sha256};

/// A secret. Printing it, alone or inside another value, shows `***`.
#[derive(Clone)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps a secret.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself; the caller hands it to what needs it and to nothing else.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Bytes of a secret.
pub(crate) const SECRET_BYTES: usize = 32;

/// So many bytes from the operating system.
///
/// # Panics
/// When the operating system has no randomness; nothing safe can be done then.
#[must_use]
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    OsRng
        .try_fill_bytes(&mut bytes)
        .expect("the operating system gives random bytes");
    bytes
}

/// A new secret for a client: a prefix that identifies its kind, and random bytes in base64url.
#[must_use]
pub(crate) fn token(prefix: &str) -> String {
    format!(
        "{prefix}{}",
        URL_SAFE_NO_PAD.encode(random::<SECRET_BYTES>())
    )
}

/// What is stored of a secret.
#[must_use]
pub(crate) fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printing_a_secret_shows_stars_also_inside_another_value() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(
            format!("{:?} {:#?}", Some(&secret), secret),
            "Some(***) ***"
        );
        assert_eq!(secret.expose(), "hunter2");
    }
}
