//! What is left of the points that requests cost.

use async_graphql::SimpleObject;

use crate::{access::Actor, platform::redis::Balance};

/// What is left of what you, or all of your tenant together, may ask for.
#[derive(Debug, Clone, Copy, SimpleObject)]
pub struct RateLimit {
    /// The most points there can be.
    limit: i32,
    /// How many there are now.
    remaining: i32,
    /// How many come back each second.
    restore_rate: i32,
}

impl From<Balance> for RateLimit {
    fn from(balance: Balance) -> Self {
        let number = |points: u64| i32::try_from(points).unwrap_or(i32::MAX);
        Self {
            limit: number(balance.allowance.burst),
            remaining: number(balance.available),
            restore_rate: number(balance.allowance.per_second),
        }
    }
}

/// Who knows what is left; in the schema's data as `Arc<dyn Balances>`.
pub trait Balances: Send + Sync {
    /// How the actor's own bucket stands, and the tenant's.
    fn balances(&self, actor: &Actor) -> [RateLimit; 2];
}
