//! Every change is logged in the transaction that made it, and the numbers of a tenant's events have no gaps, ever: a
//! reader that remembers the last number it saw misses nothing.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use dealgraph::{
    base::{
        error::{Error, Result},
        ids::{CompanyId, Typed as _},
    },
    db::{
        Db, Sql,
        journal::{Event, EventKind, Hints, Origin},
    },
    tools::dev::{
        DevError,
        datadir::{Contents, DataDir},
        redis::Redis,
    },
};
use futures_util::{StreamExt as _, future::join_all};
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::{
    budgets::{Mutations, completed},
    defaults::served::Served,
    harness::{A, B, Side, Who, World, global_id, open, test},
};

/// Who write at the same time.
const WRITERS: usize = 16;
/// What each of them writes, cut-off and failing writes among it.
const WRITES: usize = 30;
/// Test runs at the same time in one target folder.
const MOST_RUNS: u32 = 16;

/// The numbers of a side's events, in order.
async fn numbers(inspector: &mut PgConnection, side: Side) -> Vec<i64> {
    let sql = "SELECT seq FROM events WHERE tenant_id = $1 ORDER BY seq";
    sqlx::query_scalar(sql)
        .bind(side.tenant().uuid())
        .fetch_all(inspector)
        .await
        .expect("events can be read")
}

fn expect_contiguous(numbers: &[i64]) {
    assert!(
        numbers.iter().copied().eq(1..=numbers.len() as i64),
        "{numbers:?}"
    );
}

#[test]
fn every_mutation_appends_its_event_in_its_own_transaction() {
    test(async |world: &World| {
        let admin = world.a(Who::Admin);
        let mut inspector = world.database.superuser().await;
        let foreign = numbers(&mut inspector, B).await;
        let mutations = Mutations::new();
        for (name, input) in mutations.all() {
            let before = numbers(&mut inspector, A).await;
            let input = completed(&admin, name, input).await;
            let answer = admin
                .send(&mutations.document(name), json!({ "input": input }))
                .await;
            assert_eq!(answer.data()[name]["userErrors"], json!([]), "{name}");

            let after = numbers(&mut inspector, A).await;
            expect_contiguous(&after);
            assert!(after.len() > before.len(), "{name} has no event");
            let logged: Vec<(String, String, bool, bool)> = sqlx::query_as(
                "SELECT e.kind, e.request_id, e.record IS NOT NULL AND (e.visible_after IS NULL) = (e.kind = 'DELETED'), e.xmin = s.xmin AND e.seq <= s.last_seq AND e.actor = $3
                 FROM events e JOIN tenant_seq s USING (tenant_id) WHERE e.tenant_id = $1 AND e.seq > $2",
            )
            .bind(A.tenant().uuid())
            .bind(before.len() as i64)
            .bind(A.user(Who::Admin).to_string())
            .fetch_all(&mut inspector)
            .await
            .expect("events can be read");
            for (kind, request, whole, together) in logged {
                assert!(
                    together,
                    "{name}: {kind} was written in another transaction or in another name"
                );
                assert_eq!(
                    request,
                    answer.headers["x-request-id"].to_str().unwrap(),
                    "{name}"
                );
                assert!(
                    whole,
                    "{name}: {kind} keeps no record, or says it is there when it is gone"
                );
            }
        }
        assert_eq!(
            numbers(&mut inspector, B).await,
            foreign,
            "another tenant has its own numbers"
        );
    });
}

#[test]
fn what_is_refused_leaves_no_number() {
    test(async |world: &World| {
        let mut inspector = world.database.superuser().await;
        let before = numbers(&mut inspector, A).await;
        let company = A.id::<CompanyId>(1);
        let ask = async |who, mutation: &str, of: &str, input: Value| {
            let document = format!(
                "mutation($input: {of}!) {{ {mutation}(input: $input) {{ userErrors {{ code field }} }} }}"
            );
            world
                .a(who)
                .send(&document, json!({ "input": input }))
                .await
                .body
        };
        for (who, mutation, of, input) in [
            (
                Who::Admin,
                "companyUpdate",
                "CompanyUpdateInput",
                json!({ "id": company, "city": "X", "expectedVersion": 99 }),
            ),
            (
                Who::Admin,
                "companyUpdate",
                "CompanyUpdateInput",
                json!({ "id": company, "city": "X".repeat(10_000) }),
            ),
            (
                Who::Admin,
                "companyUpdate",
                "CompanyUpdateInput",
                json!({ "id": company, "parentCompanyId": company }),
            ),
            (
                Who::Admin,
                "companyDelete",
                "CompanyRefInput",
                json!({ "id": company }),
            ),
            (
                Who::Viewer,
                "companyUpdate",
                "CompanyUpdateInput",
                json!({ "id": company, "city": "X" }),
            ),
            (
                Who::Viewer,
                "companyCreate",
                "CompanyCreateInput",
                json!({ "name": "X" }),
            ),
            (
                Who::OtherRep,
                "companyArchive",
                "CompanyRefInput",
                json!({ "id": company }),
            ),
        ] {
            let body = ask(who, mutation, of, input).await;
            let user_error = &body["data"][mutation]["userErrors"][0]["code"];
            assert!(
                user_error.is_string() || body["errors"][0]["extensions"]["code"].is_string(),
                "{mutation}: {body}"
            );
        }
        // A patch that changes nothing has no event either.
        let same = ask(
            Who::Admin,
            "companyUpdate",
            "CompanyUpdateInput",
            json!({ "id": company, "name": "Company 1" }),
        )
        .await;
        assert_eq!(same["data"]["companyUpdate"]["userErrors"], json!([]));
        let after = numbers(&mut inspector, A).await;
        expect_contiguous(&after);
        assert!(after.len() <= before.len() + 1, "{after:?}");
        let counter: i64 =
            sqlx::query_scalar("SELECT last_seq FROM tenant_seq WHERE tenant_id = $1")
                .bind(A.tenant().uuid())
                .fetch_one(&mut inspector)
                .await
                .expect("the counter can be read");
        assert_eq!(counter, after.len() as i64);
    });
}

/// Whether a writer's write is one that fails.
const fn is_failing(n: usize) -> bool {
    n % 3 == 1
}

/// One write that may fail after it has appended its event.
pub(crate) async fn write(db: &Db, request: &str, fails: bool) -> Result<()> {
    let id: CompanyId = A.id(4);
    db.write(
        &A.actor(Who::Admin),
        &Origin::process(request),
        async |tx| {
            tx.emit(Event {
                kind: EventKind::Updated,
                entity: "company",
                id: id.uuid(),
                version: 2,
                changed: Vec::new(),
                before: None,
                after: None,
                record: None,
                was: None,
                visible_before: Some("|".to_owned()),
                visible_after: Some("|".to_owned()),
                parts: &[],
            });
            let sql =
                Sql::new("SELECT count(*) FROM companies t WHERE t.tenant_id = ").bind(tx.tenant());
            tx.column::<i64>(sql).await?;
            if fails {
                Err(Error::Forbidden("go on"))
            } else {
                Ok(())
            }
        },
    )
    .await
}

#[test]
fn a_reader_never_sees_a_gap_while_many_write_fail_and_are_cut_off() {
    test(async |world: &World| {
        let db = Arc::new(open(&world.database, 8).await);
        let done = Arc::new(AtomicBool::new(false));
        let mut reader = world.database.superuser().await;
        let watched = Arc::clone(&done);
        let watch = tokio::spawn(async move {
            let (mut looks, mut last) = (0, 0);
            while !watched.load(Ordering::Relaxed) {
                let seen = numbers(&mut reader, A).await;
                expect_contiguous(&seen);
                assert!(seen.len() >= last, "an event is gone");
                (looks, last) = (looks + 1, seen.len());
            }
            looks
        });
        let writers = (0..WRITERS).map(|writer| {
            let db = Arc::clone(&db);
            tokio::spawn(async move {
                let mut committed = 0;
                for n in 0..WRITES {
                    let request = format!("w{writer}-{n}");
                    let write = write(&db, &request, is_failing(n));
                    if n % 5 == 4 {
                        // Gone after some time or other; whether it came to a commit is not known.
                        let patience = Duration::from_micros((writer * WRITES + n) as u64 * 10);
                        _ = tokio::time::timeout(patience, write).await;
                    } else if write.await.is_ok() {
                        committed += 1;
                    }
                }
                committed
            })
        });
        let committed: usize = join_all(writers)
            .await
            .into_iter()
            .map(|writer| writer.expect("no panic"))
            .sum();
        done.store(true, Ordering::Relaxed);
        assert!(watch.await.expect("no gap was seen") > 0);
        // A writer that was cut off in the middle of COMMIT is waited for.
        db.close().await;

        let mut inspector = world.database.superuser().await;
        let all = numbers(&mut inspector, A).await;
        expect_contiguous(&all);
        assert!(
            all.len() > committed,
            "{} events of {committed} writes and one that was there",
            all.len()
        );
        let requests: Vec<String> =
            sqlx::query_scalar("SELECT request_id FROM events WHERE request_id LIKE 'w%-%'")
                .fetch_all(&mut inspector)
                .await
                .expect("events can be read");
        for request in requests {
            let n: usize = request
                .split_once('-')
                .expect("a number of a write")
                .1
                .parse()
                .expect("a number");
            assert!(!is_failing(n), "{request} failed and left an event");
        }
    });
}

#[test]
fn an_event_says_who_saw_the_record_before_and_who_sees_it_now() {
    test(async |world: &World| {
        let mut inspector = world.database.superuser().await;
        let deal = A.uuid("opportunity", 1);
        let place = async |inspector: &mut PgConnection| -> String {
            let sql = "SELECT visible_to FROM opportunities WHERE opportunity_id = $1";
            sqlx::query_scalar(sql)
                .bind(deal)
                .fetch_one(inspector)
                .await
                .expect("the deal is there")
        };
        let before = place(&mut inspector).await;
        let input =
            json!({ "id": global_id("opportunity", deal), "ownerId": A.user(Who::OtherRep) });
        let document = "mutation($input: OpportunityUpdateInput!) { opportunityUpdate(input: $input) { userErrors { code } } }";
        let data = world
            .a(Who::Admin)
            .query_with(document, json!({ "input": input }))
            .await;
        assert_eq!(data["opportunityUpdate"]["userErrors"], json!([]));
        let now = place(&mut inspector).await;
        let logged: (Option<String>, Option<String>) = sqlx::query_as(
            "SELECT visible_before, visible_after FROM events WHERE entity = 'opportunity' AND entity_id = $1 ORDER BY seq DESC LIMIT 1",
        )
        .bind(deal)
        .fetch_one(&mut inspector)
        .await
        .expect("there is an event");
        assert_eq!(logged, (Some(before.clone()), Some(now.clone())));
        let of = |who| A.user(who).to_string().replace("user:", "u:");
        assert!(
            before.contains(&of(Who::Rep)) && !before.contains(&of(Who::OtherRep)),
            "{before}"
        );
        assert!(
            now.contains(&of(Who::OtherRep)) && !now.contains(&of(Who::Rep)),
            "{now}"
        );
    });
}

#[test]
fn redis_is_notified_after_the_commit_and_its_loss_changes_nothing() {
    test(async |world: &World| {
        let data = open_data().await;
        let redis = Redis::start(&data, &|_| {})
            .await
            .expect("a private Redis starts");
        let served = Served::over(
            &world.database,
            Arc::clone(&world.tokens),
            Some(redis.url()),
        )
        .await;
        let token = world
            .tokens
            .issue(A.user(Who::Admin), A.tenant())
            .expect("the key signs")
            .token;
        let client = redis::Client::open(redis.url()).expect("an address");
        let mut listener = client.get_async_pubsub().await.expect("Redis answers");
        listener
            .subscribe(Hints::channel(A.tenant()))
            .await
            .expect("it can be listened to");
        let mut inspector = world.database.superuser().await;

        let create = async |name: &str| {
            let document = "mutation($name: String!) { companyCreate(input: { name: $name }) { company { id } userErrors { code } } }";
            let answer = served
                .send(Some(&token), document, &json!({ "name": name }))
                .await;
            assert!(
                answer["data"]["companyCreate"]["company"]["id"].is_string(),
                "{answer}"
            );
        };
        // A hint is best effort, so one may be lost on a busy machine, but not all of ten.
        let mut hint = None;
        for n in 0..10 {
            create(&format!("Hinted {n}")).await;
            let arrived =
                tokio::time::timeout(Duration::from_secs(3), listener.on_message().next()).await;
            if let Ok(Some(message)) = arrived {
                hint = Some(message.get_payload::<i64>().expect("a number"));
                break;
            }
        }
        let hint = hint.expect("a hint arrives");
        let committed = numbers(&mut inspector, A).await;
        assert!(
            committed.contains(&hint),
            "the hint {hint} came before its event: {committed:?}"
        );

        drop(listener);
        redis.stop().await;
        for n in 0..3 {
            create(&format!("Without a hint {n}")).await;
        }
        let all = numbers(&mut inspector, A).await;
        expect_contiguous(&all);
        assert_eq!(all.len(), committed.len() + 3);
        served.stop().await;
    });
}

/// A data folder for Redis that no other test run holds.
pub(crate) async fn open_data() -> DataDir {
    for run in 0..MOST_RUNS {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("redis-{run}"));
        match DataDir::open(&path, Contents::Fresh, &|_| {}).await {
            Err(DevError::InUse { .. }) => {}
            opened => return opened.expect("a data folder for Redis"),
        }
    }
    panic!("{MOST_RUNS} test runs at the same time are too many");
}
