//! Slows down guessing: after some free tries each further one has to wait.
//!
//! There are two paces. Where one party tries (an address at an account, a person at their own code), each wait is twice
//! the one before. Where many can try the same thing, one of them must not be able to keep the others out: there tries
//! are let through at a steady rate, which no single address comes up to.
//!
//! A try is counted when it begins, in one step with the question whether it may, so that guesses sent at the same time
//! do not slip through together. Counted in Redis for all servers; while Redis is unavailable or slow each server
//! counts by itself, from the count it last knew, and no try goes uncounted.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use redis::aio::ConnectionManager;
use sha2::{Digest as _, Sha256};

use super::{
    RedisAddress,
    client::RedisClient,
    local_counts::{LocalCounts, TryCount},
};
use crate::base::{
    error::{Error, Result},
    ids::{SessionId, Typed as _},
};

/// The longest wait between two tries.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// How long a counter is stored after the last wait.
const TTL: Duration = Duration::from_secs(60 * 60);

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

/// The same at a steady pace (the generic cell rate algorithm): it stores when all that was tried is paid off.
const BEGIN_STEADY: &str = "
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local burst, every = tonumber(ARGV[1]), tonumber(ARGV[2])
local paid_at = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local early = paid_at - (burst - 1) * every - now
if early > 0 then return { early, paid_at - now } end
paid_at = paid_at + every
redis.call('SET', KEYS[1], string.format('%d', paid_at), 'PX', paid_at - now)
return { 0, paid_at - now }";

/// Lets nothing through for so long. Answers how long that is now: another server may have heard of a longer time.
const HOLD: &str = "
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local ahead = tonumber(ARGV[1])
local paid_at = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now + ahead)
redis.call('SET', KEYS[1], string.format('%d', paid_at), 'PX', paid_at - now)
return paid_at - now";

/// Takes one try back.
const GIVE_BACK: &str = "
if tonumber(redis.call('HGET', KEYS[1], 'tries') or '0') > 0 then redis.call('HINCRBY', KEYS[1], 'tries', -1) end
return 0";
const GIVE_BACK_STEADY: &str = "
local paid_at = redis.call('GET', KEYS[1])
if paid_at then redis.call('SET', KEYS[1], string.format('%d', tonumber(paid_at) - ARGV[1]), 'KEEPTTL') end
return 0";

/// What is counted: one act of one account, or from one network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    name: String,
    pace: Pace,
}

/// How tries have to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// So many are free; then each waits twice as long as the one before.
    Doubling { free: u32 },
    /// So many at once, and one more each so often.
    Steady { burst: u32, every: Duration },
}

impl Counter {
    /// Tries on one account; its name is stored as a hash only. Five are free.
    #[must_use]
    pub fn account(act: &str, name: &str) -> Self {
        Self {
            name: format!("{act}:account:{:x}", Sha256::digest(name)),
            pace: Pace::Doubling { free: 5 },
        }
    }

    /// Tries on one account from one address. Five are free.
    #[must_use]
    pub fn pair(act: &str, name: &str, address: Option<IpAddr>) -> Self {
        let network = address.map_or_else(|| "unknown".to_owned(), network);
        Self {
            name: format!("{act}:pair:{:x}:{network}", Sha256::digest(name)),
            pace: Pace::Doubling { free: 5 },
        }
    }

    /// Tries on one account from anywhere. Thirty at once and ten an hour are let through: more than two addresses come
    /// up to by [`Self::pair`] (fifteen in the first quarter of an hour and four an hour from then on), so it takes many
    /// to lock an unknown device out of the account, and none locks out a known one.
    #[must_use]
    pub fn everywhere(act: &str, name: &str) -> Self {
        Self {
            name: format!("{act}:everywhere:{:x}", Sha256::digest(name)),
            pace: Pace::Steady {
                burst: 30,
                every: Duration::from_secs(6 * 60),
            },
        }
    }

    /// Tries by a device that is known, by its session. Five are free.
    #[must_use]
    pub fn device(act: &str, session: SessionId) -> Self {
        Self {
            name: format!("{act}:device:{}", session.uuid()),
            pace: Pace::Doubling { free: 5 },
        }
    }

    /// What is done once a day for an account.
    #[must_use]
    pub fn daily(act: &str, name: &str) -> Self {
        Self {
            name: format!("{act}:daily:{:x}", Sha256::digest(name)),
            pace: Pace::Steady {
                burst: 1,
                every: Duration::from_secs(24 * 60 * 60),
            },
        }
    }

    /// Guesses at secrets of programs from one address. A hundred at once and one a second are let through.
    #[must_use]
    pub fn guesses(act: &str, address: IpAddr) -> Self {
        Self {
            name: format!("{act}:guesses:{}", network(address)),
            pace: Pace::Steady {
                burst: 100,
                every: Duration::from_secs(1),
            },
        }
    }

    /// What comes in the name of something that is no account: so many at once, and one more each so often.
    #[must_use]
    pub fn steady(act: &str, name: &str, burst: u32, every: Duration) -> Self {
        Self {
            name: format!("{act}:steady:{:x}", Sha256::digest(name)),
            pace: Pace::Steady { burst, every },
        }
    }

    /// What comes from one address, or network of IPv6: so many at once, and one more each so often.
    #[must_use]
    pub fn steady_from(act: &str, address: IpAddr, burst: u32, every: Duration) -> Self {
        Self {
            name: format!("{act}:from:{}", network(address)),
            pace: Pace::Steady { burst, every },
        }
    }

    /// Tries from one address; of IPv6 the network of 64 bits counts, since a client has all of it. Thirty are free.
    #[must_use]
    pub fn network(act: &str, address: IpAddr) -> Self {
        Self {
            name: format!("{act}:network:{}", network(address)),
            pace: Pace::Doubling { free: 30 },
        }
    }

    fn key(&self) -> String {
        format!("dealgraph:throttle:{{{}}}", self.name)
    }
}

/// One address; of IPv6 the network that a client has all of.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

impl Pace {
    /// The count after another try.
    fn after(self, known: Option<TryCount>, now: Instant) -> TryCount {
        let tries = known.map_or(0, |count| count.tries).saturating_add(1);
        match self {
            Self::Doubling { free } => {
                let open_at = now + delay(free, tries);
                TryCount {
                    tries,
                    open_at,
                    forget_at: open_at + TTL,
                }
            }
            Self::Steady { every, .. } => {
                let paid_at = known.map_or(now, |count| count.forget_at.max(now)) + every;
                self.paid(tries, paid_at)
            }
        }
    }

    /// The count of tries at a steady pace that are paid off at an instant.
    fn paid(self, tries: u32, paid_at: Instant) -> TryCount {
        let ahead = match self {
            Self::Doubling { .. } => Duration::ZERO,
            Self::Steady { burst, every } => every * burst.saturating_sub(1),
        };
        TryCount {
            tries,
            open_at: paid_at.checked_sub(ahead).unwrap_or(paid_at),
            forget_at: paid_at,
        }
    }
}

/// How long the next try has to wait after so many.
fn delay(free: u32, tries: u32) -> Duration {
    match tries.checked_sub(free) {
        None => Duration::ZERO,
        Some(over) => Duration::from_secs(1 << over.min(30)).min(LONGEST),
    }
}

/// Counts tries, for all servers together as far as Redis allows.
#[derive(Clone)]
pub struct Throttle(Arc<Inner>);

struct Inner {
    redis: RedisClient,
    local: LocalCounts,
}

impl Throttle {
    /// Counts in Redis if there is one; it is connected to at the first use.
    #[must_use]
    pub fn new(redis: &RedisAddress) -> Self {
        Self(Arc::new(Inner {
            redis: RedisClient::new(redis, "attempts are counted by this server alone"),
            local: LocalCounts::default(),
        }))
    }

    /// Begins a try: counts it, or refuses it.
    ///
    /// # Errors
    /// `TooManyAttempts`.
    pub async fn begin(&self, counter: &Counter) -> Result<()> {
        let now = Instant::now();
        let wait = match self.begin_shared(counter, now).await {
            Some((wait, count)) => {
                self.0.local.set(&counter.name, count, now);
                (!wait.is_zero()).then_some(wait)
            }
            None => {
                let next = |known| counter.pace.after(known, now);
                self.0.local.begin(&counter.name, now, next)
            }
        };
        wait.map_or(Ok(()), |wait| Err(too_early(wait)))
    }

    /// Refuses what comes too early by this server's own counts; Redis is not called.
    ///
    /// # Errors
    /// `TooManyAttempts`.
    pub fn check(&self, counter: &Counter) -> Result<()> {
        let wait = self.0.local.wait(&counter.name, Instant::now());
        wait.map_or(Ok(()), |wait| Err(too_early(wait)))
    }

    /// Begins a try at the count that all servers share: how long it has to wait, and the count from now on.
    async fn begin_shared(&self, counter: &Counter, now: Instant) -> Option<(Duration, TryCount)> {
        let millis = |time: Duration| time.as_millis().to_string();
        match counter.pace {
            Pace::Doubling { free } => {
                let script = [free.to_string(), millis(LONGEST), millis(TTL)];
                let (wait, tries, delay): (u64, u32, u64) =
                    self.ask(BEGIN, counter, &script).await?;
                let open_at = now + Duration::from_millis(delay);
                let count = TryCount {
                    tries,
                    open_at,
                    forget_at: open_at + TTL,
                };
                Some((Duration::from_millis(wait), count))
            }
            Pace::Steady { burst, every } => {
                let script = [burst.to_string(), millis(every)];
                let (wait, ahead): (u64, u64) = self.ask(BEGIN_STEADY, counter, &script).await?;
                let tries = u128::from(ahead).div_ceil(every.as_millis().max(1));
                let tries = u32::try_from(tries).unwrap_or(u32::MAX);
                let count = counter.pace.paid(tries, now + Duration::from_millis(ahead));
                Some((Duration::from_millis(wait), count))
            }
        }
    }

    /// Lets nothing through for so long, because whoever is asked has said so. Only for a steady pace.
    pub async fn hold(&self, counter: &Counter, pause: Duration) {
        let Pace::Steady { burst, every } = counter.pace else {
            return;
        };
        let now = Instant::now();
        let ahead = pause + every * burst.saturating_sub(1);
        let script = [ahead.as_millis().to_string()];
        let shared: Option<u64> = self.ask(HOLD, counter, &script).await;
        let ahead = shared.map_or(ahead, Duration::from_millis);
        let count = counter.pace.paid(burst, now + ahead);
        self.0.local.set(&counter.name, count, now);
    }

    /// Forgets all tries: the person has proved who they are.
    pub async fn clear(&self, counter: &Counter) {
        self.0.local.clear(&counter.name);
        let forget = async |mut redis: ConnectionManager| {
            let mut command = redis::cmd("DEL");
            command.arg(counter.key());
            command.query_async::<i64>(&mut redis).await
        };
        self.0.redis.call(forget).await;
    }

    /// Takes one try back: it was no guess.
    pub async fn give_back(&self, counter: &Counter) {
        let (script, time) = match counter.pace {
            Pace::Doubling { .. } => (GIVE_BACK, Duration::ZERO),
            Pace::Steady { every, .. } => (GIVE_BACK_STEADY, every),
        };
        self.0.local.give_back(&counter.name, time);
        let time = [time.as_millis().to_string()];
        _ = self.ask::<i64>(script, counter, &time).await;
    }

    /// What a script answers about a counter; `None` when Redis does not, or not in time.
    async fn ask<T: redis::FromRedisValue>(
        &self,
        script: &str,
        counter: &Counter,
        arguments: &[String],
    ) -> Option<T> {
        let call = async |mut redis: ConnectionManager| {
            let mut command = redis::cmd("EVAL");
            command.arg(script).arg(1).arg(counter.key()).arg(arguments);
            command.query_async::<T>(&mut redis).await
        };
        self.0.redis.call(call).await
    }
}

fn too_early(wait: Duration) -> Error {
    Error::TooManyAttempts {
        retry_after_s: wait.as_millis().div_ceil(1000) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tries_at_the_same_time_do_not_slip_through_together() {
        let throttle = Throttle::new(&RedisAddress::none());
        let counter = Counter::account("test", "ada@example.com");
        let tries = (0..50).map(|_| throttle.begin(&counter));
        let begun = futures_util::future::join_all(tries).await;
        assert_eq!(begun.iter().filter(|begun| begun.is_ok()).count(), 5);
        throttle.clear(&counter).await;
        assert!(throttle.begin(&counter).await.is_ok());
    }

    #[test]
    fn waits_double_up_to_a_quarter_of_an_hour() {
        let waits: Vec<_> = [1, 4, 5, 6, 7, 14, 15, 40, u32::MAX]
            .map(|tries| delay(5, tries).as_secs())
            .into();
        assert_eq!(waits, [0, 0, 1, 2, 4, 512, 900, 900, 900]);
    }

    #[test]
    fn two_addresses_never_come_up_to_what_an_account_takes_from_everywhere() {
        let begin = Instant::now();
        let everywhere = Counter::everywhere("test", "ada@example.com").pace;
        let pair = Counter::pair("test", "ada@example.com", None).pace;
        let (mut shared, mut pairs) = (None::<TryCount>, [None::<TryCount>; 2]);
        // Two days of tries, each as soon as its address may.
        for second in 0..2 * 24 * 3_600 {
            let now = begin + Duration::from_secs(second);
            for own in &mut pairs {
                while own.is_none_or(|count| count.open_at <= now) {
                    assert!(
                        shared.is_none_or(|count| count.open_at <= now),
                        "the account is closed after {second} s"
                    );
                    *own = Some(pair.after(*own, now));
                    shared = Some(everywhere.after(shared, now));
                }
            }
        }
    }

    #[tokio::test]
    async fn a_steady_pace_lets_a_burst_through_and_then_one_at_a_time() {
        let throttle = Throttle::new(&RedisAddress::none());
        let counter = Counter::everywhere("test", "ada@example.com");
        for _ in 0..30 {
            assert!(throttle.check(&counter).is_ok());
            assert!(throttle.begin(&counter).await.is_ok());
        }
        let Err(Error::TooManyAttempts { retry_after_s }) = throttle.begin(&counter).await else {
            panic!("the burst is over")
        };
        assert!((355..=360).contains(&retry_after_s), "{retry_after_s}");
        assert!(throttle.check(&counter).is_err());
        throttle.give_back(&counter).await;
        assert!(throttle.begin(&counter).await.is_ok());
        assert!(throttle.begin(&counter).await.is_err());
    }

    #[tokio::test]
    async fn nothing_is_let_through_while_whoever_is_asked_wants_a_pause() {
        let throttle = Throttle::new(&RedisAddress::none());
        let counter = Counter::steady("test", "service", 10, Duration::from_secs(1));
        assert!(throttle.begin(&counter).await.is_ok());
        throttle.hold(&counter, Duration::from_secs(60)).await;
        let Err(Error::TooManyAttempts { retry_after_s }) = throttle.begin(&counter).await else {
            panic!("it was to be left alone")
        };
        assert!((59..=60).contains(&retry_after_s), "{retry_after_s}");
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
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("redis://{}", listener.local_addr().expect("an address"));
        // One that takes connections and never answers, then one that is gone.
        for silent in [Some(listener), None] {
            let throttle = Throttle::new(&RedisAddress::at(&url));
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
