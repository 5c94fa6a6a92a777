//! How many small jobs two cores do a second, of one tenant and of many, beside pgbench taking and ending them one by one on
//! the same tables; and how late the only job of a tenant begins while another has a hundred thousand.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use dealgraph::{
    access::{Actor, Subject},
    base::{error::Result, ids::TenantId},
    jobs::{Authority, Done, Failure, Handler, Handlers, Job, Run, Worker, WorkerSettings},
};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, Row as _};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Options, Outcome,
    cluster::{Cluster, DATABASE},
    data, fair, pgbench, report, say,
    script::Script,
    server::{self, Server},
    workload::{self, WorkloadKind},
};

/// Jobs of a round.
const JOBS: i64 = 20_000;
/// Jobs of the tenant that has many, while another has one.
const WAITING: i64 = 100_000;
/// Jobs that wait while it is measured how many are done.
const MILLION: i64 = 1_000_000;
/// Jobs that are put into the queues each second beside requests.
const PER_SECOND: i32 = 1_000;
/// Connections for people and jobs.
const CONNECTIONS: u32 = 16;
/// How long pgbench takes and ends jobs.
const LIMIT_FOR: Duration = Duration::from_secs(5);

/// Does nothing, so that what is measured is the queue.
#[derive(Serialize, Deserialize)]
struct Nothing {}

impl Job for Nothing {
    const KIND: &'static str = "loadtest.nothing";
}

struct DoesNothing;

impl Handler for DoesNothing {
    type Job = Nothing;

    async fn run(&self, _: Nothing, _: &Run) -> std::result::Result<Done, Failure> {
        Ok(Done::quietly())
    }
}

/// All of these jobs are the server's own.
struct Nobody;

impl Authority for Nobody {
    fn actor(&self, _: TenantId, _: Subject) -> BoxFuture<'_, Result<Option<Arc<Actor>>>> {
        Box::pin(async { Ok(None) })
    }
}

/// Measures.
pub(crate) async fn run(options: &Options, cluster: &Cluster) -> Outcome<()> {
    data::ensure(cluster, data::Set::Usual).await?;
    let mut database = cluster.superuser().await?;
    let tenants: Vec<Uuid> = sqlx::query_scalar("SELECT tenant_id FROM tenants ORDER BY tenant_id")
        .fetch_all(&mut database)
        .await?;
    println!(
        "\n{}, PostgreSQL {}; {JOBS} jobs that do nothing, {} slots; medians of {} rounds\n\n\
         | jobs of | jobs/s | pgbench, one by one | ratio |\n|---|--:|--:|--:|",
        report::machine(),
        cluster.postgres_version(),
        WorkerSettings::default().slots,
        options.rounds
    );
    for (name, of) in [("one tenant", &tenants[..1]), ("all tenants", &tenants[..])] {
        let (mut jobs, mut limits) = (Vec::new(), Vec::new());
        for round in 1..=options.rounds {
            put(&mut database, of, JOBS).await?;
            jobs.push(JOBS as f64 / done(cluster, &mut database).await?.as_secs_f64());
            // More than it takes in its time.
            put(&mut database, of, 4 * JOBS).await?;
            let limit = pgbench::run(cluster, &one_by_one(of), 8, LIMIT_FOR).await?;
            limits.push(limit);
            say(&format!(
                "round {round}, {name}: {:.0} jobs/s, pgbench {limit:.0}",
                jobs[jobs.len() - 1]
            ));
        }
        let (jobs, limit) = (median(jobs), median(limits));
        println!("| {name} | {jobs:.0} | {limit:.0} | {:.1} |", jobs / limit);
    }
    let mut delays = Vec::new();
    for _ in 0..options.rounds {
        delays.push(delay(cluster, &mut database, (tenants[0], tenants[1])).await?);
    }
    println!(
        "\nThe only job of a tenant began {:.0} ms after its time, beside {WAITING} of another one (median).",
        1_000.0 * median(delays)
    );
    million(cluster, &mut database, &tenants).await?;
    beside_requests(options, cluster, &mut database, &tenants).await?;
    clear(&mut database).await
}

/// How many jobs are done a second while a million wait.
async fn million(cluster: &Cluster, database: &mut PgConnection, tenants: &[Uuid]) -> Outcome<()> {
    put(database, tenants, MILLION).await?;
    let stop = work(cluster);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (began, before) = (Instant::now(), left(database).await?);
    tokio::time::sleep(Duration::from_secs(15)).await;
    let done = before - left(database).await?;
    stop.cancel();
    println!(
        "\nWhile {MILLION} of all tenants wait, {:.0} are done a second.",
        done as f64 / began.elapsed().as_secs_f64()
    );
    Ok(())
}

/// How long people wait for a list while jobs are done at an even pace, beside how long they wait without.
async fn beside_requests(
    options: &Options,
    cluster: &Cluster,
    database: &mut PgConnection,
    tenants: &[Uuid],
) -> Outcome<()> {
    clear(database).await?;
    let all = workload::all(database, cluster).await?;
    let lists = all
        .iter()
        .find(|workload| workload.kind == WorkloadKind::List);
    let read = lists.and_then(|lists| lists.variants.last());
    let read = read.ok_or("nothing to read")?.questions[0].clone();
    let executable = server::executable(options)?;
    let server = Server::start_with(cluster, &executable, 16, &[]).await?;
    let length = Duration::from_secs(5);
    _ = fair::paced(&server, &read, Duration::from_secs(1)).await?;
    let (mut alone, mut beside, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=options.rounds.max(5) {
        alone.push(fair::paced(&server, &read, length).await?);
        let stop = work(cluster);
        let feeding = feed(cluster, tenants.to_vec(), stop.clone()).await?;
        let before = ended(database).await?;
        beside.push(fair::paced(&server, &read, length).await?);
        rates.push((ended(database).await? - before) as f64 / length.as_secs_f64());
        stop.cancel();
        feeding.await??;
        say(&format!(
            "round {round}: p50 / p99 {:.2?} ms alone, {:.2?} beside {:.0} jobs/s",
            alone[alone.len() - 1],
            beside[beside.len() - 1],
            rates[rates.len() - 1]
        ));
        clear(database).await?;
    }
    server.stop().await?;
    let of = |times: &[fair::Times], which: &dyn Fn(&fair::Times) -> f64| {
        median(times.iter().map(which).collect())
    };
    let ([p50, p99], [p50_beside, p99_beside]) = [&alone, &beside]
        .map(|times| [of(times, &|times| times.0), of(times, &|times| times.1)])
        .into();
    println!(
        "\nA list 100 times a second: p50 / p99 {p50:.1} / {p99:.1} ms alone, {p50_beside:.1} / {p99_beside:.1} ms beside \
         {:.0} jobs/s (ratios {:.2}, {:.2}).",
        median(rates),
        p50_beside / p50,
        p99_beside / p99
    );
    Ok(())
}

/// Puts jobs into the queues of tenants at an even pace, until stopped.
async fn feed(
    cluster: &Cluster,
    tenants: Vec<Uuid>,
    stop: CancellationToken,
) -> Outcome<tokio::task::JoinHandle<Result<(), sqlx::Error>>> {
    let mut database = cluster.superuser().await?;
    let put = "WITH new AS (INSERT INTO jobs (tenant_id, job_id, kind, arguments, due_at, author, visible_to, request_id, \
        created_at) SELECT ($1::uuid[])[1 + (random() * (cardinality($1) - 1))::int], gen_random_uuid(), \
        'loadtest.nothing', '{}', now(), 'system:loadtest', '', 'loadtest', now() FROM generate_series(1, $2) n \
        RETURNING tenant_id) INSERT INTO job_queues (tenant_id, due_at) SELECT DISTINCT tenant_id, now() FROM new \
        ON CONFLICT (tenant_id) DO UPDATE SET due_at = least(job_queues.due_at, excluded.due_at)";
    Ok(tokio::spawn(async move {
        let mut due = tokio::time::interval(Duration::from_millis(100));
        while stop.run_until_cancelled(due.tick()).await.is_some() {
            let put = sqlx::query(put).bind(&tenants).bind(PER_SECOND / 10);
            put.execute(&mut database).await?;
        }
        Ok(())
    }))
}

async fn ended(database: &mut PgConnection) -> Outcome<i64> {
    let ended = "SELECT count(*) FROM jobs WHERE due_at IS NULL AND kind = 'loadtest.nothing'";
    Ok(sqlx::query(ended).fetch_one(database).await?.get(0))
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

async fn clear(database: &mut PgConnection) -> Outcome<()> {
    // A worker that was told to stop notes what it has done first, and must not be met there.
    let running =
        "SELECT count(*) FROM jobs WHERE status = 'RUNNING' AND kind = 'loadtest.nothing'";
    for _ in 0..100 {
        let running: i64 = sqlx::query(running).fetch_one(&mut *database).await?.get(0);
        if running == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    sqlx::raw_sql("DELETE FROM jobs WHERE kind = 'loadtest.nothing'; UPDATE job_queues SET due_at = 'infinity'")
        .execute(database)
        .await?;
    Ok(())
}

/// Puts so many jobs into the queues of tenants, as if they had been there all along.
async fn put(database: &mut PgConnection, tenants: &[Uuid], jobs: i64) -> Outcome<()> {
    clear(database).await?;
    sqlx::query(
        "INSERT INTO jobs (tenant_id, job_id, kind, arguments, due_at, author, visible_to, request_id, created_at) \
         SELECT ($1::uuid[])[1 + n % cardinality($1)], gen_random_uuid(), 'loadtest.nothing', '{}', now(), 'system:loadtest', \
         '', 'loadtest', now() FROM generate_series(1, $2) n",
    )
    .bind(tenants)
    .bind(jobs)
    .execute(&mut *database)
    .await?;
    sqlx::query(
        "INSERT INTO job_queues (tenant_id, due_at) SELECT DISTINCT tenant_id, now() FROM jobs WHERE due_at <= now() \
         ON CONFLICT (tenant_id) DO UPDATE SET due_at = now()",
    )
    .execute(&mut *database)
    .await?;
    sqlx::raw_sql("VACUUM ANALYZE jobs, job_queues")
        .execute(database)
        .await?;
    Ok(())
}

/// A worker, until it is dropped with its token.
fn work(cluster: &Cluster) -> CancellationToken {
    let handlers = Handlers::default().with(DoesNothing);
    let settings = WorkerSettings::default();
    let worker = Worker::new(
        cluster.db_of(DATABASE, CONNECTIONS),
        handlers,
        Arc::new(Nobody),
        settings,
    );
    let stop = CancellationToken::new();
    tokio::spawn(Arc::new(worker).run(stop.clone()));
    stop
}

async fn left(database: &mut PgConnection) -> Outcome<i64> {
    let left = sqlx::query(
        "SELECT count(*) FROM jobs WHERE due_at IS NOT NULL AND kind = 'loadtest.nothing'",
    );
    Ok(left.fetch_one(database).await?.get(0))
}

/// How long it takes until none is left.
async fn done(cluster: &Cluster, database: &mut PgConnection) -> Outcome<Duration> {
    let began = Instant::now();
    let stop = work(cluster);
    while left(database).await? > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.cancel();
    Ok(began.elapsed())
}

/// How long after its time the only job of a tenant begins, in seconds.
async fn delay(
    cluster: &Cluster,
    database: &mut PgConnection,
    (many, one): (Uuid, Uuid),
) -> Outcome<f64> {
    put(database, &[many], WAITING).await?;
    let stop = work(cluster);
    tokio::time::sleep(Duration::from_secs(2)).await;
    sqlx::query(
        "INSERT INTO jobs (tenant_id, job_id, kind, arguments, due_at, author, visible_to, request_id, created_at) \
         VALUES ($1, gen_random_uuid(), 'loadtest.nothing', '{}', now(), 'system:loadtest', '', 'loadtest', now())",
    )
    .bind(one)
    .execute(&mut *database)
    .await?;
    sqlx::query("INSERT INTO job_queues (tenant_id, due_at) VALUES ($1, now()) ON CONFLICT (tenant_id) DO UPDATE SET due_at = now()")
        .bind(one)
        .execute(&mut *database)
        .await?;
    loop {
        let begun = "SELECT extract(epoch FROM started_at - created_at)::float8 FROM jobs \
                     WHERE tenant_id = $1 AND kind = 'loadtest.nothing' AND started_at IS NOT NULL";
        let begun = sqlx::query(begun)
            .bind(one)
            .fetch_optional(&mut *database)
            .await?;
        if let Some(begun) = begun {
            let others = left(database).await?;
            stop.cancel();
            return match others {
                0 => Err("the other tenant had no jobs any more, so nothing was measured".into()),
                _ => Ok(begun.get(0)),
            };
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What it takes at the least: a job is taken and ended, by one statement each, under the same policies.
fn one_by_one(tenants: &[Uuid]) -> Script {
    let ids: Vec<_> = tenants.iter().map(Uuid::to_string).collect();
    let settings = "SELECT set_config('app.tenant_id', :tenant, true), set_config('app.permissions', ',admin,', true);";
    let text = format!(
        "\\set n random(1, {count})\n\
         SELECT split_part('{ids}', ',', :n) AS tenant \\gset\n\
         BEGIN;\n{settings}\n\
         UPDATE jobs SET status = 'RUNNING', attempts = attempts + 1, fence = fence + 1, due_at = now() + interval '30 s', \
         started_at = now() WHERE tenant_id = :tenant AND job_id IN (SELECT job_id FROM jobs WHERE tenant_id = :tenant \
         AND due_at <= now() ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING job_id \\gset\n\
         COMMIT;\nBEGIN;\n{settings}\n\
         UPDATE jobs SET status = 'SUCCEEDED', due_at = NULL, ended_at = now() WHERE tenant_id = :tenant AND job_id = :job_id;\n\
         COMMIT;\n",
        count = tenants.len(),
        ids = ids.join(",")
    );
    Script {
        text,
        variables: Vec::new(),
        settings: Vec::new(),
        statements: 2,
    }
}
