//! Who is looking at a record now. Watching it is looking; who may not see the record is told nothing.

mod graphql;

pub use graphql::{PresenceQuery, PresenceSubscription, Viewing};
