//! When what did not arrive is sent again, and how long an endpoint that can't be reached is left alone.

use std::time::Duration;

/// The pauses after failed attempts: ten attempts within some 28 hours.
const PAUSES_S: [u64; 9] = [
    5,
    60,
    5 * 60,
    30 * 60,
    3_600,
    2 * 3_600,
    4 * 3_600,
    8 * 3_600,
    12 * 3_600,
];
/// The first time that an endpoint is left alone; each further one is twice as long.
const FIRST_REST: Duration = Duration::from_secs(5);
/// The longest.
const LONGEST_REST: Duration = Duration::from_secs(5 * 60);

/// How long to wait after so many tries that failed; nothing when there is no further one. `chance` is from 0 to 1, so that
/// what failed together does not come again together.
pub(super) fn pause(tries: u32, chance: f64) -> Option<Duration> {
    let place = usize::try_from(tries.saturating_sub(1)).ok()?;
    let pause = PAUSES_S.get(place)?;
    Some(vary(Duration::from_secs(*pause), chance))
}

/// How long an endpoint is left alone that could not be reached so many times in a row.
pub(super) fn rest(failures: u32, chance: f64) -> Duration {
    let doubled = FIRST_REST.saturating_mul(1 << failures.saturating_sub(1).min(16));
    vary(doubled.min(LONGEST_REST), chance)
}

/// A tenth more or less.
fn vary(pause: Duration, chance: f64) -> Duration {
    pause.mul_f64(0.9 + chance / 5.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_attempts_within_28_hours_and_no_more() {
        let pauses: Vec<_> = (1..).map_while(|tries| pause(tries, 0.5)).collect();
        assert_eq!(pauses.len(), 9);
        let whole: Duration = pauses.iter().sum();
        let hours = whole.as_secs_f64() / 3600.0;
        assert!((27.0..28.0).contains(&hours), "{hours}");
        assert_eq!(pause(10, 0.5), None);
        assert!(pause(1, 0.0) < pause(1, 1.0));
    }

    #[test]
    fn an_endpoint_rests_longer_and_longer_up_to_five_minutes() {
        let seconds = |failures| rest(failures, 0.5).as_secs();
        assert_eq!([1, 2, 3].map(seconds), [5, 10, 20]);
        assert_eq!([7, 100, u32::MAX].map(seconds), [300; 3]);
    }
}
