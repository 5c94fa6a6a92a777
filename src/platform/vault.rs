//! Keeping secrets in the database that must be read again: AES-256-GCM under keys that only the configuration has.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey},
    hmac,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::base::error::{Error, Result};

/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Bytes of a nonce, which stands before the sealed bytes.
const NONCE_BYTES: usize = 12;
/// What the keys for short-lived data are derived with.
const PASSING: &[u8] = b"dealgraph: what is kept for a while";

/// Seals and opens secrets. The first key seals; all of them open, so that a key can be replaced.
pub struct Vault {
    keys: Vec<RandomizedNonceKey>,
    /// Derived from these, for what is sealed by the million: nonces are random and may repeat in the end.
    passing: Vec<RandomizedNonceKey>,
}

/// A key that is not 32 bytes in base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an encryption key is 32 random bytes in base64, as `openssl rand -base64 32` prints them")]
pub struct BadVaultKey;

impl Vault {
    /// A vault with keys in base64, separated by commas; the first one seals.
    ///
    /// # Errors
    /// [`BadVaultKey`].
    pub fn new(keys: &str) -> Result<Self, BadVaultKey> {
        let key = |text: &str| {
            let bytes = STANDARD.decode(text.trim()).map_err(|_| BadVaultKey)?;
            if bytes.len() != KEY_BYTES {
                return Err(BadVaultKey);
            }
            let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &bytes), PASSING);
            let key = |bytes: &[u8]| {
                RandomizedNonceKey::new(&AES_256_GCM, bytes).map_err(|_| BadVaultKey)
            };
            Ok((key(&bytes)?, key(derived.as_ref())?))
        };
        let keys = keys.split(',').map(key).collect::<Result<Vec<_>, _>>()?;
        let (keys, passing) = keys.into_iter().unzip();
        Ok(Self { keys, passing })
    }

    /// A new random key, as [`Self::new`] takes it.
    #[must_use]
    pub fn generate_key() -> String {
        STANDARD.encode(crate::base::secret::random::<KEY_BYTES>())
    }

    /// Seals a secret for a place: what is sealed for one person's row does not open in another's.
    ///
    /// # Errors
    /// A fault of the cryptography library.
    pub fn seal(&self, place: &str, secret: &[u8]) -> Result<Vec<u8>> {
        seal(&self.keys[0], place, secret)
    }

    /// Seals short-lived data outside of the database, by a key of its own.
    ///
    /// # Errors
    /// As [`Self::seal`].
    pub fn seal_passing(&self, place: &str, text: &[u8]) -> Result<Vec<u8>> {
        seal(&self.passing[0], place, text)
    }

    /// Opens what was sealed for the same place.
    ///
    /// # Errors
    /// An internal error when it was sealed for another place, by an unknown key, or was changed.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        open(&self.keys, place, sealed).ok_or_else(|| {
            Error::internal(
                "a sealed secret does not open: is its encryption key still configured?",
            )
        })
    }

    /// Opens what was sealed by [`Self::seal_passing`] for the same place; `None` when it was sealed otherwise or changed.
    #[must_use]
    pub fn open_passing(&self, place: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        open(&self.passing, place, sealed)
    }
}

fn seal(key: &RandomizedNonceKey, place: &str, secret: &[u8]) -> Result<Vec<u8>> {
    let mut sealed = secret.to_vec();
    let nonce = key
        .seal_in_place_append_tag(Aad::from(place), &mut sealed)
        .map_err(|_| Error::internal("a secret can't be sealed"))?;
    Ok([nonce.as_ref().as_slice(), &sealed].concat())
}

fn open(keys: &[RandomizedNonceKey], place: &str, sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES)?;
    keys.iter().find_map(|key| {
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut bytes = sealed.to_vec();
        let secret = key
            .open_in_place(nonce, Aad::from(place), &mut bytes)
            .ok()?;
        Some(secret.to_vec())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_where_it_was_sealed_and_after_the_key_was_replaced() {
        let (old, new) = (Vault::generate_key(), Vault::generate_key());
        let sealed = Vault::new(&old)
            .expect("a key")
            .seal("user:1", b"secret")
            .expect("sealed");
        assert!(!sealed.windows(6).any(|bytes| bytes == b"secret"));
        let replaced = Vault::new(&format!("{new},{old}")).expect("two keys");
        assert_eq!(replaced.open("user:1", &sealed).expect("opened"), b"secret");
        assert!(replaced.open("user:2", &sealed).is_err());
        assert!(
            Vault::new(&new)
                .expect("a key")
                .open("user:1", &sealed)
                .is_err()
        );
        let mut changed = sealed.clone();
        changed[20] ^= 1;
        assert!(replaced.open("user:1", &changed).is_err());
        assert!(replaced.open("user:1", b"short").is_err());
    }

    #[test]
    fn anything_but_32_bytes_in_base64_is_no_key() {
        for bad in ["", "c2hvcnQ=", "not base64", ","] {
            assert!(Vault::new(bad).is_err(), "{bad}");
        }
    }
}
