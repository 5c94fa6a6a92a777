//! What servers remember together in Redis, and each by itself while Redis is away.

mod counts;
pub mod throttle;

pub use throttle::{Counter, Throttle};
