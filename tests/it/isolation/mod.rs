//! Tenants are closed off from each other, and rows within a tenant follow role and owner. Postgres does it.

mod api;
mod catalogue;
pub(crate) mod claims;
pub(crate) mod crawl;
mod matrix;
