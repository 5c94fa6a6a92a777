//! Connections are shared by tenants, one after the other. Whatever ends a request, an error, a client that goes away, a timeout
//! between any two polls, the next borrower of its connection finds nothing of it.

mod bouncer;
mod ready;

use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use dealgraph::{
    base::{
        error::{Error, Result},
        ids::{CompanyId, Typed as _},
    },
    db::{
        Db, Sql,
        journal::{Event, EventKind, Origin},
    },
};
use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::Barrier;

use crate::{
    defaults::served::Served,
    harness::{A, B, Database, Side, Who, open, test},
};

/// Requests that are cut off.
const CUT_OFF: usize = 10_000;
/// Connections that they share.
const CONNECTIONS: usize = 3;
/// Tasks that send them.
const TASKS: usize = 8;

/// The settings of a session of a side about its actor, and how many companies of each tenant it sees.
async fn look(db: &Db, side: Side) -> Result<(String, i64, i64)> {
    let sql = Sql::new("SELECT current_setting('app.tenant_id', true), (SELECT count(*) FROM companies t WHERE t.tenant_id = ")
        .bind(A.tenant())
        .push("), (SELECT count(*) FROM companies t WHERE t.tenant_id = ")
        .bind(B.tenant())
        .push(")");
    let session = db.read_session(side.actor(Who::Admin));
    session
        .run(async |tx| Ok(tx.all(sql).await?.remove(0)))
        .await
}

fn expected(side: Side) -> (String, i64, i64) {
    let own = |of| if side == of { 4 } else { 0 };
    (side.tenant().uuid().to_string(), own(A), own(B))
}

/// Touches a company and appends the event.
async fn touch(db: &Db, side: Side) -> Result<()> {
    let id: CompanyId = side.id(1);
    db.write(
        &side.actor(Who::Admin),
        &Origin::process("touch"),
        async |tx| {
            let sql = Sql::new("UPDATE companies t SET version = version + 1 WHERE t.tenant_id = ")
                .bind(tx.tenant());
            tx.execute(sql.push(" AND t.company_id = ").bind(id))
                .await?;
            tx.emit(Event {
                kind: EventKind::Updated,
                entity: "company",
                id: id.uuid(),
                version: 0,
                changed: Vec::new(),
                before: None,
                after: None,
                record: None,
                was: None,
                visible_before: None,
                visible_after: Some("|".to_owned()),
                parts: &[],
            });
            Ok(())
        },
    )
    .await
}

#[test]
fn tenants_share_one_connection_and_never_mix_also_after_failures() {
    test(async |world| {
        let mut inspector = world.database.superuser().await;
        let others: i64 = sqlx::query_scalar(OURS)
            .fetch_one(&mut inspector)
            .await
            .unwrap();
        let db = open(&world.database, 1).await;
        for round in 0..100 {
            for side in [A, B] {
                assert_eq!(
                    look(&db, side).await.unwrap(),
                    expected(side),
                    "round {round}"
                );
                let other = if side == A { B } else { A };
                let failed = match round % 4 {
                    0 => db
                        .read_session(side.actor(Who::Admin))
                        .run(async |tx| tx.rows(Sql::new("SELECT 1 / 0")).await)
                        .await
                        .map(drop),
                    1 => db
                        .write(&side.actor(Who::Admin), &Origin::process("x"), async |tx| {
                            tx.execute(Sql::new("SELECT 1 / 0")).await
                        })
                        .await
                        .map(drop),
                    2 => {
                        db.write(&side.actor(Who::Admin), &Origin::process("x"), async |_| {
                            Err::<(), _>(Error::Forbidden("do this"))
                        })
                        .await
                    }
                    _ => db
                        .write(
                            &side.actor(Who::Viewer),
                            &Origin::process("x"),
                            async |tx| {
                                let sql = Sql::new("DELETE FROM tenant_seq WHERE tenant_id = ")
                                    .bind(tx.tenant());
                                tx.execute(sql).await
                            },
                        )
                        .await
                        .map(drop),
                };
                assert!(failed.is_err(), "it was meant to fail");
                assert_eq!(
                    look(&db, other).await.unwrap(),
                    expected(other),
                    "after a failure, round {round}"
                );
            }
        }
        let both = (0..100).map(|n| if n % 3 == 0 { B } else { A });
        for (side, seen) in
            join_all(both.map(async |side| (side, look(&db, side).await.unwrap()))).await
        {
            assert_eq!(seen, expected(side), "all at once");
        }
        let connections: i64 = sqlx::query_scalar(OURS)
            .fetch_one(&mut inspector)
            .await
            .unwrap();
        // None of its own where the run has a PgBouncer, which had one already.
        assert!(connections - others <= 1, "{connections} of {others}");
        db.close().await;
    });
}

#[test]
fn ten_thousand_requests_cut_off_at_any_point_leave_nothing_behind() {
    test(async |world| {
        let db = open(&world.database, CONNECTIONS as u32).await;
        let tasks = (0..TASKS as u64).map(|seed| tokio::spawn(cut_off_many(db.clone(), seed)));
        let mut finished = 0;
        for task in tasks.collect::<Vec<_>>() {
            finished += task.await.expect("no request mixes tenants");
        }
        assert!(
            (CUT_OFF / 50..CUT_OFF * 9 / 10).contains(&finished),
            "{finished} of {CUT_OFF} were not cut off, so little was tried"
        );

        // All connections at once, each with the settings of who has it now.
        let barrier = Arc::new(Barrier::new(CONNECTIONS));
        let all = (0..CONNECTIONS).map(async |n| {
            let side = if n % 2 == 0 { A } else { B };
            let session = db.read_session(side.actor(Who::Admin));
            let tenant = session.run(async |tx| {
                let seen = tx
                    .column::<String>(Sql::new("SELECT current_setting('app.tenant_id', true)"))
                    .await?;
                barrier.wait().await;
                Ok(seen)
            });
            (side, tenant.await)
        });
        for (side, tenant) in tokio::time::timeout(Duration::from_secs(10), join_all(all))
            .await
            .expect("no connection was lost")
        {
            assert_eq!(tenant.unwrap(), [side.tenant().uuid().to_string()]);
        }
        nobody_stays_in_a_transaction(&world.database).await;

        // What was written was written whole: the events of each tenant are numbered without a hole.
        let mut inspector = world.database.superuser().await;
        let holes = "SELECT s.last_seq - count(e.seq), max(e.seq) - s.last_seq, s.last_seq FROM tenant_seq s
                     JOIN events e ON e.tenant_id = s.tenant_id GROUP BY s.tenant_id, s.last_seq";
        let holes: Vec<(i64, i64, i64)> = sqlx::query_as(holes)
            .fetch_all(&mut inspector)
            .await
            .unwrap();
        assert!(
            holes
                .iter()
                .all(|(missing, ahead, last)| (*missing, *ahead) == (0, 0) && *last > 1),
            "{holes:?}"
        );
        assert_eq!(holes.len(), 2);
        db.close().await;
    });
}

/// Sends one task's share of the requests; gives how many came to their end.
async fn cut_off_many(db: Db, seed: u64) -> usize {
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut finished = 0;
    for _ in 0..CUT_OFF / TASKS {
        let side = if chance.bool() { A } else { B };
        let (writes, by_time) = (chance.u8(..4) == 0, chance.u8(..8) == 0);
        let request = async {
            match writes {
                true => touch(&db, side).await.map(|()| None),
                false => look(&db, side).await.map(Some),
            }
        };
        let ended = match by_time {
            true => tokio::time::timeout(Duration::from_micros(chance.u64(..300)), request)
                .await
                .ok(),
            false => within(chance.usize(..14), request).await,
        };
        if let Some(seen) = ended {
            finished += 1;
            if let Some(seen) = seen.expect("the database answers") {
                assert_eq!(seen, expected(side));
            }
        }
    }
    finished
}

/// Polls a future so many times and drops it where it stands; finer than any timer, and it reaches every await.
async fn within<T>(polls: usize, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut left = polls;
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

#[test]
fn clients_that_hang_up_leave_nothing_behind() {
    test(async |world| {
        let documents = [
            "{ companies { nodes { name owner { name } parent { name } } totalCount } }",
            "{ memberships { totalCount } }",
        ];
        for n in 0..400 {
            let client = world.member(if n % 2 == 0 { A } else { B }, Who::Admin);
            within(
                n % 10,
                client.send(documents[n % documents.len()], json!({})),
            )
            .await;
        }
        for side in [A, B] {
            let seen = world
                .member(side, Who::Viewer)
                .query("{ tenant { id } companies { totalCount } }")
                .await;
            assert_eq!(
                seen,
                json!({ "tenant": { "id": side.tenant() }, "companies": { "totalCount": 4 } })
            );
        }
        nobody_stays_in_a_transaction(&world.database).await;
    });
}

/// The product's connections for people in this database.
const OURS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'dealgraph_app'";

/// Rollbacks are sent without waiting for their answer, so the last ones may be under way. One that never comes would be ended by
/// Postgres after ten seconds, which is longer than this waits.
async fn nobody_stays_in_a_transaction(database: &Database) {
    let mut inspector = database.superuser().await;
    let busy = format!("{OURS} AND state <> 'idle'");
    let asked = Instant::now();
    loop {
        let busy: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(busy.clone()))
            .fetch_one(&mut inspector)
            .await
            .unwrap();
        if busy == 0 {
            return;
        }
        assert!(
            asked.elapsed() < Duration::from_secs(5),
            "{busy} connections stay in a transaction"
        );
    }
}

/// Statements of ours that are under way for minutes.
const SLEEPING: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'
    AND usename = 'dealgraph_app' AND (wait_event_type = 'Lock' OR query LIKE '%pg_sleep%')";

async fn until(inspector: &mut sqlx::PgConnection, wanted: i64) {
    let wait = async {
        loop {
            let found: i64 = sqlx::query_scalar(SLEEPING)
                .fetch_one(&mut *inspector)
                .await
                .unwrap();
            if found == wanted {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(30), wait).await;
    waited.unwrap_or_else(|_| panic!("there never were {wanted} of them"));
}

#[test]
fn a_statement_stops_when_nobody_waits_for_it() {
    test(async |world| {
        let mut inspector = world.database.superuser().await;
        let db = open(&world.database, 1).await;
        let reading = tokio::spawn({
            let db = db.clone();
            async move {
                let session = db.read_session(A.actor(Who::Admin));
                let slow = session.run(async |tx| {
                    tx.execute(Sql::new("SET LOCAL statement_timeout = 0"))
                        .await?;
                    tx.execute(Sql::new("SELECT pg_sleep(3600)")).await
                });
                slow.await
            }
        });
        until(&mut inspector, 1).await;
        reading.abort();
        until(&mut inspector, 0).await;
        // The one connection is free again, and nothing is left of whom it served.
        assert_eq!(look(&db, B).await.unwrap(), expected(B));
        db.close().await;
    });
}

#[test]
fn a_client_that_hangs_up_stops_what_it_has_asked_for() {
    test(async |world| {
        let mut superuser = world.database.superuser().await;
        let unlimited = "DO $$ BEGIN
            EXECUTE format('ALTER ROLE dealgraph_app IN DATABASE %I SET statement_timeout = 0', current_database());
            EXECUTE format('ALTER ROLE dealgraph_app IN DATABASE %I SET lock_timeout = 0', current_database());
            END $$";
        sqlx::raw_sql(unlimited)
            .execute(&mut superuser)
            .await
            .unwrap();
        // In a server of its own, whose connections are new.
        let server = Served::over(&world.database, Arc::clone(&world.tokens), None).await;
        let mut keeper = world.database.superuser().await;
        sqlx::raw_sql("BEGIN; LOCK TABLE companies IN ACCESS EXCLUSIVE MODE")
            .execute(&mut keeper)
            .await
            .unwrap();
        let admin = world.a(Who::Admin);
        let token = admin.token().expect("a token").to_owned();
        {
            let asked = server.ask(&token, "{ companies(first: 1) { nodes { id } } }");
            tokio::select! {
                _ = asked => panic!("nobody can read now"),
                () = until(&mut superuser, 1) => {}
            }
        }
        until(&mut superuser, 0).await;
        sqlx::raw_sql("ROLLBACK")
            .execute(&mut keeper)
            .await
            .unwrap();
        let (status, _) = server
            .ask(&token, "{ companies(first: 1) { nodes { id } } }")
            .await;
        assert_eq!(status, 200);
        server.stop().await;
    });
}
