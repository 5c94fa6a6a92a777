//! What servers remember together in Redis, and each by itself while Redis is away.

mod budget;
mod client;
mod documents;
mod local_counts;
mod presence;
pub mod throttle;
mod tiered_cache;

pub use budget::{Allowance, Balance, Bucket, Budget, Overdrawn};
pub use documents::Texts;
pub use presence::{Presences, Present, Stay};
pub use throttle::{Counter, Throttle};
pub use tiered_cache::{Answers, Found, Place};
