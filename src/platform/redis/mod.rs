//! What servers remember together in Redis, and each by itself while Redis is away.

mod answers;
mod budget;
mod counts;
mod presence;
mod reach;
mod texts;
pub mod throttle;

pub use answers::{Answers, Found, Place};
pub use budget::{Allowance, Balance, Bucket, Budget, Overdrawn};
pub use presence::{Presences, Present, Stay};
pub use texts::Texts;
pub use throttle::{Counter, Throttle};
