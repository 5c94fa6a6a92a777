//! Whether the clocks of this machine, of Postgres and of Redis go alike.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Finding, Subject};
use crate::{
    db::probe,
    platform::redis::probe::{RedisFacts, probe as probe_redis},
};

const CHECK: &str = "clocks";
/// Tokens are checked with this much leeway.
const LEEWAY: TimeDelta = TimeDelta::seconds(5);
/// Clocks that are kept by NTP are closer than this.
const USUAL: TimeDelta = TimeDelta::seconds(1);

pub(super) async fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(system) = &subject.system
        && let Ok(reading) = probe::clock(system, subject.clock).await
    {
        findings.push(judge("Postgres", reading.ours, reading.theirs));
    }
    if let Some(Ok(RedisFacts { ours, theirs, .. })) =
        probe_redis(&subject.redis, subject.clock).await
    {
        findings.push(judge("Redis", ours, theirs));
    }
    findings
}

fn judge(whose: &str, ours: DateTime<Utc>, theirs: DateTime<Utc>) -> Finding {
    let apart = (theirs - ours).abs();
    let found = format!(
        "the clock of {whose} and this machine's are {:.3} s apart",
        apart.as_seconds_f64()
    );
    let advice = "set both by NTP: tokens, sessions and what is due follow the clock";
    if apart >= LEEWAY {
        Finding::error(CHECK, found, advice)
    } else if apart >= USUAL {
        Finding::warning(CHECK, found, advice)
    } else {
        Finding::ok(CHECK, found)
    }
}
