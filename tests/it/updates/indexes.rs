//! Indexes that are built while others write.

use std::time::Duration;

use dealgraph::db::migrate::{self, MigrateError, Release};
use sqlx::{Connection as _, Executor as _, PgConnection};

use super::{SOON, later, patience};
use crate::harness::Database;

const INDEX: &str = "-- no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS companies_website_idx ON companies (tenant_id, website)";

fn builds_an_index() -> Release {
    let this = Release::this();
    let next = this.version().migration + 1;
    this.and(later(next, INDEX))
}

/// Whether the index is there and good; nothing when it is not there.
async fn state(connection: &mut PgConnection) -> Option<bool> {
    let sql = "SELECT i.indisvalid FROM pg_index i WHERE i.indexrelid = to_regclass('companies_website_idx')";
    sqlx::query_scalar(sql)
        .fetch_optional(connection)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_an_interrupted_run_has_left_is_built_anew() {
    let database = Database::of_world().await;
    let owner = database.options(migrate::OWNER).await;
    // A transaction that does not end keeps the index from being finished, and the run gives up.
    let mut writer = database.superuser().await;
    writer
        .execute("BEGIN; UPDATE companies SET website = 'https://x.example'")
        .await
        .unwrap();
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut writer)
        .await
        .unwrap();
    let release = builds_an_index();
    let refused = release.run(&owner, patience(Duration::from_secs(2))).await;
    let error = refused.expect_err("it waits for the writer");
    assert!(matches!(error, MigrateError::Blocked { .. }), "{error}");
    assert!(error.to_string().contains(&format!("pid {pid}")), "{error}");
    let mut inspector = database.superuser().await;
    assert_eq!(state(&mut inspector).await, Some(false));
    writer.execute("COMMIT").await.unwrap();

    let report = release.run(&owner, patience(SOON)).await.unwrap();
    assert_eq!(report.migrations_applied.len(), 1);
    assert_eq!(state(&mut inspector).await, Some(true));
    // Built and not noted, as when the process ended just then, it is noted by the next run.
    let last = release.version().migration;
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version = $1")
        .bind(last)
        .execute(&mut inspector)
        .await
        .unwrap();
    let again = release.run(&owner, patience(SOON)).await.unwrap();
    assert_eq!(again.migrations_applied, [last]);
    for connection in [writer, inspector] {
        connection.close().await.unwrap();
    }
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_is_built_while_others_write_and_other_runs_wait_for_their_turn() {
    let database = Database::of_world().await;
    let owner = database.options(migrate::OWNER).await;
    let writing = async {
        let mut writer = database.superuser().await;
        for round in 0..40 {
            let sql = "UPDATE companies SET website = $1";
            let written = sqlx::query(sql)
                .bind(format!("https://{round}.example"))
                .execute(&mut writer);
            written.await.expect("nobody keeps it from writing");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let release = builds_an_index();
    let runs = futures_util::future::join_all((0..4).map(|_| release.run(&owner, patience(SOON))));
    let (runs, ()) = tokio::join!(runs, writing);
    let mut applied: Vec<_> = runs
        .into_iter()
        .map(|run| run.expect("each run succeeds").migrations_applied.len())
        .collect();
    applied.sort_unstable();
    assert_eq!(applied, [0, 0, 0, 1]);
    let mut inspector = database.superuser().await;
    assert_eq!(state(&mut inspector).await, Some(true));
    drop(inspector);
    database.drop().await;
}
