//! What servers remember together in Redis, and each by itself while Redis is away.

mod budget;
mod counts;
mod presence;
mod reach;
pub mod throttle;

pub use budget::{Allowance, Balance, Bucket, Budget, Overdrawn};
pub use presence::{Presences, Present, Stay};
pub use throttle::{Counter, Throttle};
