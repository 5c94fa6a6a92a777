//! A rolling restart: one server after the other drains, ends and comes back, and the next one not before the balancer
//! sees it.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    site::{SERVERS, Site},
    stats::Stats,
};
use crate::Outcome;

/// Between a server that is back and the next one that ends.
const PAUSE: Duration = Duration::from_secs(2);

/// Restarts servers in turns until it is to stop; always all of them.
pub(super) async fn run(
    mut site: Site,
    stats: Arc<Stats>,
    stop: CancellationToken,
) -> Outcome<Site> {
    while !stop.is_cancelled() {
        for server in 0..SERVERS {
            sleep(PAUSE).await;
            stats.raise("MiB the largest server had", site.memory() >> 20);
            let began = std::time::Instant::now();
            site.stop_server(server).await?;
            let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            stats.raise("ms a server took to drain at most", took);
            site.start_server(server).await?;
            site.is_balanced().await?;
            stats.count("servers restarted");
        }
    }
    Ok(site)
}
