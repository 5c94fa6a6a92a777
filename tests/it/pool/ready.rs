//! Connections that rest: whichever was used last is next, and one that was ended meanwhile is replaced.

use std::{collections::HashSet, sync::Arc, time::Duration};

use dealgraph::{
    base::error::Result,
    crm::companies::Company,
    db::{
        Db, Predicate, Quantifier, Sql,
        list::{self, Record as _},
    },
};
use futures_util::future::join_all;
use tokio::sync::Barrier;
use uuid::Uuid;

use super::{CONNECTIONS, expected, look, nobody_stays_in_a_transaction, touch};
use crate::harness::{A, B, Side, Who, open, test};

/// The process of Postgres that answers.
async fn process(db: &Db, side: Side) -> Result<i32> {
    let session = db.read_session(side.actor(Who::Admin));
    let pid = session.run(async |tx| tx.column(Sql::new("SELECT pg_backend_pid()")).await);
    Ok(pid.await?.remove(0))
}

/// That many at the same time, so that as many connections are made.
async fn processes(db: &Db, count: usize) -> Result<HashSet<i32>> {
    let all = Arc::new(Barrier::new(count));
    let of_one = |_| async {
        let session = db.read_session(A.actor(Who::Admin));
        session
            .run(async |tx| {
                let pid = tx.column(Sql::new("SELECT pg_backend_pid()")).await?;
                all.wait().await;
                Ok(pid[0])
            })
            .await
    };
    join_all((0..count).map(of_one)).await.into_iter().collect()
}

#[test]
fn the_next_caller_takes_the_connection_that_was_used_last() {
    test(async |world| {
        let db = open(&world.database, CONNECTIONS as u32).await;
        let all = processes(&db, CONNECTIONS).await.unwrap();
        assert_eq!(all.len(), CONNECTIONS);
        let first = process(&db, A).await.unwrap();
        for round in 0..20 {
            let side = if round % 2 == 0 { A } else { B };
            assert_eq!(process(&db, side).await.unwrap(), first, "round {round}");
            let touched = touch(&db, side).await;
            touched.expect("a write alternates with the reads");
        }
        assert_eq!(processes(&db, CONNECTIONS).await.unwrap(), all);
        db.close().await;
        let mut inspector = world.database.superuser().await;
        for pid in all {
            gone(&mut inspector, pid).await;
        }
    });
}

#[test]
fn connections_that_postgres_ended_while_they_rested_are_replaced_and_nobody_notices() {
    test(async |world| {
        let db = open(&world.database, CONNECTIONS as u32).await;
        let mut inspector = world.database.superuser().await;
        for round in 0..3 {
            let ended = processes(&db, CONNECTIONS).await.unwrap();
            for pid in &ended {
                sqlx::query("SELECT pg_terminate_backend($1)")
                    .bind(pid)
                    .execute(&mut inspector)
                    .await
                    .unwrap();
                gone(&mut inspector, *pid).await;
            }
            touch(&db, B).await.expect("the write finds another one");
            let new = processes(&db, CONNECTIONS).await.unwrap();
            assert!(new.is_disjoint(&ended), "round {round}");
            assert_eq!(look(&db, A).await.unwrap(), expected(A));
        }
        db.close().await;
    });
}

#[test]
fn an_answer_that_nobody_reads_to_its_end_is_not_left_to_the_next_caller() {
    test(async |world| {
        let db = open(&world.database, 1).await;
        for _ in 0..10 {
            let session = db.read_session(B.actor(Who::Admin));
            // The first row is no number, which ends the reading; the last one can't be worked out.
            let rows = session
                .run(async |tx| {
                    let numbers =
                        "SELECT CASE WHEN n < 90000 THEN 'a' ELSE (1 / (n - 90000))::text END
                         FROM generate_series(1, 90000) n";
                    tx.all::<(i64,)>(Sql::new(numbers)).await
                })
                .await;
            assert!(rows.is_err());
            drop(session);
            assert_eq!(look(&db, A).await.unwrap(), expected(A));
        }
        db.close().await;
    });
}

/// How often companies of a side have been touched, as a member of it sees them.
async fn touches(db: &Db, side: Side) -> Result<i64> {
    let session = db.read_session(side.actor(Who::Admin));
    let read = session.run(async |tx| {
        let sql = "SELECT sum(version)::bigint FROM companies t WHERE t.tenant_id = ";
        let sql = Sql::new(sql).bind(tx.tenant());
        tx.column(sql).await
    });
    Ok(read.await?.remove(0))
}

#[test]
fn a_snapshot_that_is_left_open_is_not_what_the_next_one_reads() {
    test(async |world| {
        let (readers, writers) = (
            open(&world.database, 1).await,
            open(&world.database, 1).await,
        );
        let mut seen = touches(&readers, A).await.unwrap();
        // More of them than go without a pause, with the other tenant's between, and failures.
        for round in 0..100 {
            touch(&writers, A).await.unwrap();
            let now = touches(&readers, A).await.unwrap();
            assert_eq!(now, seen + 1, "round {round}");
            seen = now;
            assert_eq!(look(&readers, B).await.unwrap(), expected(B));
            if round % 10 == 0 {
                let failing = readers.read_session(B.actor(Who::Admin));
                let failed = failing
                    .run(async |tx| tx.rows(Sql::new("SELECT 1 / 0")).await)
                    .await;
                assert!(failed.is_err(), "it was meant to fail");
            }
        }
        // And when nobody follows, it ends.
        nobody_stays_in_a_transaction(&world.database).await;
        readers.close().await;
        writers.close().await;
    });
}

/// A filter that takes so many bytes of a statement, about.
fn long_filter(bytes: usize) -> Predicate {
    let arm = || Predicate::Related {
        quantifier: Quantifier::Some,
        table: dealgraph::crm::contacts::Contact::SOURCE,
        column: "company_id",
        own: "company_id",
        matching: Box::new(Predicate::Empty("email_normalized".into())),
    };
    Predicate::Any((0..bytes / 120).map(|_| arm()).collect())
}

#[test]
fn a_process_that_long_statements_have_made_grow_is_let_go() {
    test(async |world| {
        let db = open(&world.database, 1).await;
        let session = || db.read_session(A.actor(Who::Admin));
        let filtered = async |bytes: usize| {
            let filter = long_filter(bytes);
            let session = session();
            let matched = session.run(async |tx| {
                let found = list::matching(tx, Company::SOURCE, vec![Uuid::nil()], &filter).await?;
                assert!(found.is_empty());
                let kept = "SELECT max(length(statement))::int8 FROM pg_prepared_statements";
                tx.column::<i64>(Sql::new(kept)).await
            });
            matched.await.unwrap()[0]
        };
        let first = process(&db, A).await.unwrap();
        // What is short is kept prepared, and the connection with it.
        let kept = filtered(3_000).await;
        assert!((2_000..4_096).contains(&kept), "{kept}");
        assert_eq!(process(&db, A).await.unwrap(), first);
        // What is long is not, and enough of it is the end of the connection.
        for _ in 0..4 {
            assert_eq!(filtered(12_000).await, kept);
            assert_eq!(process(&db, A).await.unwrap(), first);
        }
        filtered(40_000).await;
        let next = process(&db, A).await.unwrap();
        assert_ne!(next, first);
        let mut inspector = world.database.superuser().await;
        gone(&mut inspector, first).await;
        assert_eq!(process(&db, A).await.unwrap(), next);
        db.close().await;
    });
}

#[test]
fn the_memory_of_a_statement_is_bounded_whatever_the_server_has_for_others() {
    test(async |world| {
        let db = open(&world.database, 1).await;
        let session = db.read_session(A.actor(Who::Admin));
        for (setting, bound) in [
            ("work_mem", "4MB"),
            ("hash_mem_multiplier", "1"),
            ("max_parallel_workers_per_gather", "0"),
        ] {
            let sql = Sql::new("SELECT current_setting(").bind(setting).push(")");
            let found = session.run(async |tx| tx.column::<String>(sql).await);
            assert_eq!(found.await.unwrap(), [bound], "{setting}");
        }
        drop(session);
        db.close().await;
    });
}

/// Waits until a process of Postgres has ended.
async fn gone(inspector: &mut sqlx::PgConnection, pid: i32) {
    let wait = async {
        let is_there = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)";
        while sqlx::query_scalar(is_there)
            .bind(pid)
            .fetch_one(&mut *inspector)
            .await
            .unwrap()
        {}
    };
    let waited = tokio::time::timeout(Duration::from_secs(10), wait).await;
    waited.expect("it ends");
}
