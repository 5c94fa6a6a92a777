//! What becomes of a replica, and that nobody notices.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use dealgraph::db::{Freshness, Out, ReplicaState, Sql};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use super::pair::{Pair, Person, run, until};
use crate::{
    defaults::served::Served,
    harness::{A, Who, World, test},
    restores::machine::{Cluster, Machine},
};

/// Who asks at the same time.
const CALLERS: usize = 4;

#[test]
fn whatever_becomes_of_the_replica_nobody_notices() {
    test(async |world: &World| {
        let machine = Machine::new(world, "dealgraph-replica-fails-").await;
        let pair = Pair::make(&machine).await;
        let server = pair.serve(world).await;
        let admin = Person::admin(&server, world);
        assert_eq!(dependency(&server, "replica").await, "healthy");

        // A statement that is in the way of what is replayed is cancelled there, and runs on the primary.
        conflict(&pair, &server).await;

        // It dies under load.
        under_load(&server, world, async || {
            crash(&pair.replica);
            until("the replica is out", async || {
                server.db.replica_state() == Some(ReplicaState::Out(Out::Away))
            })
            .await;
        })
        .await;
        let answer = admin.ask_within(60, "none").await;
        assert_eq!(answer.read(), "primary; reason=out");
        until("health says so", async || {
            dependency(&server, "replica").await == "degraded"
        })
        .await;
        let metrics = server.db.metrics().text();
        assert!(
            metrics.contains("dealgraph_db_replica_fallbacks_total{reason=\"out\"}"),
            "{metrics}"
        );
        assert!(
            metrics.contains("dealgraph_db_client_connections_max{pool=\"replica\"} 4"),
            "{metrics}"
        );

        // It comes back under load, and is read again.
        under_load(&server, world, async || {
            start(&pair.replica).await;
            in_use(&server).await;
        })
        .await;
        until("it is read", async || {
            admin.ask_within(60, "none").await.read() == "replica"
        })
        .await;

        // What is sent to it vanishes: a read takes somewhat longer, and the next one does not.
        let stopped = Stopped::all_of(&pair.replica);
        let began = Instant::now();
        admin.ask_within(60, "none").await;
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
        until("the replica is out", async || {
            server.db.replica_state() == Some(ReplicaState::Out(Out::Away))
        })
        .await;
        let answer = admin.ask_within(60, "none").await;
        assert_eq!(answer.read(), "primary; reason=out");
        drop(stopped);
        in_use(&server).await;

        // It is promoted, and goes its own way.
        under_load(&server, world, async || {
            pair.replica.run("pg_ctl --wait promote").await;
            run(
                &pair.replica,
                "UPDATE opportunities SET name = 'Of another history'",
            )
            .await;
            until("the replica is out", async || {
                server.db.replica_state() == Some(ReplicaState::Out(Out::NoStandby))
            })
            .await;
        })
        .await;
        let answer = admin.ask_within(60, "none").await;
        assert_eq!(answer.read(), "primary; reason=out");
        assert!(!answer.has("Of another history"));
        until("health says so", async || {
            dependency(&server, "replica").await == "degraded"
        })
        .await;

        // The primary stands still: for a moment it may be busy, and after that it is away.
        let stopped = Stopped::all_of(&pair.primary);
        until("the database may be busy", async || {
            dependency(&server, "database").await == "degraded"
        })
        .await;
        assert!(is_ready(&server).await, "for a moment");
        until("the database is away", async || {
            dependency(&server, "database").await == "unhealthy"
        })
        .await;
        assert!(!is_ready(&server).await);
        drop(stopped);
        until("the server is ready again", async || {
            is_ready(&server).await
        })
        .await;
        server.stop().await;
    });
}

/// A read that a lock of the primary cancels on the replica is done once more.
async fn conflict(pair: &Pair<'_>, server: &Served) {
    pair.at_replica("ALTER SYSTEM SET max_standby_streaming_delay = '100ms'")
        .await;
    pair.at_replica("SELECT pg_reload_conf()").await;
    let within = Freshness::Within {
        age: Duration::from_secs(60),
        seen: None,
    };
    let (runs, actor) = (AtomicU32::new(0), A.actor(Who::Admin));
    let read = server.db.read(&actor, within, async |tx| {
        runs.fetch_add(1, Ordering::Relaxed);
        let sql = Sql::new("SELECT pg_is_in_recovery() FROM opportunities o WHERE o.tenant_id = ");
        let of = tx
            .column::<bool>(sql.bind(A.tenant()).push(" LIMIT 1"))
            .await?;
        if of[0] {
            tx.column::<i32>(Sql::new("SELECT 1 FROM pg_sleep(4)"))
                .await?;
        }
        Ok(of[0])
    });
    let lock = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        run(
            &pair.primary,
            "BEGIN; LOCK TABLE opportunities IN ACCESS EXCLUSIVE MODE; COMMIT",
        )
        .await;
    };
    let (read, ()) = tokio::join!(read, lock);
    assert!(!read.expect("it is read"), "of the primary at last");
    let metrics = server.db.metrics().text();
    assert_eq!(runs.into_inner(), 2, "{metrics}");
    let conflicts = "dealgraph_db_replica_fallbacks_total{reason=\"conflict\"} 1";
    assert!(metrics.contains(conflicts), "{metrics}");
    in_use(server).await;
}

/// Does something while callers ask; none of them gets anything but deals, or waits for long.
async fn under_load(server: &Served, world: &World, work: impl AsyncFnOnce()) {
    let goes_on = Arc::new(AtomicBool::new(true));
    let callers = (0..CALLERS).map(async |_| {
        let person = Person::admin(server, world);
        let mut answers = 0_u32;
        while goes_on.load(Ordering::Relaxed) {
            let began = Instant::now();
            let answer = person.ask_within(60, "none").await;
            assert_ne!(answer.body["data"]["opportunities"]["nodes"], Value::Null);
            assert!(!answer.has("Of another history"));
            assert!(
                began.elapsed() < Duration::from_secs(10),
                "{:?}",
                began.elapsed()
            );
            answers += 1;
        }
        answers
    });
    let callers = futures_util::future::join_all(callers);
    let work = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        work().await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        goes_on.store(false, Ordering::Relaxed);
    };
    let (answers, ()) = tokio::join!(callers, work);
    assert!(answers.iter().all(|answers| *answers > 0), "{answers:?}");
}

async fn in_use(server: &Served) {
    until("the replica is in use", async || {
        server.db.replica_state() == Some(ReplicaState::InUse)
    })
    .await;
}

/// How what the server depends on is, as operators are told.
async fn dependency(server: &Served, name: &str) -> String {
    let url = format!("{}/health", server.operator_url);
    let whole: Value = reqwest::get(url)
        .await
        .expect("the server answers")
        .json()
        .await
        .expect("it is JSON");
    let dependencies = whole["dependencies"].as_array().expect("a list");
    let found = dependencies.iter().find(|found| found["name"] == name);
    let status = &found.expect("there is one")["status"];
    status.as_str().expect("a word").to_owned()
}

/// Whether balancers send it requests.
async fn is_ready(server: &Served) -> bool {
    let url = server.url().replace("/graphql", "/health/ready");
    let answer = reqwest::get(url).await.expect("the server answers");
    answer.status().is_success()
}

fn postmaster(cluster: &Cluster<'_>) -> Pid {
    let file = cluster.read("postmaster.pid");
    let id = file.lines().next().expect("a line");
    Pid::from_raw(id.parse().expect("a process"))
}

/// The processes of a cluster.
fn processes(cluster: &Cluster<'_>) -> Vec<Pid> {
    let parent = postmaster(cluster);
    let all = std::fs::read_dir("/proc").expect("there are processes");
    let children = all.flatten().filter_map(|entry| {
        let id: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let (_, rest) = stat.rsplit_once(") ")?;
        let of: i32 = rest.split(' ').nth(1)?.parse().ok()?;
        (of == parent.as_raw()).then(|| Pid::from_raw(id))
    });
    std::iter::once(parent).chain(children).collect()
}

fn crash(cluster: &Cluster<'_>) {
    for process in processes(cluster) {
        // One that has ended by itself meanwhile is as good.
        let _ended = kill(process, Signal::SIGKILL);
    }
}

/// Starts it again after a crash, once nothing is left of it.
async fn start(cluster: &Cluster<'_>) {
    until("it starts", async || {
        // Where nobody reaps processes, the id in the file is still taken.
        let begin =
            "rm -f \"$PGDATA/postmaster.pid\" && pg_ctl --wait --log=\"$PGDATA/server.log\" start";
        cluster.try_run(begin).await.is_ok()
    })
    .await;
}

/// Processes that stand still, until this is dropped.
struct Stopped(Vec<Pid>);

impl Stopped {
    fn all_of(cluster: &Cluster<'_>) -> Self {
        let stopped = Self(processes(cluster));
        for process in &stopped.0 {
            kill(*process, Signal::SIGSTOP).expect("it is ours");
        }
        stopped
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for process in &self.0 {
            let _went_on = kill(*process, Signal::SIGCONT);
        }
    }
}
