//! What servers share through Redis, and keep by themselves while Redis is unavailable.

mod address;
mod budget;
mod client;
mod documents;
mod local_counts;
mod presence;
pub mod probe;
pub mod throttle;
mod tiered_cache;

pub use address::RedisAddress;
pub use budget::{Allowance, Balance, Bucket, Budget, Overdrawn};
pub use documents::DocumentStore;
pub use presence::{PresenceGuard, Presences, Viewer};
pub use throttle::{Counter, Throttle};
pub use tiered_cache::{CacheKey, Lookup, TieredCache};
