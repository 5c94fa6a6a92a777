//! What the response cache does while Redis fails: nine reads to one move, round after round with another fault. An
//! answer that is an error ends the measurement.

use std::time::Duration;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::process::Command;

use crate::{
    Options, Outcome, WARM_UP, attack,
    cluster::Cluster,
    data, report, say,
    server::{self, Server},
    workload::{self, WorkloadKind},
};

/// How Redis fares meanwhile.
#[derive(Debug, Clone, Copy)]
enum RedisFault {
    None,
    /// It answers nobody, and says nothing of it.
    Stopped,
    /// All that it knows is gone, ten times a second.
    Flushed,
    /// It takes nothing more.
    Full,
}

const FAULTS: [(RedisFault, &str); 5] = [
    (RedisFault::None, "well"),
    (RedisFault::Stopped, "stopped"),
    (RedisFault::Flushed, "emptied ten times a second"),
    (RedisFault::Full, "full"),
    (RedisFault::None, "well again"),
];

/// Measures each fault in rotation, and prints the table.
pub(crate) async fn run(options: &Options, cluster: &Cluster) -> Outcome<()> {
    data::ensure(cluster, data::Set::Usual).await?;
    let mut database = cluster.superuser().await?;
    let all = workload::all(&mut database, cluster).await?;
    let mixed = all
        .into_iter()
        .find(|workload| workload.kind == WorkloadKind::Mixed);
    let mixed = std::sync::Arc::new(mixed.ok_or("nothing is mixed")?);
    let executable = server::executable(options)?;
    let keeping = [("DEALGRAPH_CACHE_BYTES", (64 << 20).to_string())];
    let server =
        Server::start_with(cluster, &executable, u32::from(options.users), &keeping).await?;
    attack::run(&server, &mixed, options.users, WARM_UP).await?;
    let length = options.seconds.unwrap_or(60) / (options.rounds * FAULTS.len() as u64);
    let length = Duration::from_secs(length.max(2));
    let mut made = [const { Vec::new() }; FAULTS.len()];
    for round in 1..=options.rounds {
        for ((fault, name), made) in FAULTS.iter().zip(&mut made) {
            let broken = Broken::begin(cluster, *fault).await?;
            let attacked = attack::run(&server, &mixed, options.users, length).await;
            broken.mend().await?;
            let attacked = attacked?;
            say(&format!(
                "round {round}, Redis {name}: {:.0}/s",
                attacked.per_second
            ));
            made.push(attacked);
        }
    }
    server.stop().await?;
    println!(
        "\n{}, PostgreSQL {}, {} users, nine reads to one move, answers kept; medians of {} rounds\n\n\
         | Redis is | requests/s | p50 / p99 ms |\n|---|--:|--:|",
        report::machine(),
        cluster.postgres_version(),
        options.users,
        options.rounds
    );
    for ((_, name), made) in FAULTS.iter().zip(&made) {
        let of = |figure: fn(&attack::Attacked) -> f64| {
            report::median(made.iter().map(figure).collect())
        };
        println!(
            "| {name} | {:.0} | {:.1} / {:.1} |",
            of(|round| round.per_second),
            of(|round| round.p50_ms),
            of(|round| round.p99_ms)
        );
    }
    Ok(())
}

/// A Redis with something the matter.
struct Broken {
    redis: Pid,
    url: String,
    fault: RedisFault,
    flushing: Option<tokio::task::JoinHandle<()>>,
}

impl Broken {
    async fn begin(cluster: &Cluster, fault: RedisFault) -> Outcome<Self> {
        let redis = Pid::from_raw(cluster.redis_pid().cast_signed());
        let url = cluster.redis_url();
        let mut flushing = None;
        match fault {
            RedisFault::None => {}
            RedisFault::Stopped => kill(redis, Signal::SIGSTOP)?,
            RedisFault::Flushed => {
                let url = url.clone();
                flushing = Some(tokio::spawn(async move {
                    while command(&url, &["FLUSHALL"]).await.is_ok() {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }));
            }
            RedisFault::Full => command(&url, &["CONFIG", "SET", "maxmemory", "1"]).await?,
        }
        Ok(Self {
            redis,
            url,
            fault,
            flushing,
        })
    }

    async fn mend(self) -> Outcome<()> {
        match self.fault {
            RedisFault::None => {}
            RedisFault::Stopped => kill(self.redis, Signal::SIGCONT)?,
            RedisFault::Flushed => self.flushing.iter().for_each(|flushing| flushing.abort()),
            RedisFault::Full => command(&self.url, &["CONFIG", "SET", "maxmemory", "0"]).await?,
        }
        Ok(())
    }
}

async fn command(url: &str, words: &[&str]) -> Outcome<()> {
    let socket = url.split_once("://").map_or(url, |(_, path)| path);
    let mut redis = Command::new("redis-cli");
    let done = redis.arg("-s").arg(socket).args(words).output().await?;
    match done.status.success() {
        true => Ok(()),
        false => Err(format!("redis-cli {words:?} failed").into()),
    }
}
