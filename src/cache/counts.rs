//! Counters in this process: what holds when Redis is away. Their number is bounded.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// So many counters are kept. Beyond them those go first that say least.
const MOST: usize = 100_000;

/// How often something was tried, and when it may be tried again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count {
    pub(super) tries: u32,
    pub(super) open_at: Instant,
    pub(super) forget_at: Instant,
}

/// Counters by their name.
#[derive(Default)]
pub(super) struct Counts(Mutex<HashMap<String, Count>>);

impl Counts {
    /// Counts a try, unless it comes too early: then it says how early.
    pub(super) fn begin(
        &self,
        name: &str,
        now: Instant,
        delay: impl Fn(u32) -> Duration,
        kept: Duration,
    ) -> Option<Duration> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = counts
            .get(name)
            .filter(|count| count.forget_at > now)
            .copied();
        if let Some(count) = known
            && count.open_at > now
        {
            return Some(count.open_at - now);
        }
        let tries = known.map_or(0, |count| count.tries).saturating_add(1);
        let open_at = now + delay(tries);
        let count = Count {
            tries,
            open_at,
            forget_at: open_at + kept,
        };
        make_room(&mut counts, now);
        counts.insert(name.to_owned(), count);
        None
    }

    /// Takes over what all servers know together.
    pub(super) fn set(&self, name: &str, count: Count, now: Instant) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut counts, now);
        counts.insert(name.to_owned(), count);
    }

    pub(super) fn clear(&self, name: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name);
    }

    pub(super) fn give_back(&self, name: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(name) {
            count.tries = count.tries.saturating_sub(1);
        }
    }
}

fn make_room(counts: &mut HashMap<String, Count>, now: Instant) {
    if counts.len() < MOST {
        return;
    }
    counts.retain(|_, count| count.forget_at > now);
    // A flood of names tried once each must not wash out the one that is tried again and again.
    for tries in 1.. {
        if counts.len() < MOST - MOST / 10 {
            return;
        }
        counts.retain(|_, count| count.tries > tries);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_names_does_not_wash_out_what_is_tried_again_and_again() {
        let (counts, now) = (Counts::default(), Instant::now());
        let kept = Duration::from_secs(60);
        let delay = |tries| Duration::from_secs(if tries > 2 { 5 } else { 0 });
        for _ in 0..3 {
            assert_eq!(counts.begin("victim", now, delay, kept), None);
        }
        for number in 0..MOST + 10 {
            counts.begin(&format!("name {number}"), now, delay, kept);
        }
        assert_eq!(
            counts.begin("victim", now, delay, kept),
            Some(Duration::from_secs(5))
        );
        assert!(counts.0.lock().expect("not poisoned").len() <= MOST);
    }

    #[test]
    fn counters_are_forgotten_in_time() {
        let (counts, now) = (Counts::default(), Instant::now());
        let kept = Duration::from_secs(60);
        let delay = |_| Duration::from_secs(5);
        assert_eq!(counts.begin("a", now, delay, kept), None);
        assert!(
            counts
                .begin("a", now + Duration::from_secs(4), delay, kept)
                .is_some()
        );
        assert!(
            counts
                .begin("a", now + Duration::from_secs(5), delay, kept)
                .is_none()
        );
        let later = now + Duration::from_secs(71);
        assert!(counts.begin("a", later, delay, kept).is_none());
        let tries = counts.0.lock().expect("not poisoned")["a"].tries;
        assert_eq!(tries, 1);
    }
}
