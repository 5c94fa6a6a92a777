//! Dealgraph beside what a user would pick instead: `PostGraphile` on the same tables, under the same policies and with
//! the same settings, and pgbench with Dealgraph's own statements, alternating.
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
    script::Script,
    server::{self, Server},
    workload::{self, Workload, WorkloadKind},
};
use postgraphile::PostGraphile;

/// What one of them did in one round.
struct ContestRound {
    attacked: Attacked,
    used: Used,
    memory_mb: f64,
}

/// A workload with what all three are asked for it, and how they did in all rounds.
struct Contest<'a> {
    name: String,
    server: &'a Server,
    ours: Arc<Workload>,
    theirs: Arc<Workload>,
    script: Option<&'a Script>,
    rounds: Rounds,
}

/// All rounds of a workload: Dealgraph's, PostGraphile's, and what pgbench made.
#[derive(Default)]
struct Rounds {
    ours: Vec<ContestRound>,
    theirs: Vec<ContestRound>,
    limit: Vec<f64>,
}

/// Measures all of it, and prints the table.
pub(crate) async fn run(options: &Options, cluster: &Cluster) -> Outcome<()> {
    data::ensure(cluster, data::Set::Usual).await?;
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
    let keeping = [("DEALGRAPH_CACHE_BYTES", (64 << 20).to_string())];
    let keeping =
        Server::start_with(cluster, &executable, u32::from(options.users), &keeping).await?;
    let mut contests = contests((&server, &keeping), (&ours, &theirs), &scripts);
    let count = contests.len() as u64 * options.rounds * 3;
    let seconds = options.seconds.unwrap_or(300) / count.max(1);
    let length = Duration::from_secs(seconds.max(2));
    say(&format!(
        "measuring: {} rounds of {} s for each workload and each of the three",
        options.rounds,
        length.as_secs()
    ));
    for contest in &contests {
        attack::run(contest.server, &contest.ours, options.users, WARM_UP).await?;
        attack::run(&peer, &contest.theirs, options.users, WARM_UP).await?;
    }
    for round in 1..=options.rounds {
        for contest in &mut contests {
            let (users, server) = (options.users, contest.server);
            let pids = [server.pid()];
            let made = attacked(cluster, (server, &pids), &contest.ours, (users, length)).await?;
            contest.rounds.ours.push(made);
            let pids = peer.pids();
            let made = attacked(cluster, (&peer, pids), &contest.theirs, (users, length)).await?;
            contest.rounds.theirs.push(made);
            if let Some(script) = contest.script {
                let made = pgbench::run(cluster, script, users, length).await?;
                contest.rounds.limit.push(made);
            }
            say(&format!("round {round}: {}", table::line(contest)));
        }
    }
    let text = table::render((options, cluster), &contests);
    peer.stop().await?;
    server.stop().await?;
    keeping.stop().await?;
    print!("{text}");
    Ok(())
}

/// Every workload, and the board once more with its answers kept.
fn contests<'a>(
    (server, keeping): (&'a Server, &'a Server),
    (ours, theirs): (&[Arc<Workload>], &[Arc<Workload>]),
    scripts: &'a [Script],
) -> Vec<Contest<'a>> {
    let mut contests = Vec::new();
    for ((ours, theirs), script) in ours.iter().zip(theirs).zip(scripts) {
        let contest = |name, server, script| Contest {
            name,
            server,
            ours: Arc::clone(ours),
            theirs: Arc::clone(theirs),
            script,
            rounds: Rounds::default(),
        };
        let script = Some(script).filter(|_| ours.is_repeatable());
        contests.push(contest(ours.name.to_owned(), server, script));
        if ours.kind == WorkloadKind::Board {
            contests.push(contest(format!("{}, kept", ours.name), keeping, None));
        }
    }
    contests
}

async fn attacked(
    cluster: &Cluster,
    (target, pids): (&impl attack::Target, &[u32]),
    workload: &Arc<Workload>,
    (users, length): (u16, Duration),
) -> Outcome<ContestRound> {
    let before = Used::now(pids, cluster.postgres_pid());
    let attacked = attack::run(target, workload, users, length).await?;
    Ok(ContestRound {
        attacked,
        used: Used::now(pids, cluster.postgres_pid()).since(before),
        memory_mb: resident_mb(pids),
    })
}
