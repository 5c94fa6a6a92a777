//! Who is asking: token -> claims -> [`Actor`].
//!
//! A token says who somebody is and in which tenant; what they may do is their membership's business and is read
//! from the database ([`access`] remembers it), so that a suspended member is out at once and not when the token ends.

mod access;
mod actor;
mod api_key;
mod changes;
mod claims;
pub(crate) mod fetch;
mod foreign;
mod head;
pub(crate) mod kept;
pub mod keys;
mod oneself;
mod rights;
mod role;
pub(crate) mod secret;
mod token;
mod vault;

pub use access::Access;
pub use actor::{Actor, Author, Class, Place, Standing, Subject};
pub use api_key::ApiKeySecret;
pub use changes::{Changed, tell};
pub use claims::Claims;
pub(crate) use fetch::is_safe as is_safe_address;
pub use foreign::{Foreign, ForeignClaims, ForeignError, TenantName};
pub use keys::{KeyError, KeyRing};
pub(crate) use oneself::account_sign_in_required;
pub use oneself::{Oneself, Vouched};
pub(crate) use rights::KINDS;
pub use rights::{BadPermission, Rights, Scope, Sensitive};
pub use role::Role;
pub use token::{IssuedToken, TokenError, Tokens};
pub use vault::{BadVaultKey, Vault};
