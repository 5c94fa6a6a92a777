//! Bringing the data of other systems into a tenant, through the product's own verbs.
//!
//! An import reads files into rows, plans from them what is to be there (pure; ids are made from natural keys), and
//! creates what is not there yet on behalf of an admin of the tenant: the same checks, the same row-level security,
//! the same event log as for a person. Running it twice changes nothing.

mod batch;
mod error;
mod ids;
pub mod maven;
mod session;

pub use batch::{BATCH, Tally, create_missing};
pub use error::ImportError;
pub use ids::Ids;
pub use session::Session;
