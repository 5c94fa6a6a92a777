//! Data in bulk.

pub mod import;
