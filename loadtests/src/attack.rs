//! Users that ask as fast as they are answered, run by goose.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex as StdMutex, PoisonError},
    time::Duration,
};

use goose::{
    GooseAttack,
    config::GooseConfiguration,
    goose::{
        GooseUser, Scenario, Transaction, TransactionError, TransactionFunction, TransactionResult,
    },
};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};

use crate::{Outcome, client::Connection, workload::Workload};

/// The label that goose keeps the times under.
const METHOD: &str = "POST";
/// After a failure a user waits, so that a broken server is not flooded; the round is lost anyway.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// What a round came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attacked {
    pub(crate) requests: usize,
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// What can be asked.
pub(crate) trait Target {
    /// Where it listens.
    fn address(&self) -> SocketAddr;

    /// Empties its log, so that a round does not pay for the one before.
    fn clear_log(&self) -> Outcome<()> {
        Ok(())
    }
}

/// What all users share.
struct UserPool {
    workload: Arc<Workload>,
    users: Vec<Mutex<User>>,
    failure: StdMutex<Option<String>>,
}

/// A user's connection, how often it asked, and when it asked first and was answered last.
struct User {
    connection: Connection,
    asked: usize,
    first: Option<Instant>,
    last: Option<Instant>,
}

/// Lets that many users ask for that long.
pub(crate) async fn run(
    server: &impl Target,
    workload: &Arc<Workload>,
    users: u16,
    length: Duration,
) -> Outcome<Attacked> {
    server.clear_log()?;
    let mut connected = Vec::with_capacity(users.into());
    for _ in 0..users {
        let connection = Connection::open(server.address()).await?;
        connected.push(Mutex::new(User {
            connection,
            asked: 0,
            first: None,
            last: None,
        }));
    }
    let pool = Arc::new(UserPool {
        workload: Arc::clone(workload),
        users: connected,
        failure: StdMutex::default(),
    });

    let shared = Arc::clone(&pool);
    let ask: TransactionFunction = Arc::new(move |user| {
        let pool = Arc::clone(&shared);
        Box::pin(async move { ask(&pool, user).await })
    });
    let metrics = GooseAttack::initialize_with_config(configuration(server, users, length)?)?
        .register_scenario(Scenario::new(workload.name).register_transaction(Transaction::new(ask)))
        .execute()
        .await?;

    if let Some(failure) = pool
        .failure
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take()
    {
        return Err(format!("{}: {failure}", workload.name).into());
    }
    let times = &metrics
        .requests
        .values()
        .next()
        .ok_or("nobody was answered")?
        .raw_data;
    let milliseconds = |microseconds: u64| Duration::from_micros(microseconds).as_secs_f64() * 1e3;
    let (requests, span) = counted(&pool).await?;
    Ok(Attacked {
        requests,
        per_second: requests as f64 / span.as_secs_f64(),
        p50_ms: milliseconds(times.percentile_us(0.5)),
        p99_ms: milliseconds(times.percentile_us(0.99)),
    })
}

fn configuration(
    server: &impl Target,
    users: u16,
    length: Duration,
) -> Outcome<GooseConfiguration> {
    let options = [
        format!("--host=http://{}", server.address()),
        format!("--users={users}"),
        format!("--increase-rate={}", u32::from(users) * 100),
        format!("--run-time={}s", length.as_secs()),
        "--no-transaction-metrics".to_owned(),
        "--no-scenario-metrics".to_owned(),
        "--no-print-metrics".to_owned(),
        "--no-telnet".to_owned(),
        "-qq".to_owned(),
    ];
    Ok(GooseConfiguration::parse_args_default(&options)?)
}

/// One request of a user.
async fn ask(pool: &UserPool, goose: &mut GooseUser) -> TransactionResult {
    let number = goose.weighted_users_index;
    let mut user = pool.users[number].lock().await;
    let question = pool.workload.question(number, user.asked);
    user.asked += 1;
    let asked = Instant::now();
    let answer = user.connection.ask(question).await;
    let answered = Instant::now();
    user.first.get_or_insert(asked);
    user.last = Some(answered);
    drop(user);
    let (method, name) = (METHOD, pool.workload.name);
    let Err(error) = answer else {
        return goose
            .record_custom_request_duration(method, name, answered - asked, true, None, None)
            .await;
    };
    let error = error.to_string();
    goose
        .record_custom_request_duration(method, name, answered - asked, false, None, Some(&error))
        .await?;
    pool.failure
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get_or_insert_with(|| error.clone());
    sleep(AFTER_FAILURE).await;
    Err(Box::new(TransactionError::Custom(error)))
}

/// How many requests there were, from the first question to the last answer. goose counts only from the moment that
/// all users are there.
async fn counted(pool: &UserPool) -> Outcome<(usize, Duration)> {
    let (mut requests, mut first, mut last) = (0, None, None);
    for user in &pool.users {
        let user = user.lock().await;
        requests += user.asked;
        first = first.into_iter().chain(user.first).min();
        last = last.into_iter().chain(user.last).max();
    }
    Ok((
        requests,
        last.ok_or("nobody was answered")? - first.ok_or("nobody asked")?,
    ))
}

/// Ends at Ctrl-C: goose has a handler of its own, which keeps the signal from ours.
pub(crate) async fn interrupted() {
    while !goose::is_killswitch_triggered() {
        sleep(Duration::from_millis(100)).await;
    }
}
