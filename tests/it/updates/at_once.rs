//! Ten runs at the same time.

use dealgraph::db::migrate::{self, POLICIES, Release, Report};
use futures_util::future::join_all;

use super::{FIXTURE, later};
use crate::harness::Database;

/// Runs at the same time.
const RUNS: usize = 10;

async fn ten(database: &Database) -> Vec<Report> {
    let owner = database.options(migrate::OWNER).await;
    let runs = join_all((0..RUNS).map(|_| migrate::run(&owner))).await;
    runs.into_iter()
        .map(|run| run.expect("each run succeeds"))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_runs_at_once_on_an_empty_database_apply_everything_once() {
    let database = Database::empty().await;
    let reports = ten(&database).await;
    let mut done: Vec<_> = reports
        .iter()
        .map(|report| {
            (
                report.migrations_applied.len(),
                report.policies_applied.len(),
            )
        })
        .collect();
    done.sort_unstable();
    let all = (Release::this().known().count(), POLICIES.len());
    assert_eq!(done.pop(), Some(all));
    assert_eq!(done, [(0, 0); RUNS - 1]);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_runs_at_once_on_an_old_database_apply_what_is_missing_once() {
    let database = Database::restored(FIXTURE).await;
    let reports = ten(&database).await;
    let mut applied: Vec<i64> = reports
        .iter()
        .flat_map(|report| report.migrations_applied.clone())
        .collect();
    let missing: Vec<i64> = Release::this().known().filter(|n| *n > 21).collect();
    applied.sort_unstable();
    assert_eq!(applied, missing);
    let with_policies = reports.iter().filter(|r| !r.policies_applied.is_empty());
    assert_eq!(with_policies.count(), 1);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_ends_in_the_middle_is_finished_by_the_next() {
    let database = Database::empty().await;
    let owner = database.options(migrate::OWNER).await;
    let this = Release::this();
    let next = this.version().migration + 1;
    // Its second statement fails, so nothing of the first one stays.
    let broken = this.clone().and(later(
        next,
        "CREATE TABLE app.half (x int); SELECT 1 / (SELECT count(*) FROM app.half)",
    ));
    let failed = broken.run(&owner, Default::default()).await;
    let said = failed.expect_err("it divides by zero").to_string();
    assert!(said.contains("division by zero"), "{said}");
    let mut superuser = database.superuser().await;
    let half: bool = sqlx::query_scalar("SELECT to_regclass('app.half') IS NOT NULL")
        .fetch_one(&mut superuser)
        .await
        .unwrap();
    assert!(!half, "half of a migration stayed");
    let mended = this.and(later(next, "CREATE TABLE app.half (x int)"));
    let report = mended.run(&owner, Default::default()).await.unwrap();
    assert_eq!(report.migrations_applied, [next]);
    assert_eq!(report.policies_applied.len(), POLICIES.len());
    drop(superuser);
    database.drop().await;
}
