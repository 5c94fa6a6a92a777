//! One Ed25519 key pair, and its forms: raw bytes in the database, PKCS#8 under the seal.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};

use super::{VerificationKey, store::NewKey};
use crate::{
    base::error::{Error, Result},
    platform::Vault,
};

/// A key as the server uses it.
pub(super) struct Pair {
    pub(super) checking: VerificationKey,
    /// Missing when the seal does not open: such a key checks and does not sign.
    pub(super) signing: Option<EncodingKey>,
    /// The public half in base64url, as RFC 8037 publishes it.
    pub(super) x: String,
}

impl Pair {
    /// Puts a key together from its row; `None` when the public half is no key.
    pub(super) fn read(kid: &str, public: &[u8], sealed: &[u8], vault: &Vault) -> Option<Self> {
        let x = URL_SAFE_NO_PAD.encode(public);
        let key = (public.len() == 32).then(|| DecodingKey::from_ed_components(&x))?;
        let opened = vault.open(&place(kid), sealed).ok();
        // The seal proves who wrote the private half; this proves that it belongs to the public one.
        let private = opened.filter(|der| {
            Ed25519KeyPair::from_pkcs8(der).is_ok_and(|pair| pair.public_key().as_ref() == public)
        });
        Some(Self {
            checking: VerificationKey {
                algorithm: Algorithm::EdDSA,
                key: key.ok()?,
            },
            signing: private.map(|der| EncodingKey::from_ed_der(&der)),
            x,
        })
    }
}

/// Makes a new key, sealed for its row.
pub(super) fn generate(vault: &Vault) -> Result<NewKey> {
    let fault = |_| Error::internal("a signing key can't be made");
    let pair = Ed25519KeyPair::generate().map_err(fault)?;
    let der = pair.to_pkcs8v1().map_err(fault)?;
    let kid = crate::base::ids::mint().simple().to_string();
    Ok(NewKey {
        private_key: vault.seal(&place(&kid), der.as_ref())?,
        public_key: pair.public_key().as_ref().to_vec(),
        kid,
    })
}

/// What a private key is sealed for.
fn place(kid: &str) -> String {
    format!("signing_key:{kid}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_another_row_or_another_seal_does_not_sign() {
        let vault = Vault::new(&Vault::generate_key()).expect("a key");
        let (one, two) = (
            generate(&vault).expect("made"),
            generate(&vault).expect("made"),
        );
        let signs = |kid: &str, public: &[u8], private: &[u8], vault: &Vault| {
            Pair::read(kid, public, private, vault).map(|pair| pair.signing.is_some())
        };
        let own = |vault| signs(&one.kid, &one.public_key, &one.private_key, vault);
        assert_eq!(own(&vault), Some(true));
        let other = Vault::new(&Vault::generate_key()).expect("a key");
        assert_eq!(own(&other), Some(false));
        let moved = signs(&two.kid, &one.public_key, &one.private_key, &vault);
        assert_eq!(moved, Some(false));
        let resealed = vault
            .seal(
                &place(&two.kid),
                &vault.open(&place(&one.kid), &one.private_key).expect("own"),
            )
            .expect("sealed");
        let swapped = signs(&two.kid, &two.public_key, &resealed, &vault);
        assert_eq!(swapped, Some(false));
        assert_eq!(signs(&one.kid, b"short", &one.private_key, &vault), None);
    }
}
