//! How fast Dealgraph is, beside pgbench running the very same statements on the same cluster.
//!
//! Starts a private cluster, fills it, starts the real server, checks that its answers are right, and then lets
//! sixteen users ask the same thing again and again, in short rounds that alternate with pgbench's: what disturbs
//! the machine disturbs both. The medians of the rounds are printed.

mod attack;
mod capture;
mod check;
mod client;
mod cluster;
mod cpu;
mod data;
mod fair;
mod jobs;
mod kept;
mod live;
mod peers;
mod pgbench;
mod price;
mod receiver;
mod report;
mod script;
mod server;
mod sign_in;
mod sizes;
mod soak;
mod verify;
mod webhooks;
mod workload;

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use clap::{Parser, Subcommand};
use cluster::Cluster;
use server::Server;
use tokio::signal::unix::{SignalKind, signal};
use workload::Workload;

/// Any failure, in one sentence.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measures requests per second, and the same statements by pgbench beside them.
#[derive(Clone, Parser)]
#[command(name = "dealgraph-loadtests", version)]
struct Options {
    #[command(subcommand)]
    what: Option<What>,
    /// For how many seconds there is load, all rounds together: 120 for measuring, 300 for the soak, 60 for chaos and rolling.
    #[arg(long, global = true, value_parser = clap::value_parser!(u64).range(20..=3600))]
    seconds: Option<u64>,
    /// How often each workload is measured; the medians count.
    #[arg(long, global = true, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=15))]
    rounds: u64,
    /// How many users ask at the same time, each over a connection of its own.
    #[arg(long, global = true, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=48))]
    users: u16,
    /// Only these workloads.
    #[arg(long, value_delimiter = ',')]
    only: Vec<workload::WorkloadKind>,
    /// Where the cluster and its data are kept for the next time; the build's folder unless said otherwise.
    #[arg(long, global = true)]
    data_dir: Option<PathBuf>,
    /// Makes the data anew.
    #[arg(long, global = true)]
    fresh: bool,
    /// The folder of Postgres' programs, if not a usual one.
    #[arg(long, global = true)]
    pg_bin: Option<PathBuf>,
    /// The executable to measure, for comparing two builds; the one built with this one unless said otherwise.
    #[arg(long, global = true)]
    server: Option<PathBuf>,
    /// A PgBouncer to put between the servers and Postgres, in transaction mode; `.ci/pgbouncer` fetches one.
    #[arg(long, global = true, value_name = "PROGRAM")]
    pgbouncer: Option<PathBuf>,
}

/// What else can be measured.
#[derive(Debug, Clone, Copy, Subcommand)]
enum What {
    /// What it costs to get from a bearer token to an actor.
    Verify,
    /// Queries with and without fifty sign-ins a second beside them.
    SignIn,
    /// Dealgraph, `PostGraphile` and pgbench, alternating on the same tables and policies.
    Peers,
    /// What a tenant that asks for as much as it can does to another one.
    Fair,
    /// Small jobs, beside pgbench taking and ending them one by one.
    Jobs,
    /// Webhooks from the event log to their receivers, beside a plain client that posts as many.
    Webhooks,
    /// The response cache while Redis fails.
    Kept,
    /// How what requests cost in points goes together with the time that they take.
    Price {
        /// What chance begins with.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Prints each query with its points and its time too.
        #[arg(long)]
        each: bool,
    },
    /// Whether pages of a tenant of a million deals are as quick as those of one with ten thousand.
    Sizes {
        /// The deals of the large tenant.
        #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(10_000..=20_000_000))]
        deals: u32,
    },
    /// Whether subscribers receive everything, once and in order, while servers, Redis and Postgres are killed.
    Soak(soak::Options),
    /// The same with more faults: processes that stand still, wires that delay and cut, a full disk, locks, migrations; half
    /// of the writers ask under idempotency keys until they are answered.
    Chaos(soak::Options),
    /// Whether anybody notices that servers are replaced in turns behind `HAProxy`: no request fails, and every subscriber
    /// receives everything once, in order.
    Rolling {
        #[command(flatten)]
        soak: soak::Options,
        /// Sockets that are open meanwhile.
        #[arg(long, default_value_t = 2_000)]
        sockets: usize,
    },
    /// Subscriptions: one event to many, many a second, memory, statements, and what events cost writers.
    Live {
        /// Sockets that are open at the same time, here and at the bare server each.
        #[arg(long, default_value_t = 10_000)]
        sockets: usize,
    },
    /// Holds sockets for `live`.
    #[command(hide = true)]
    Crowd,
    /// Sends to sockets for `live`, and does nothing else.
    #[command(hide = true)]
    BareBroadcast,
}

impl Options {
    fn seconds(&self) -> u64 {
        self.seconds.unwrap_or(120)
    }

    /// The folder of the cluster, beside the build.
    fn folder(&self) -> &'static str {
        match self.what {
            Some(What::Sizes { .. }) => "loadtests-sizes",
            _ => "loadtests",
        }
    }

    fn wants(&self, kind: workload::WorkloadKind) -> bool {
        self.only.is_empty() || self.only.contains(&kind)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dealgraph-loadtests: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Outcome<()> {
    match options.what {
        Some(What::Crowd) => return live::attend::run().await,
        Some(What::BareBroadcast) => return live::bare::run().await,
        _ => {}
    }
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let soak = match options.what {
        Some(What::Soak(soak)) => Some((soak, soak::Plan::Soak)),
        Some(What::Chaos(soak)) => Some((soak, soak::Plan::Chaos)),
        Some(What::Rolling { soak, sockets }) => Some((soak, soak::Plan::Rolling(sockets))),
        _ => None,
    };
    if let Some((soak, plan)) = soak {
        // What it starts dies with us.
        return tokio::select! {
            done = soak::run(&options, soak, plan) => done,
            _ = interrupted.recv() => Err("interrupted".into()),
            _ = terminated.recv() => Err("interrupted".into()),
        };
    }
    let cluster = tokio::select! {
        started = start(&options) => started?,
        _ = interrupted.recv() => return Err("interrupted".into()),
        _ = terminated.recv() => return Err("interrupted".into()),
    };
    let measured = tokio::select! {
        measured = measure_what(&options, &cluster) => measured,
        died = cluster.wait_died() => Err(died.into()),
        _ = interrupted.recv() => Err("interrupted".into()),
        _ = terminated.recv() => Err("interrupted".into()),
        () = attack::interrupted() => Err("interrupted".into()),
    };
    cluster.stop().await;
    measured
}

async fn start(options: &Options) -> Outcome<Cluster> {
    let cluster = Cluster::start(options).await?;
    match options.what {
        Some(What::Live { .. }) => cluster.date_commits(options).await,
        _ => Ok(cluster),
    }
}

async fn measure_what(options: &Options, cluster: &Cluster) -> Outcome<()> {
    match options.what {
        None | Some(What::Crowd | What::BareBroadcast) => measure(options, cluster).await,
        Some(What::Verify) => verify::run(cluster).await,
        Some(What::SignIn) => sign_in::run(options, cluster).await,
        Some(What::Peers) => peers::run(options, cluster).await,
        Some(What::Fair) => fair::run(options, cluster).await,
        Some(What::Price { seed, each }) => price::run(options, cluster, (seed, each)).await,
        Some(What::Jobs) => jobs::run(options, cluster).await,
        Some(What::Webhooks) => webhooks::run(options, cluster).await,
        Some(What::Kept) => kept::run(options, cluster).await,
        Some(What::Sizes { deals }) => sizes::run(options, cluster, deals).await,
        Some(What::Soak(_) | What::Chaos(_) | What::Rolling { .. }) => Ok(()),
        Some(What::Live { sockets }) => live::run(options, cluster, sockets).await,
    }
}

async fn measure(options: &Options, cluster: &Cluster) -> Outcome<()> {
    data::ensure(cluster, data::Set::Usual).await?;
    let mut database = cluster.superuser().await?;
    let everything = workload::all(&mut database, cluster).await?;
    let workloads: Vec<Arc<Workload>> = everything
        .into_iter()
        .filter(|workload| options.wants(workload.kind))
        .map(Arc::new)
        .collect();

    say("checking that the answers are right, and looking at the statements behind them");
    let executable = server::executable(options)?;
    let scripts = capture::scripts(cluster, &executable, &mut database, &workloads).await?;

    let server = Server::start(cluster, &executable, u32::from(options.users)).await?;
    for workload in &workloads {
        check::answers(&server, &mut database, workload).await?;
    }
    let length = round_length(options, &workloads);
    say(&format!(
        "measuring: {} rounds of {} s for each workload, alternating with pgbench",
        options.rounds,
        length.as_secs()
    ));
    let mut results = report::Results::new(&workloads, &scripts);
    for workload in &workloads {
        attack::run(&server, workload, options.users, WARM_UP).await?;
    }
    for round in 1..=options.rounds {
        for (i, (workload, script)) in workloads.iter().zip(&scripts).enumerate() {
            let users = if workload.is_alone() {
                1
            } else {
                options.users
            };
            let before = cpu::Used::now(&[server.pid()], cluster.postgres_pid());
            let attacked = attack::run(&server, workload, users, length).await?;
            let used = cpu::Used::now(&[server.pid()], cluster.postgres_pid()).since(before);
            let limit = match workload.is_repeatable() {
                false => None,
                true => Some(pgbench::run(cluster, script, users, length).await?),
            };
            let done = report::Round {
                attacked,
                used,
                limit,
            };
            say(&format!("round {round}: {}", done.line(workload)));
            results.add(i, done);
        }
    }
    server.stop().await?;
    print!("{}", results.render(options, cluster));
    Ok(())
}

/// So long each workload runs before it counts: connections are opened, statements prepared, caches filled.
const WARM_UP: Duration = Duration::from_secs(1);

/// How long a round of a workload is, and one of pgbench.
fn round_length(options: &Options, workloads: &[Arc<Workload>]) -> Duration {
    let count = workloads.len() as u64;
    let beside = workloads
        .iter()
        .filter(|workload| workload.is_repeatable())
        .count() as u64;
    let warm_ups = (count + beside * options.rounds) * WARM_UP.as_secs();
    let rounds = (count + beside) * options.rounds;
    Duration::from_secs((options.seconds().saturating_sub(warm_ups) / rounds.max(1)).max(1))
}

/// Prints progress on stderr; only the figures are on stdout.
fn say(what: &str) {
    eprintln!("· {what}");
}
