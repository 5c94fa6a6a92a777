//! What the jobs of tenants have in common that forget what is past its days, day after day while there is any.

use std::time::Duration;

use super::{Done, Policy};

/// How often it is looked for what is older.
pub const DAILY: Duration = Duration::from_secs(24 * 60 * 60);
/// How many are forgotten in one transaction.
pub const AT_ONCE: i64 = 1_000;
/// It never gives up: what is not forgotten today is tomorrow.
pub const POLICY: Policy = Policy {
    attempts: u32::MAX,
    ..Policy::USUAL
};

/// How such a job goes on that has forgotten so many, and knows whether there are others that will be old one day.
#[must_use]
pub fn after((forgotten, is_any_left): (u64, bool)) -> Done {
    if forgotten >= AT_ONCE.unsigned_abs() {
        return Done::Again(Duration::from_secs(1));
    }
    match is_any_left {
        true => Done::Again(DAILY),
        false => Done::quietly(),
    }
}
