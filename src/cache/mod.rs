//! What servers remember together in Redis, and each by itself while Redis is away.

mod counts;
mod presence;
pub mod throttle;

pub use presence::{Presences, Present, Stay};
pub use throttle::{Counter, Throttle};
