//! Rate limits in points: token buckets, shared by all servers.
//!
//! Redis keeps the bucket. A server leases points from it and spends those locally, so that most requests cost no round
//! trip; leased points that it does not use are lost to the others until the bucket has refilled, which is a small part
//! of it. While Redis is unavailable or slow each server keeps buckets of its own, as large.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use redis::aio::ConnectionManager;

use super::{RedisAddress, client::RedisClient};

/// A lease is one part in this many of a bucket, or what is needed at once if that is more: a hundred small queries, so
/// that the round trip is nothing beside them.
const LEASE: u64 = 10;
/// Refunded points are kept up to one part in this many of a bucket; more is returned to it at the next round trip.
const KEPT: u64 = 10;
/// A refused caller is refused again without a round trip for as long as the bucket can't have refilled, and for this long
/// at the most: other servers may return points.
const ASK_AGAIN: Duration = Duration::from_millis(250);
/// Beyond this many local buckets, those that have refilled are forgotten.
const MOST: usize = 10_000;

/// Refills the bucket up to now and returns what was not used; takes what is wanted if what is needed is there. Answers
/// what was taken, what is left, and otherwise in how many milliseconds what is needed will be there.
const TAKE: &str = "
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local burst, rate, need, want, back = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local known = redis.call('HMGET', KEYS[1], 'points', 'at')
local points = tonumber(known[1] or ARGV[1])
points = math.min(burst, points + back + math.max(0, now - tonumber(known[2] or now)) * rate / 1000)
local taken, wait = 0, 0
if points >= need then taken = math.floor(math.min(want, points)) else wait = math.ceil((need - points) * 1000 / rate) end
points = points - taken
redis.call('HSET', KEYS[1], 'points', tostring(points), 'at', now)
redis.call('PEXPIRE', KEYS[1], math.ceil(burst * 1000 / rate) + 1000)
return { taken, math.floor(points), wait }";

/// The size of a bucket and its refill rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Points it holds.
    pub burst: u64,
    /// Points that are refilled each second.
    pub per_second: u64,
}

/// A bucket, by its name.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// Its name, unique among all: `tenant:<id>`, `person:<tenant>:<id>`.
    pub name: String,
    /// Its size.
    pub allowance: Allowance,
}

/// The balance of a bucket, as far as this server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// Its size.
    pub allowance: Allowance,
    /// Points that are available.
    pub available: u64,
}

/// There are not enough points yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overdrawn {
    /// When there will be.
    pub wait: Duration,
    /// The balance meanwhile.
    pub balance: Balance,
}

impl Overdrawn {
    /// In how many seconds there will be enough.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        let seconds = self.wait.as_millis().div_ceil(1000);
        u64::try_from(seconds).unwrap_or(u64::MAX).max(1)
    }
}

/// All buckets.
pub struct Budget {
    redis: RedisClient,
    buckets: Mutex<HashMap<String, LocalBucket>>,
}

/// What this server has leased from a bucket, and knows of it.
#[derive(Debug, Clone, Copy)]
struct LocalBucket {
    /// Points that were leased and are not spent.
    leased: u64,
    /// Points beyond these, to be returned.
    back: u64,
    /// What was left in the bucket, and when.
    left: f64,
    at: Instant,
    /// So many points are not available before this instant.
    lacking: Option<(u64, Instant)>,
}

impl LocalBucket {
    fn full(allowance: Allowance, now: Instant) -> Self {
        Self {
            leased: 0,
            back: 0,
            left: allowance.burst as f64,
            at: now,
            lacking: None,
        }
    }

    /// How long as many points as needed are known not to be there.
    fn lacks(&self, need: u64, now: Instant) -> Option<Duration> {
        let (lacking, until) = self.lacking?;
        let wait = until.saturating_duration_since(now);
        (need >= lacking && !wait.is_zero()).then_some(wait)
    }

    fn left_at(&self, allowance: Allowance, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        (self.left + since * allowance.per_second as f64).min(allowance.burst as f64)
    }

    fn balance(&self, allowance: Allowance, now: Instant) -> Balance {
        let available = self.left_at(allowance, now) as u64 + self.leased + self.back;
        Balance {
            allowance,
            available: available.min(allowance.burst),
        }
    }

    /// Takes points from a bucket that this server keeps by itself.
    fn take_locally(
        &mut self,
        allowance: Allowance,
        need: u64,
        now: Instant,
    ) -> Result<(), Duration> {
        let left = self.left_at(allowance, now) + std::mem::take(&mut self.back) as f64;
        (self.left, self.at) = (left.min(allowance.burst as f64), now);
        let lacking = need as f64 - self.left;
        if lacking > 0.0 {
            return Err(Duration::from_secs_f64(
                lacking / allowance.per_second as f64,
            ));
        }
        self.left -= need as f64;
        Ok(())
    }
}

impl Budget {
    /// Buckets in Redis if there is one.
    #[must_use]
    pub fn new(redis: &RedisAddress) -> Self {
        Self {
            redis: RedisClient::new(redis, "points are counted by this server alone"),
            buckets: Mutex::default(),
        }
    }

    /// Takes points from a bucket. More than it can ever hold counts as all that it holds.
    ///
    /// # Errors
    /// [`Overdrawn`] when they are not there yet; then none are taken.
    pub async fn take(&self, bucket: &Bucket, points: u64) -> Result<Balance, Overdrawn> {
        let allowance = bucket.allowance;
        let (points, now) = (points.min(allowance.burst), Instant::now());
        let (need, back) = {
            let mut buckets = self.buckets(now);
            let own = buckets
                .entry(bucket.name.clone())
                .or_insert_with(|| LocalBucket::full(allowance, now));
            // The bucket may have become smaller.
            own.leased = own.leased.min(allowance.burst);
            if own.leased >= points {
                own.leased -= points;
                return Ok(own.balance(allowance, now));
            }
            let need = points - own.leased;
            if let Some(wait) = own.lacks(need, now) {
                let balance = own.balance(allowance, now);
                return Err(Overdrawn { wait, balance });
            }
            (need, own.back)
        };
        let shared = self.take_shared(bucket, need, back).await;
        let mut buckets = self.buckets(now);
        let own = buckets
            .entry(bucket.name.clone())
            .or_insert_with(|| LocalBucket::full(allowance, now));
        let wait = match shared {
            Some((taken, left, wait)) => {
                (own.left, own.at) = (left as f64, Instant::now());
                own.leased += taken;
                own.back = own.back.saturating_sub(back);
                // A concurrent request may have spent the lease meanwhile; the next one pays for that.
                match taken >= need {
                    true => {
                        own.leased = own.leased.saturating_sub(points);
                        Ok(())
                    }
                    false => {
                        let wait = Duration::from_millis(wait);
                        own.lacking = Some((need, own.at + wait.min(ASK_AGAIN)));
                        Err(wait)
                    }
                }
            }
            None => own.take_locally(allowance, need, now).map(|()| {
                own.leased = own.leased.saturating_sub(points - need);
            }),
        };
        let balance = own.balance(allowance, Instant::now());
        wait.map(|()| balance)
            .map_err(|wait| Overdrawn { wait, balance })
    }

    /// Refunds what was taken and not used.
    pub fn refund(&self, bucket: &Bucket, points: u64) -> Balance {
        let (allowance, now) = (bucket.allowance, Instant::now());
        let mut buckets = self.buckets(now);
        let own = buckets
            .entry(bucket.name.clone())
            .or_insert_with(|| LocalBucket::full(allowance, now));
        let all = own.leased + points;
        own.leased = all.min(allowance.burst / KEPT);
        own.back = (own.back + all - own.leased).min(allowance.burst);
        own.balance(allowance, now)
    }

    /// The balance of a bucket.
    #[must_use]
    pub fn balance(&self, bucket: &Bucket) -> Balance {
        let (allowance, now) = (bucket.allowance, Instant::now());
        let buckets = self.buckets(now);
        let own = buckets.get(&bucket.name).copied();
        own.unwrap_or_else(|| LocalBucket::full(allowance, now))
            .balance(allowance, now)
    }

    async fn take_shared(&self, bucket: &Bucket, need: u64, back: u64) -> Option<(u64, u64, u64)> {
        let Allowance { burst, per_second } = bucket.allowance;
        let want = need.max(burst / LEASE);
        let take = async |mut redis: ConnectionManager| {
            let mut command = redis::cmd("EVAL");
            command.arg(TAKE).arg(1);
            command.arg(format!("dealgraph:budget:{{{}}}", bucket.name));
            command.arg(&[burst, per_second, need, want, back][..]);
            command.query_async(&mut redis).await
        };
        self.redis.call(take).await
    }

    /// All local buckets. One that would be full by now need not be kept.
    fn buckets(&self, now: Instant) -> MutexGuard<'_, HashMap<String, LocalBucket>> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() > MOST {
            buckets
                .retain(|_, own| now.saturating_duration_since(own.at) < Duration::from_secs(60));
        }
        buckets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Allowance = Allowance {
        burst: 100,
        per_second: 10,
    };

    fn bucket(name: &str) -> Bucket {
        Bucket {
            name: name.to_owned(),
            allowance: SMALL,
        }
    }

    #[tokio::test]
    async fn a_bucket_is_emptied_and_says_when_there_is_more() {
        let budget = Budget::new(&RedisAddress::none());
        let (ada, bob) = (bucket("ada"), bucket("bob"));
        assert_eq!(budget.balance(&ada).available, 100);
        for _ in 0..9 {
            assert!(budget.take(&ada, 10).await.is_ok());
        }
        let overdrawn = budget.take(&ada, 30).await.expect_err("20 are missing");
        assert!(
            (1_500..=2_000).contains(&overdrawn.wait.as_millis()),
            "{overdrawn:?}"
        );
        assert!(
            budget.take(&ada, 10).await.is_ok(),
            "what was refused took nothing"
        );
        assert!(budget.take(&bob, 100).await.is_ok(), "another's is another");
    }

    #[tokio::test]
    async fn what_comes_back_can_be_spent_again_and_more_than_all_is_all() {
        let budget = Budget::new(&RedisAddress::none());
        let ada = bucket("ada");
        assert!(budget.take(&ada, 1_000_000).await.is_ok());
        assert!(budget.take(&ada, 20).await.is_err());
        assert!(budget.refund(&ada, 20).available >= 20);
        assert!(budget.take(&ada, 20).await.is_ok());
        assert!(budget.take(&ada, 20).await.is_err());
    }
}
