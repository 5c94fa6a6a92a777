//! Counters in this process, for when Redis is unavailable. Their number is bounded.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The most counters in memory; beyond that, those with the fewest tries are evicted first.
const MOST: usize = 100_000;

/// How often something was tried, and when it may be tried again.
#[derive(Debug, Clone, Copy)]
pub(super) struct TryCount {
    pub(super) tries: u32,
    pub(super) open_at: Instant,
    pub(super) forget_at: Instant,
}

/// Counters by their name.
#[derive(Default)]
pub(super) struct LocalCounts(Mutex<HashMap<String, TryCount>>);

impl LocalCounts {
    /// Counts a try, unless it comes too early: then it answers how early. `next` is the count after another try.
    pub(super) fn begin(
        &self,
        name: &str,
        now: Instant,
        next: impl FnOnce(Option<TryCount>) -> TryCount,
    ) -> Option<Duration> {
        let mut local = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = local
            .get(name)
            .filter(|count| count.forget_at > now)
            .copied();
        if let Some(count) = known
            && count.open_at > now
        {
            return Some(count.open_at - now);
        }
        let count = next(known);
        make_room(&mut local, now);
        local.insert(name.to_owned(), count);
        None
    }

    /// How long a try would have to wait, as far as this server knows.
    pub(super) fn wait(&self, name: &str, now: Instant) -> Option<Duration> {
        let local = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = local.get(name).filter(|count| count.open_at > now)?;
        Some(count.open_at - now)
    }

    /// Takes over the shared count.
    pub(super) fn set(&self, name: &str, count: TryCount, now: Instant) {
        let mut local = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut local, now);
        local.insert(name.to_owned(), count);
    }

    pub(super) fn clear(&self, name: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name);
    }

    /// Takes a try back, with the wait that it caused.
    pub(super) fn give_back(&self, name: &str, time: Duration) {
        let mut local = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = local.get_mut(name) {
            count.tries = count.tries.saturating_sub(1);
            let earlier = |at: Instant| at.checked_sub(time).unwrap_or(at);
            (count.open_at, count.forget_at) = (earlier(count.open_at), earlier(count.forget_at));
        }
    }
}

fn make_room(local: &mut HashMap<String, TryCount>, now: Instant) {
    if local.len() < MOST {
        return;
    }
    local.retain(|_, count| count.forget_at > now);
    // A flood of names that are tried once each must not evict one that is tried again and again.
    for tries in 1.. {
        if local.len() < MOST - MOST / 10 {
            return;
        }
        local.retain(|_, count| count.tries > tries);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The count after a try, which is forgotten after a while.
    fn counted(
        now: Instant,
        delay: impl Fn(u32) -> Duration,
        ttl: Duration,
    ) -> impl FnOnce(Option<TryCount>) -> TryCount {
        move |known| {
            let tries = known.map_or(1, |count| count.tries + 1);
            let open_at = now + delay(tries);
            TryCount {
                tries,
                open_at,
                forget_at: open_at + ttl,
            }
        }
    }

    #[test]
    fn a_flood_of_names_does_not_evict_what_is_tried_again_and_again() {
        let (local, now) = (LocalCounts::default(), Instant::now());
        let minute = Duration::from_secs(60);
        let delay = |tries| Duration::from_secs(if tries > 2 { 5 } else { 0 });
        for _ in 0..3 {
            assert_eq!(
                local.begin("victim", now, counted(now, delay, minute)),
                None
            );
        }
        for number in 0..MOST + 10 {
            local.begin(&format!("name {number}"), now, counted(now, delay, minute));
        }
        assert_eq!(
            local.begin("victim", now, counted(now, delay, minute)),
            Some(Duration::from_secs(5))
        );
        assert!(local.0.lock().expect("not poisoned").len() <= MOST);
    }

    #[test]
    fn counters_are_forgotten_in_time() {
        let (local, now) = (LocalCounts::default(), Instant::now());
        let minute = Duration::from_secs(60);
        let delay = |_| Duration::from_secs(5);
        let at = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(local.begin("a", now, counted(now, delay, minute)), None);
        assert!(
            local
                .begin("a", at(4), counted(at(4), delay, minute))
                .is_some()
        );
        assert!(
            local
                .begin("a", at(5), counted(at(5), delay, minute))
                .is_none()
        );
        assert!(
            local
                .begin("a", at(71), counted(at(71), delay, minute))
                .is_none()
        );
        let tries = local.0.lock().expect("not poisoned")["a"].tries;
        assert_eq!(tries, 1);
    }
}
