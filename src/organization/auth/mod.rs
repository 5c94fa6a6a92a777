//! Who the caller is: token -> claims -> [`Actor`].
//!
//! A token says who the caller is and in which tenant; their rights follow from their membership, which is read from the
//! database ([`access`] caches it), so that a suspended member is out at once and not when the token expires.

mod access;
mod api_key;
pub(crate) mod cached_document;
mod changes;
mod claims;
mod foreign;
mod header;
pub mod keys;
mod token;

pub use access::Access;
pub use api_key::ApiKeySecret;
pub use changes::{AccessChange, publish_access_change};
pub use claims::Claims;
pub use foreign::{Foreign, ForeignClaims, ForeignError, TenantName};
pub use keys::{KeyError, KeyRing};
pub use token::{IssuedToken, TokenError, TokenOptions, Tokens};
