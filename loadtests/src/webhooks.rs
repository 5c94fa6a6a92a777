//! How many webhooks a second two cores deliver from end to end, beside a plain client that posts as many of the same size to
//! the same receivers; and what a receiver that takes its time does to the others.

mod limit;
mod stage;

use std::{cmp::Ordering, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    Options, Outcome,
    cluster::Cluster,
    data,
    report::{machine, median},
    say,
    server::{self, Server},
};
use stage::{ENDPOINTS, EVENTS, Stage};

/// Requests to an endpoint at a time: as many as the server has under way.
const AT_ONCE: usize = 10;
/// How long the slow receiver takes for each.
const SLOW: Duration = Duration::from_secs(10);
/// Connections of the server to its database.
const CONNECTIONS: u32 = 16;
/// Longer than any round takes.
const PATIENCE: Duration = Duration::from_secs(600);

/// Measures.
pub(crate) async fn run(options: &Options, cluster: &Cluster) -> Outcome<()> {
    data::ensure(cluster, data::Set::Usual).await?;
    let executable = server::executable(options)?;
    let loopback = ("DEALGRAPH_OUTBOUND_ALLOW_LOOPBACK", "on".to_owned());
    let server = Server::start_with(cluster, &executable, CONNECTIONS, &[loopback]).await?;
    let mut stage = Stage::build(cluster, &server).await?;
    say(&format!("{EVENTS} changes to deals of {ENDPOINTS} tenants"));
    stage.write().await?;
    until_all_have(&stage, 0).await?;
    until_noted(&mut stage).await?;
    let (mut made, mut limits, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut alone, mut beside, mut slowed) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=options.rounds {
        stage.rewind().await?;
        let began = stage.replay().await?;
        until_all_have(&stage, 1).await?;
        let others_alone = per_second(ENDPOINTS - 1, began.elapsed());
        until_all_have(&stage, 0).await?;
        until_noted(&mut stage).await?;
        let rate = per_second(ENDPOINTS, began.elapsed());

        let limit = limit::run(&stage, stage.bodies()).await?;
        let limit = per_second(ENDPOINTS, limit);

        stage.rewind().await?;
        stage.slow_down(true);
        let began = stage.replay().await?;
        until_all_have(&stage, 1).await?;
        let others_beside = per_second(ENDPOINTS - 1, began.elapsed());
        if stage.has(0) >= EVENTS / ENDPOINTS {
            return Err(
                "the slow receiver had all before the others, so nothing was measured".into(),
            );
        }
        stage.slow_down(false);
        until_all_have(&stage, 0).await?;
        until_noted(&mut stage).await?;
        say(&format!(
            "round {round}: {rate:.0} deliveries/s, a plain client {limit:.0}; the others {others_alone:.0}, \
             beside a slow one {others_beside:.0}"
        ));
        made.push(rate);
        limits.push(limit);
        ratios.push(rate / limit);
        alone.push(others_alone);
        beside.push(others_beside);
        slowed.push(others_beside / others_alone);
    }
    stage.clear().await?;
    server.stop().await?;
    println!(
        "\n{}, PostgreSQL {}; {EVENTS} events to {ENDPOINTS} endpoints of as many tenants; medians of {} rounds\n\n\
         | deliveries/s | a plain client's | ratio |\n|--:|--:|--:|\n| {:.0} | {:.0} | {:.2} |\n\n\
         Beside a receiver that takes {} s for each, the other {} got {:.0} a second instead of {:.0}: {:.2} times as many.",
        machine(),
        cluster.postgres_version(),
        options.rounds,
        median(made),
        median(limits),
        median(ratios),
        SLOW.as_secs(),
        ENDPOINTS - 1,
        median(beside),
        median(alone),
        median(slowed)
    );
    Ok(())
}

/// The events of so many endpoints in a second.
fn per_second(endpoints: usize, time: Duration) -> f64 {
    (EVENTS / ENDPOINTS * endpoints) as f64 / time.as_secs_f64()
}

/// Waits until all endpoints from one on have got all.
async fn until_all_have(stage: &Stage<'_>, first: usize) -> Outcome<()> {
    let until = Instant::now() + PATIENCE;
    for place in first..ENDPOINTS {
        while stage.has(place) < EVENTS / ENDPOINTS {
            if Instant::now() > until {
                let has = stage.has(place);
                return Err(format!("endpoint {place} has got {has} and no more").into());
            }
            sleep(Duration::from_millis(5)).await;
        }
    }
    Ok(())
}

/// Waits until the server has noted what became of all.
async fn until_noted(stage: &mut Stage<'_>) -> Outcome<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        let noted = stage.noted().await?;
        match noted.cmp(&(EVENTS as i64)) {
            Ordering::Equal => return Ok(()),
            Ordering::Greater => return Err(format!("there are {noted} events").into()),
            Ordering::Less if Instant::now() > until => {
                return Err(
                    format!("it is noted of {noted} that they arrived, and no more").into(),
                );
            }
            Ordering::Less => sleep(Duration::from_millis(20)).await,
        }
    }
}
