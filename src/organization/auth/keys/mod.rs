//! The keys that access tokens are signed with and checked by. They live in the database, the private halves sealed by
//! the [`Vault`], so that all servers have the same ones and a rotation needs no restart.
//!
//! A key is known to all servers for a while before it signs (`signs_from`), and checks until the last token that it
//! signed has ended (`checks_until`). Its algorithm is its own and never a token's choice. A `kid` is looked up in a map
//! and nowhere else.

mod examine;
mod pair;
mod published;
mod ring;
mod rotate;
mod store;

use jsonwebtoken::{Algorithm, DecodingKey};

pub use examine::{ExaminedKey, examine};
pub(crate) use published::router;
pub use ring::KeyRing;
pub use rotate::{KeyState, KnownKey, list, retire, rotate};

use crate::base::error::Error;
#[cfg(doc)]
use crate::platform::Vault;

/// The key id of tokens that are signed with a shared secret.
const SHARED: &str = "hs256";

/// Why keys could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The database refused or does not answer.
    #[error("{0}")]
    Database(#[from] Error),
    /// None of the private keys opens.
    #[error(
        "no signing key in the database opens: is the encryption key that sealed them still in DEALGRAPH_ENCRYPTION_KEYS?"
    )]
    Sealed,
    /// There is no key of that id.
    #[error("there is no signing key {0:?} that is still in use")]
    Unknown(String),
}

/// What checks a token: a key with the only algorithm it is used for.
pub(super) struct VerificationKey {
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}
