//! The company as a customer: people, sessions, tenants, members, roles, keys, and the audit log.

pub mod accounts;
pub mod api_keys;
pub mod audit;
pub mod auth;
pub mod identities;
pub mod inbound;
pub mod jobs;
pub mod members;
pub mod roles;
pub mod second_factor;
pub mod tenants;
pub mod webhooks;

use crate::base::entities::entities;

macro_rules! records {
    (targets $targets:tt owned $owned:tt shared $shared:tt within $within:tt organization { $($entries:tt)* } $($others:tt)*) => {
        $crate::db::register! { $($entries)* }
    };
}
entities!(records);
