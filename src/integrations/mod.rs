//! Integrations: records kept in step with services elsewhere.
//! - [`provider`]: the contract. A service is a [`provider::Provider`], and all that is the same for each of them is not
//!   its business: credentials, budgets, checkpoints, links, retries, history.
//! - [`accounts`]: the accounts that tenants and people have at services, connected and disconnected.
//! - [`sync`]: bringing records in step, both ways, with a history of how it went.
//!
//! # What holds
//! - What comes from a service is written with the rights, as they are now, of whoever connected the account, in the
//!   account's own name (`integration:<id>`). Rights that end, end it.
//! - A page of records, the links to them and how far the service has been read are one transaction. Whatever dies, the
//!   next attempt goes on where that was committed; of two workers on one kind only the later one can write.
//! - No transaction is open while a service is asked.
//! - A service is asked by all servers together no more often than its budget lets, and not at all while it wants a pause.
//! - An account says how it is: since when it fails and why, or since when somebody has to authorise it again.

pub mod accounts;
pub mod provider;
pub mod sync;

use crate::base::entities::entities;

macro_rules! records {
    (
        targets $targets:tt owned $owned:tt shared $shared:tt within $within:tt organization $organization:tt
        integrations { $($entries:tt)* }
    ) => {
        $crate::db::register! { $($entries)* }
    };
}
entities!(records);
