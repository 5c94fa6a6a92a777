//! Tenants: the companies that work with Dealgraph, each closed off from the others.

mod graphql;
mod model;

pub use graphql::TenantQuery;
pub use model::{Tenant, TenantStatus, own};
