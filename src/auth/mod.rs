//! Who is asking: token -> claims -> [`Actor`].
//!
//! A token says who somebody is and in which tenant; what they may do is their membership's business and is read
//! from the database (kept for a second), so that a suspended member is out at once and not when the token ends.

mod actor;
mod claims;
mod keys;
mod people;
mod permissions;
mod token;

pub use actor::{Actor, Author};
pub use claims::Claims;
pub use keys::{KeyError, Keys};
pub use people::People;
pub use permissions::{Role, Scope};
pub use token::{IssuedToken, TokenError, Tokens};
