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
    data, pgbench, report, say,
    script::Script,
};

/// Jobs of a round.
const JOBS: i64 = 20_000;
/// Jobs of the tenant that has many, while another has one.
const WAITING: i64 = 100_000;
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
    clear(&mut database).await
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

async fn clear(database: &mut PgConnection) -> Outcome<()> {
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
