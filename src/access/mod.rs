//! Who acts and what they may: [`Actor`], their [`Rights`], the built-in [`Role`]s, and which values are sensitive. Pure:
//! nothing here asks a database.

mod actor;
mod kind;
mod oneself;
mod rights;
mod role;
mod sensitivity;

pub use actor::{Actor, Author, Class, Membership, Standing, Subject};
pub(crate) use kind::access;
pub use kind::{Access, RecordKind};
pub(crate) use oneself::account_sign_in_required;
pub use oneself::{Oneself, Vouched};
pub use rights::{BadPermission, Rights, Scope, Sensitive};
pub use role::Role;
pub use sensitivity::Sensitivity;
