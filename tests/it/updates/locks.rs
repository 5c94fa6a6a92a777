//! Locks of others: waited for without holding anybody up for long, and told by who holds them.

use std::time::{Duration, Instant};

use dealgraph::db::migrate::{self, MigrateError, Release};
use sqlx::{Connection as _, Executor as _, PgConnection};

use super::{SOON, later, patience};
use crate::harness::{Database, test};

/// A later version that adds a column to a table.
fn adds_a_column() -> Release {
    let this = Release::this();
    let next = this.version().migration + 1;
    this.and(later(next, "ALTER TABLE companies ADD COLUMN fresh text"))
}

/// A transaction that has read the table, and does not end by itself.
async fn reader(database: &Database) -> PgConnection {
    let mut reader = database.connect("dealgraph_app").await;
    reader
        .execute("BEGIN; SELECT count(*) FROM companies")
        .await
        .expect("the login may read");
    reader
}

#[test]
fn a_reader_that_holds_a_lock_for_a_while_delays_and_does_not_break_it() {
    test(async |world| {
        let database = Database::migrated().await;
        let owner = database.options(migrate::OWNER).await;
        let mut reader = reader(&database).await;
        let release = adds_a_column();
        let run = async {
            let done = release.run(&owner, patience(SOON)).await;
            (done, Instant::now())
        };
        let others = async {
            // They wait behind an attempt, and no longer than that.
            let mut slowest = Duration::ZERO;
            for _ in 0..12 {
                tokio::time::sleep(Duration::from_millis(150)).await;
                let mut other = database.connect("dealgraph_app").await;
                let began = Instant::now();
                other
                    .execute("SELECT count(*) FROM companies")
                    .await
                    .expect("nobody gives up");
                slowest = slowest.max(began.elapsed());
                other.close().await.expect("it ends");
            }
            let let_go = Instant::now();
            reader.execute("COMMIT").await.expect("it ends");
            (slowest, let_go)
        };
        let ((done, ended), (slowest, let_go)) = tokio::join!(run, others);
        assert!(ended > let_go, "it waits");
        assert!(slowest < Duration::from_secs(2), "{slowest:?}");
        let report = done.expect("it goes on");
        assert!(report.repeated >= 1, "{report:?}");
        assert_eq!(report.migrations_applied.len(), 1);
        let said = world.logs.text();
        assert!(
            said.contains("waiting for a lock on companies that pid ")
                && said.contains("dealgraph_app"),
            "{said}"
        );
        drop(reader);
        database.drop().await;
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_held_for_ever_ends_in_an_error_that_names_who_holds_it() {
    let database = Database::migrated().await;
    let owner = database.options(migrate::OWNER).await;
    let mut reader = reader(&database).await;
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut reader)
        .await
        .unwrap();
    let began = Instant::now();
    let total = Duration::from_secs(3);
    let refused = adds_a_column().run(&owner, patience(total)).await;
    let error = refused.expect_err("it can't");
    assert!(matches!(error, MigrateError::Blocked { attempts, .. } if attempts > 1));
    let said = error.to_string();
    for part in [
        "migration ",
        "a lock on companies that pid ",
        &format!("pid {pid} holds (dealgraph_app"),
        "dealgraph migrate",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(began.elapsed() < total * 3, "{:?}", began.elapsed());
    reader.execute("COMMIT").await.expect("it ends");
    // Nothing of it was done, and it can be run again.
    let report = adds_a_column().run(&owner, patience(SOON)).await.unwrap();
    assert_eq!(report.migrations_applied.len(), 1);
    drop(reader);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_run_that_never_ends_is_named_too() {
    let database = Database::migrated().await;
    let owner = database.options(migrate::OWNER).await;
    let mut other = database.connect(migrate::OWNER).await;
    let pid: i32 = sqlx::query_scalar(
        "SELECT pg_backend_pid() FROM pg_advisory_lock(x'6465616c67726170'::bigint)",
    )
    .fetch_one(&mut other)
    .await
    .unwrap();
    let total = Duration::from_secs(1);
    let refused = Release::this().run(&owner, patience(total)).await;
    let said = refused.expect_err("it has no turn").to_string();
    assert!(
        said.contains(&format!("pid {pid}")) && said.contains("another `dealgraph migrate`"),
        "{said}"
    );
    other.close().await.expect("it ends");
    let done = Release::this().run(&owner, patience(SOON)).await;
    done.expect("it has its turn");
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadlock_with_somebody_is_repeated() {
    let database = Database::migrated().await;
    let owner = database.options(migrate::OWNER).await;
    let this = Release::this();
    let next = this.version().migration + 1;
    let release = this.and(later(
        next,
        "ALTER TABLE companies ADD COLUMN fresh text; SELECT pg_sleep(1); ALTER TABLE leads ADD COLUMN fresh text",
    ));
    // Long enough that Postgres sees the deadlock before either gives up.
    let mut patience = patience(SOON);
    (patience.lock, patience.longest_lock) = (Duration::from_secs(8), Duration::from_secs(8));
    let mut other = database.superuser().await;
    other
        .execute("SET deadlock_timeout = '60s'; BEGIN; LOCK TABLE leads IN ROW EXCLUSIVE MODE")
        .await
        .unwrap();
    let crossing = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        other
            .execute("LOCK TABLE companies IN ROW EXCLUSIVE MODE; COMMIT")
            .await
            .expect("the other one goes on");
    };
    let (done, ()) = tokio::join!(release.run(&owner, patience), crossing);
    let report = done.expect("it is repeated");
    assert_eq!((report.repeated, report.migrations_applied.len()), (1, 1));
    drop(other);
    database.drop().await;
}
