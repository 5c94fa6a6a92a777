//! Data in bulk.

pub mod figures;
pub mod import;
