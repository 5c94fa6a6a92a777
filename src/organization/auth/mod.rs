//! Who is asking: token -> claims -> [`Actor`].
//!
//! A token says who somebody is and in which tenant; what they may do is their membership's business and is read
//! from the database ([`access`] remembers it), so that a suspended member is out at once and not when the token ends.

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
pub use changes::{Changed, tell};
pub use claims::Claims;
pub use foreign::{Foreign, ForeignClaims, ForeignError, TenantName};
pub use keys::{KeyError, KeyRing};
pub use token::{IssuedToken, TokenError, Tokens};
