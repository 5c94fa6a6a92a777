//! Whether Redis answers, soon enough, and drops what is old when it is full.

use std::time::Duration;

use super::{Finding, Subject};
use crate::platform::redis::probe::{RedisFacts, probe};

const CHECK: &str = "redis";
/// A server goes on without Redis after this long.
const PATIENCE: Duration = Duration::from_millis(50);
/// Near by it takes less than this.
const USUAL: Duration = Duration::from_millis(5);
/// The oldest major version.
const OLDEST: u32 = 6;

pub(super) async fn check(subject: &Subject<'_>) -> Vec<Finding> {
    match probe(&subject.redis, subject.clock).await {
        Some(Ok(facts)) => judge(&facts),
        Some(Err(why)) => vec![Finding::error(
            CHECK,
            format!("it does not answer: {why}"),
            "look at DEALGRAPH_REDIS_URL and whether Redis runs; servers go on without it, each by itself",
        )],
        None if subject.asked.servers > 1 => vec![Finding::warning(
            CHECK,
            format!("there is none, for {} servers", subject.asked.servers),
            "set DEALGRAPH_REDIS_URL: without it each server counts limits by itself, and hears of changes at others later",
        )],
        None => vec![Finding::ok(
            CHECK,
            "there is none, and one server needs none",
        )],
    }
}

fn judge(facts: &RedisFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let RedisFacts {
        version, policy, ..
    } = facts;
    let major = version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok());
    let took = format!("{:.1} ms", facts.latency.as_secs_f64() * 1000.0);
    if major.is_none_or(|major: u32| major < OLDEST) {
        let found = format!("its version is {version:?}");
        let advice = format!("{OLDEST} is the oldest version that works");
        findings.push(Finding::error(CHECK, found, advice));
    }
    if facts.is_replica {
        let advice = "let DEALGRAPH_REDIS_URL lead to the one that takes writes";
        findings.push(Finding::error(CHECK, "it only follows another one", advice));
    }
    if facts.max_memory == 0 {
        let advice = "set maxmemory, and maxmemory-policy to allkeys-lru: it holds only what can be made again";
        findings.push(Finding::warning(CHECK, "its memory has no limit", advice));
    } else if policy == "noeviction" {
        let found = "it takes no writes once its memory is full";
        let advice = "set maxmemory-policy to allkeys-lru: it holds only what can be made again";
        findings.push(Finding::warning(CHECK, found, advice));
    }
    if facts.latency >= PATIENCE {
        let advice = "servers give up after 50 ms and go on without it: put it nearer";
        findings.push(Finding::error(
            CHECK,
            format!("it takes {took} to answer"),
            advice,
        ));
    } else if facts.latency >= USUAL {
        let advice = "put it nearer: requests wait for it";
        findings.push(Finding::warning(
            CHECK,
            format!("it takes {took} to answer"),
            advice,
        ));
    }
    if findings.is_empty() {
        let found = format!("Redis {version} with {policy} answers in {took}");
        findings.push(Finding::ok(CHECK, found));
    }
    findings
}
