//! Slows down whoever guesses: after some free tries each further one has to wait longer.
//!
//! A try is counted when it begins, in one step with the question whether it may, so that guesses sent at the same time
//! do not slip through together. Counted in Redis for all servers; while Redis is away or slow each server counts by
//! itself, from where it last knew, and nobody gets in unasked.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use redis::aio::ConnectionManager;
use sha2::{Digest as _, Sha256};

use super::{
    counts::{Count, Counts},
    reach::Reach,
};
use crate::error::{Error, Result};

/// The longest wait between two tries.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// How long a counter is kept after the last wait.
const KEPT: Duration = Duration::from_secs(60 * 60);

/// Answers how long to wait, in milliseconds, and how often it was tried; a try that may be made is counted.
const BEGIN: &str = "
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local tries = tonumber(redis.call('HGET', KEYS[1], 'tries') or '0')
local open_at = tonumber(redis.call('HGET', KEYS[1], 'open_at') or '0')
if open_at > now then return { open_at - now, tries, open_at - now } end
tries = tries + 1
local delay = 0
if tries >= tonumber(ARGV[1]) then
    delay = math.min(1000 * 2 ^ math.min(tries - ARGV[1], 30), tonumber(ARGV[2]))
end
redis.call('HSET', KEYS[1], 'tries', tries, 'open_at', now + delay)
redis.call('PEXPIRE', KEYS[1], delay + ARGV[3])
return { 0, tries, delay }";

/// Takes one try back.
const GIVE_BACK: &str = "
if tonumber(redis.call('HGET', KEYS[1], 'tries') or '0') > 0 then redis.call('HINCRBY', KEYS[1], 'tries', -1) end
return 0";

/// What is counted: one act of one account, or from one network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    name: String,
    free: u32,
}

impl Counter {
    /// Tries on one account; its name is kept as a hash only. Five are free.
    #[must_use]
    pub fn account(act: &str, name: &str) -> Self {
        Self {
            name: format!("{act}:account:{:x}", Sha256::digest(name)),
            free: 5,
        }
    }

    /// Tries from one address; of IPv6 the network of 64 bits counts, since a client has all of it. Thirty are free.
    #[must_use]
    pub fn network(act: &str, address: IpAddr) -> Self {
        let network = match address.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        };
        Self {
            name: format!("{act}:network:{network}"),
            free: 30,
        }
    }

    /// How long the next try has to wait after so many.
    fn delay(&self, tries: u32) -> Duration {
        match tries.checked_sub(self.free) {
            None => Duration::ZERO,
            Some(over) => Duration::from_secs(1 << over.min(30)).min(LONGEST),
        }
    }

    fn key(&self) -> String {
        format!("dealgraph:throttle:{{{}}}", self.name)
    }
}

/// Counts tries, for all servers together as far as Redis allows.
#[derive(Clone)]
pub struct Throttle(Arc<Inner>);

struct Inner {
    reach: Reach,
    counts: Counts,
}

impl Throttle {
    /// Counts in Redis if there is one; it is connected to at the first use.
    #[must_use]
    pub fn new(redis_url: Option<&str>) -> Self {
        Self(Arc::new(Inner {
            reach: Reach::new(redis_url, "attempts are counted by this server alone"),
            counts: Counts::default(),
        }))
    }

    /// Begins a try: counts it, or refuses it.
    ///
    /// # Errors
    /// `TooManyAttempts`.
    pub async fn begin(&self, counter: &Counter) -> Result<()> {
        let now = Instant::now();
        let script = [
            counter.free.to_string(),
            LONGEST.as_millis().to_string(),
            KEPT.as_millis().to_string(),
        ];
        let asked: Option<(u64, u32, u64)> = self.ask(BEGIN, counter, &script).await;
        let wait = match asked {
            Some((wait, tries, delay)) => {
                let open_at = now + Duration::from_millis(delay);
                let count = Count {
                    tries,
                    open_at,
                    forget_at: open_at + KEPT,
                };
                self.0.counts.set(&counter.name, count, now);
                (wait > 0).then(|| Duration::from_millis(wait))
            }
            None => {
                let delay = |tries| counter.delay(tries);
                self.0.counts.begin(&counter.name, now, delay, KEPT)
            }
        };
        match wait {
            None => Ok(()),
            Some(wait) => Err(Error::TooManyAttempts {
                retry_after_s: wait.as_millis().div_ceil(1000) as u64,
            }),
        }
    }

    /// Forgets all tries: somebody proved who they are.
    pub async fn clear(&self, counter: &Counter) {
        self.0.counts.clear(&counter.name);
        let forget = async |mut redis: ConnectionManager| {
            let mut command = redis::cmd("DEL");
            command.arg(counter.key());
            command.query_async::<i64>(&mut redis).await
        };
        self.0.reach.ask(forget).await;
    }

    /// Takes one try back: it was no guess.
    pub async fn give_back(&self, counter: &Counter) {
        self.0.counts.give_back(&counter.name);
        _ = self.ask::<i64>(GIVE_BACK, counter, &[]).await;
    }

    /// What a script answers about a counter; `None` when Redis does not, or not in time.
    async fn ask<T: redis::FromRedisValue>(
        &self,
        script: &str,
        counter: &Counter,
        arguments: &[String],
    ) -> Option<T> {
        let ask = async |mut redis: ConnectionManager| {
            let mut command = redis::cmd("EVAL");
            command.arg(script).arg(1).arg(counter.key()).arg(arguments);
            command.query_async::<T>(&mut redis).await
        };
        self.0.reach.ask(ask).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tries_at_the_same_time_do_not_slip_through_together() {
        let throttle = Throttle::new(None);
        let counter = Counter::account("test", "ada@example.com");
        let tries = (0..50).map(|_| throttle.begin(&counter));
        let begun = futures_util::future::join_all(tries).await;
        assert_eq!(begun.iter().filter(|begun| begun.is_ok()).count(), 5);
        throttle.clear(&counter).await;
        assert!(throttle.begin(&counter).await.is_ok());
    }

    #[test]
    fn waits_double_up_to_a_quarter_of_an_hour() {
        let counter = Counter::account("test", "ada@example.com");
        let waits: Vec<_> = [1, 4, 5, 6, 7, 14, 15, 40, u32::MAX]
            .map(|tries| counter.delay(tries).as_secs())
            .into();
        assert_eq!(waits, [0, 0, 1, 2, 4, 512, 900, 900, 900]);
    }

    #[test]
    fn a_network_is_one_address_of_v4_and_64_bits_of_v6() {
        let name =
            |address: &str| Counter::network("test", address.parse().expect("an address")).name;
        assert_eq!(name("::ffff:192.0.2.1"), name("192.0.2.1"));
        assert_eq!(name("2001:db8::1"), name("2001:db8:0:0:ffff::2"));
        assert_ne!(name("2001:db8::1"), name("2001:db8:0:1::1"));
    }

    #[tokio::test]
    async fn without_redis_the_server_counts_by_itself() {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("redis://{}", nobody.local_addr().expect("an address"));
        // One that takes connections and never answers, then one that is gone.
        for silent in [Some(nobody), None] {
            let throttle = Throttle::new(Some(&url));
            let counter = Counter::account("test", "ada@example.com");
            let began = Instant::now();
            for _ in 0..5 {
                assert!(throttle.begin(&counter).await.is_ok());
            }
            assert!(matches!(
                throttle.begin(&counter).await,
                Err(Error::TooManyAttempts { .. })
            ));
            assert!(
                began.elapsed() < Duration::from_millis(900),
                "a slow Redis is waited for again and again"
            );
            drop(silent);
        }
    }
}
