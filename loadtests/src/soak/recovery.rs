//! What has to be so once everything is whole again: servers answer within seconds, and have not grown.

use std::time::Duration;

use serde_json::Value as Json;
use tokio::time::{Instant, sleep};

use super::{Scene, history::Violation, site::Site, stats::Stats, world::ADMIN};

/// Servers are as good as new after that time.
const PATIENCE: Duration = Duration::from_secs(10);
/// A server that holds all caches and a few hundred sockets has less.
const MEMORY: u64 = 512 << 20;
const QUERY: &str = "{ opportunities(first: 1) { nodes { id } } }";

/// Waits until every server answers someone of every tenant.
pub(super) async fn judge(
    scenes: &[Scene],
    stats: &Stats,
    dice: &mut fastrand::Rng,
) -> Option<Violation> {
    let began = Instant::now();
    for scene in scenes {
        for address in scene.desk.addresses.iter() {
            let only = [*address].into();
            let mut asker = scene.tenant.asker(ADMIN, &only, dice.fork());
            while let Err(why) = asker.query(QUERY, &Json::Null).await {
                if began.elapsed() > PATIENCE {
                    let slug = scene.tenant.slug;
                    return Some(format!(
                        "everything is whole, and after {PATIENCE:?} {slug} is answered {why}"
                    ));
                }
                sleep(Duration::from_millis(20)).await;
            }
        }
    }
    let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    stats.count_many("ms until all servers answered again", took);
    None
}

/// What queues and caches hold goes away with what they were held for.
pub(super) fn judge_memory(site: &Site, stats: &Stats) -> Option<Violation> {
    let memory = site.memory();
    stats.count_many("MiB the largest server has at the end", memory >> 20);
    (memory > MEMORY).then(|| format!("a server has {} MiB at the end", memory >> 20))
}
