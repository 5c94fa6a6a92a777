//! Whether people who sign in take the processor from those who work: queries, with and without sign-ins beside them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use dealgraph::organization::accounts::{HashCost, Hasher};
use serde_json::json;
use sqlx::PgConnection;
use tokio::{sync::Mutex, task::JoinSet, time::MissedTickBehavior};

use crate::{
    Options, Outcome, WARM_UP,
    attack::{self, Attacked},
    client::{Connection, Question},
    cluster::Cluster,
    data, say,
    server::{self, Server},
    workload::{self, WorkloadKind},
};

/// Sign-ins that begin each second.
const PER_SECOND: u32 = 50;
/// Connections that sign-ins are spread over, more than wait at the hasher.
const CONNECTIONS: usize = 64;
/// The password of all of them.
const PASSWORD: &str = "correct horse battery staple";

const SIGN_IN: &str = "mutation SignIn($input: SignInInput!) { \
    signIn(input: $input) { session { accessToken } userErrors { code } } }";

/// What became of the sign-ins of a round.
#[derive(Default)]
struct SignIns {
    times: Vec<Duration>,
    refused: usize,
    last_refusal: Option<String>,
}

/// Measures, and prints the figures.
pub(crate) async fn run(options: &Options, cluster: &Cluster) -> Outcome<()> {
    data::ensure(cluster, data::Set::Usual).await?;
    let mut database = cluster.superuser().await?;
    let emails = set_passwords(&mut database).await?;
    let everything = workload::all(&mut database, cluster).await?;
    let queries = everything
        .into_iter()
        .find(|workload| workload.kind == WorkloadKind::One);
    let queries = Arc::new(queries.ok_or("there is such a workload")?);
    let executable = server::executable(options)?;
    let server = Server::start(cluster, &executable, u32::from(options.users)).await?;
    let length = Duration::from_secs((options.seconds() / (2 * options.rounds)).max(3));
    attack::run(&server, &queries, options.users, WARM_UP).await?;
    println!(
        "| round | sign-ins/s asked | made | refused | their p50 ms | queries/s | p50 ms | p99 ms |"
    );
    println!("|--:|--:|--:|--:|--:|--:|--:|--:|");
    for round in 1..=options.rounds {
        let alone = attack::run(&server, &queries, options.users, length).await?;
        line(round, None, alone);
        let stop = AtomicBool::new(false);
        let attacking = async {
            let done = attack::run(&server, &queries, options.users, length).await;
            stop.store(true, Ordering::Relaxed);
            done
        };
        let (beside, signed_in) = tokio::join!(attacking, sign_ins(&server, &emails, &stop));
        line(round, Some((signed_in?, length)), beside?);
    }
    server.stop().await
}

fn line(round: u64, signed_in: Option<(SignIns, Duration)>, queries: Attacked) {
    let (asked, made, refused, p50) = match signed_in {
        None => (0, 0.0, 0, 0.0),
        Some((mut done, length)) => {
            done.times.sort_unstable();
            let median = done.times.get(done.times.len() / 2);
            if let Some(refusal) = &done.last_refusal {
                say(&format!("a sign-in was refused: {refusal}"));
            }
            (
                PER_SECOND,
                done.times.len() as f64 / length.as_secs_f64(),
                done.refused,
                median.map_or(0.0, |time| time.as_secs_f64() * 1e3),
            )
        }
    };
    println!(
        "| {round} | {asked} | {made:.1}/s | {refused} | {p50:.1} | {:.0} | {:.2} | {:.2} |",
        queries.per_second, queries.p50_ms, queries.p99_ms
    );
}

/// Lets people sign in, at a rate that does not wait for answers, until it is to stop.
async fn sign_ins(server: &Server, emails: &[String], stop: &AtomicBool) -> Outcome<SignIns> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(Arc::new(Mutex::new(server.connect().await?)));
    }
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut under_way = JoinSet::new();
    let (mut done, mut number) = (SignIns::default(), 0_usize);
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        let connection = Arc::clone(&connections[number % CONNECTIONS]);
        let input =
            json!({ "input": { "email": emails[number % emails.len()], "password": PASSWORD } });
        // Each from an address of its own, or they would be one attacker.
        let address = format!("198.51.{}.{}", number / 256 % 256, number % 256);
        let question = Question::anonymous(&address, SIGN_IN, &input)?;
        under_way.spawn(async move { sign_in(connection, question).await });
        while let Some(finished) = under_way.try_join_next() {
            note(&mut done, finished?);
        }
        number += 1;
    }
    while let Some(finished) = under_way.join_next().await {
        note(&mut done, finished?);
    }
    Ok(done)
}

async fn sign_in(connection: Arc<Mutex<Connection>>, question: Question) -> Outcome<Duration> {
    let began = Instant::now();
    connection.lock().await.ask(&question).await?;
    Ok(began.elapsed())
}

fn note(done: &mut SignIns, finished: Outcome<Duration>) {
    match finished {
        Ok(time) => done.times.push(time),
        Err(error) => {
            done.refused += 1;
            done.last_refusal = Some(error.to_string());
        }
    }
}

/// Gives some people a password, and returns their addresses.
async fn set_passwords(database: &mut PgConnection) -> Outcome<Vec<String>> {
    let hash = Hasher::new(HashCost::default())?.hash(PASSWORD).await?;
    let sql = "UPDATE users SET password_hash = $1, email_verified_at = now() WHERE user_id IN \
               (SELECT user_id FROM users ORDER BY user_id LIMIT 500) RETURNING email";
    Ok(sqlx::query_scalar(sql)
        .bind(hash)
        .fetch_all(database)
        .await?)
}
