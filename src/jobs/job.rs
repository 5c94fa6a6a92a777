//! What is known of a kind of job before it runs.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

/// A kind of job, with what one of it is about.
///
/// The fields are kept as JSON until it runs, which may be by a newer version of the server: add fields with
/// `#[serde(default)]`, and give what means something else another kind.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name in the queue, in metrics and in the API, for example `webhook.deliver`.
    const KIND: &'static str;
    /// How often it is tried, for how long, and how many at once.
    const POLICY: Policy = Policy::USUAL;

    /// What another job of the kind must not have in common with this one while neither has ended; nothing if there may be
    /// any number of them. One that is to be put into the queue beside one that waits makes that one due sooner; beside one
    /// that runs, and may have looked already, it makes that one run once more.
    fn unique_key(&self) -> Option<String> {
        None
    }
}

/// How jobs of a kind are tried.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// How often it is begun at the most; after that it has failed, and waits for somebody to have it tried again.
    pub attempts: u32,
    /// How long after the first failure it is tried again. Each further pause is twice as long, give or take a quarter.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// How long one attempt may take.
    pub time_limit: Duration,
    /// How many of a tenant run at a time, on all servers together.
    pub per_tenant: Option<u32>,
    /// Whether people are shown that it was done. What is done all day long leaves nothing behind but its failures.
    pub is_kept: bool,
}

impl Policy {
    /// Ten attempts within some hours, five minutes each, as many at once as workers take.
    pub const USUAL: Self = Self {
        attempts: 10,
        first_pause: Duration::from_secs(5),
        longest_pause: Duration::from_secs(60 * 60),
        time_limit: Duration::from_secs(5 * 60),
        per_tenant: None,
        is_kept: true,
    };

    /// How long to wait after so many failed attempts; `chance` is from 0 to 1, so that what failed together is not tried
    /// again together.
    #[must_use]
    pub fn pause(&self, failed: u32, chance: f64) -> Duration {
        let doubled = 2f64.powi(failed.saturating_sub(1).min(30) as i32);
        let pause = self.first_pause.as_secs_f64() * doubled;
        let pause = pause.min(self.longest_pause.as_secs_f64());
        Duration::from_secs_f64(pause * (0.75 + chance / 2.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_differ_by_chance() {
        let policy = Policy::USUAL;
        let seconds = |failed, chance| policy.pause(failed, chance).as_secs_f64();
        assert_eq!(seconds(1, 0.5), 5.0);
        assert_eq!(seconds(2, 0.5), 10.0);
        assert_eq!((seconds(3, 0.0), seconds(3, 1.0)), (15.0, 25.0));
        assert_eq!(seconds(u32::MAX, 0.5), 3600.0);
    }
}
