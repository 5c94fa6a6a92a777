//! Dealgraph beside what a user would pick instead: `PostGraphile` on the same tables, under the same policies and with
//! the same settings, and pgbench with Dealgraph's own statements, in turns.
//!
//! Before anything is measured both have to give the same data. What they do for a write differs: Dealgraph also writes
//! history, audit log and event, and answers with codes; PostGraphile updates the row.

mod postgraphile;
mod questions;
mod same;
mod table;

use std::{sync::Arc, time::Duration};

use crate::{
    Options, Outcome, WARM_UP,
    attack::{self, Attacked},
    capture, check,
    cluster::Cluster,
    cpu::{Used, resident_mb},
    data, pgbench, say,
    server::{self, Server},
    workload::{self, Workload},
};
use postgraphile::PostGraphile;

/// What one of them did in one round.
struct Round {
    attacked: Attacked,
    used: Used,
    memory_mb: f64,
}

/// All rounds of a workload: Dealgraph's, PostGraphile's, and what pgbench made.
#[derive(Default)]
struct Rounds {
    ours: Vec<Round>,
    theirs: Vec<Round>,
    limit: Vec<f64>,
}

/// Measures all of it, and prints the table.
pub(crate) async fn run(options: &Options, cluster: &Cluster) -> Outcome<()> {
    data::ensure(cluster).await?;
    let mut database = cluster.superuser().await?;
    let everything = workload::all(&mut database, cluster).await?;
    let ours: Vec<Arc<Workload>> = everything
        .into_iter()
        .filter(|workload| !workload.is_alone() && options.wants(workload.kind))
        .map(Arc::new)
        .collect();
    say("looking at the statements behind Dealgraph's answers");
    let executable = server::executable(options)?;
    let scripts = capture::scripts(cluster, &executable, &mut database, &ours).await?;
    let theirs = questions::of_all(&mut database, &ours, &scripts).await?;

    let server = Server::start(cluster, &executable, u32::from(options.users)).await?;
    let peer = PostGraphile::start(cluster).await?;
    say("checking that both give the same data");
    for (workload, theirs) in ours.iter().zip(&theirs) {
        check::answers(&server, &mut database, workload).await?;
        same::data((&server, workload), (&peer, theirs)).await?;
    }
    let count = ours.len() as u64 * options.rounds * 3;
    let seconds = options.seconds.unwrap_or(300) / count.max(1);
    let length = Duration::from_secs(seconds.max(2));
    say(&format!(
        "measuring: {} rounds of {} s for each workload and each of the three",
        options.rounds,
        length.as_secs()
    ));
    let mut all: Vec<Rounds> = ours.iter().map(|_| Rounds::default()).collect();
    for (workload, theirs) in ours.iter().zip(&theirs) {
        attack::run(&server, workload, options.users, WARM_UP).await?;
        attack::run(&peer, theirs, options.users, WARM_UP).await?;
    }
    for round in 1..=options.rounds {
        for (i, workload) in ours.iter().enumerate() {
            let (users, rounds) = (options.users, &mut all[i]);
            let pids = [server.pid()];
            rounds
                .ours
                .push(attacked(cluster, (&server, &pids), workload, (users, length)).await?);
            let pids = peer.pids();
            rounds
                .theirs
                .push(attacked(cluster, (&peer, pids), &theirs[i], (users, length)).await?);
            if workload.is_repeatable() {
                let made = pgbench::run(cluster, &scripts[i], users, length).await?;
                rounds.limit.push(made);
            }
            say(&format!("round {round}: {}", table::line(workload, rounds)));
        }
    }
    peer.stop().await?;
    server.stop().await?;
    print!("{}", table::render((options, cluster), &ours, &all));
    Ok(())
}

async fn attacked(
    cluster: &Cluster,
    (target, pids): (&impl attack::Target, &[u32]),
    workload: &Arc<Workload>,
    (users, length): (u16, Duration),
) -> Outcome<Round> {
    let before = Used::now(pids, cluster.postgres_pid());
    let attacked = attack::run(target, workload, users, length).await?;
    Ok(Round {
        attacked,
        used: Used::now(pids, cluster.postgres_pid()).since(before),
        memory_mb: resident_mb(pids),
    })
}
