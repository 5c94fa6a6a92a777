//! Several servers, a Redis that comes and goes, and histories that end: nothing is lost, and what can't be gone on
//! with is said to be.

use std::sync::Arc;

use dealgraph::{
    crm::opportunities,
    db::{Db, journal::Origin},
    tools::dev::redis::Redis,
};
use serde_json::json;
use sqlx::{AssertSqlSafe, raw_sql};

use super::{DEALS, Socket, deal, document, rename};
use crate::{
    defaults::served::Served,
    events::open_data,
    harness::{A, Database, Who, World, open, test},
};

fn token(world: &World, who: Who) -> String {
    let issued = world.tokens.issue(A.user(who), A.tenant());
    issued.expect("the key signs").token
}

async fn rename_at(server: &Served, token: &str, n: u32, name: &str) {
    let input = json!({ "input": { "id": deal(n), "name": name } });
    let answer = server
        .send(Some(token), &document("opportunityUpdate"), &input)
        .await;
    assert_eq!(
        answer["data"]["opportunityUpdate"]["userErrors"],
        json!([]),
        "{answer}"
    );
}

async fn arrange(database: &Database, sql: &str) {
    let mut superuser = database.superuser().await;
    let done = raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut superuser)
        .await;
    done.expect("the arrangement fits");
}

/// A write by a process that dies before it sends its hint.
async fn rename_without_a_hint(db: &Db, n: u32, name: &str) {
    let (admin, origin) = (A.actor(Who::Admin), Origin::process("without a hint"));
    let written = db.write(&admin, &origin, async |tx| {
        opportunities::update(tx, (A.id(n), None), None, |fields| {
            name.clone_into(&mut fields.name);
            Ok(())
        })
        .await
    });
    written.await.expect("the admin may");
}

#[test]
fn what_is_written_at_one_server_reaches_the_other_also_while_redis_is_gone() {
    test(async |world: &World| {
        let data = open_data().await;
        let redis = Redis::start(&data, &|_| {})
            .await
            .expect("a private Redis starts");
        let server = async || {
            let tokens = Arc::clone(&world.tokens);
            Served::over(&world.database, tokens, Some(redis.url())).await
        };
        let (here, there) = (server().await, server().await);
        let (admin, analyst) = (token(world, Who::Admin), token(world, Who::Analyst));
        let mut socket = Socket::at(&there.socket_url(), &analyst).await;
        socket.subscribe("1", DEALS, json!({})).await;
        rename_at(&here, &admin, 1, "With Redis").await;
        assert_eq!(socket.event("1").await["opportunity"]["name"], "With Redis");

        redis.stop().await;
        for n in 1..=3 {
            rename_at(&here, &admin, n, &format!("Without {n}")).await;
        }
        for n in 1..=3 {
            assert_eq!(
                socket.event("1").await["opportunity"]["name"],
                format!("Without {n}")
            );
        }
        let again = Redis::start(&data, &|_| {}).await.expect("it starts again");
        for n in 1..=3 {
            rename_at(&here, &admin, n, &format!("Again {n}")).await;
            assert_eq!(
                socket.event("1").await["opportunity"]["name"],
                format!("Again {n}")
            );
        }
        // A hint that is nonsense is looked into and not believed.
        let client = redis::Client::open(again.url()).expect("an address");
        let mut connection = client
            .get_multiplexed_async_connection()
            .await
            .expect("Redis answers");
        let channel = dealgraph::db::journal::Hints::channel(A.tenant());
        for nonsense in [i64::MAX.to_string(), "-1".to_owned(), "x".to_owned()] {
            let published: redis::RedisResult<i64> = redis::cmd("PUBLISH")
                .arg(&channel)
                .arg(nonsense)
                .query_async(&mut connection)
                .await;
            published.expect("Redis takes it");
        }
        rename_at(&here, &admin, 1, "Still right").await;
        assert_eq!(
            socket.event("1").await["opportunity"]["name"],
            "Still right"
        );
        assert!(socket.is_silent().await);
        here.stop().await;
        let (code, reason) = {
            there.stop().await;
            socket.closed().await
        };
        assert_eq!(code, 1012, "{reason}");
        again.stop().await;
    });
}

#[test]
fn a_crash_between_commit_and_hint_is_healed_by_the_poll() {
    test(async |world: &World| {
        let mut socket = Socket::open(&world.a(Who::Analyst)).await;
        socket.subscribe("1", DEALS, json!({})).await;
        let elsewhere = open(&world.database, 2).await;
        for n in 1..=3 {
            rename_without_a_hint(&elsewhere, n, &format!("Untold {n}")).await;
        }
        for n in 1..=3 {
            assert_eq!(
                socket.event("1").await["opportunity"]["name"],
                format!("Untold {n}")
            );
        }
        elsewhere.close().await;
        let found = world.metric("dealgraph_events_found_by_poll_total");
        assert!(found.is_some_and(|count| count != "0"));
    });
}

#[test]
fn a_cursor_of_a_restored_copy_is_not_gone_on_with() {
    test(async |world: &World| {
        let ours = world.a(Who::Admin).query("{ eventCursor }").await;
        // The same tenants with the same numbers, in another database.
        let copy = Database::of_world().await;
        let server = Served::over(&copy, Arc::clone(&world.tokens), None).await;
        let mut socket = Socket::at(&server.socket_url(), &token(world, Who::Admin)).await;
        let variables = json!({ "after": ours["eventCursor"] });
        socket.ask("1", DEALS, variables).await;
        assert_eq!(socket.failure("1").await.0, "RESYNC");

        // A history that ends while it is followed.
        socket.subscribe("2", DEALS, json!({})).await;
        arrange(&copy, "UPDATE tenant_seq SET epoch = gen_random_uuid()").await;
        let (code, cursor) = socket.failure("2").await;
        assert_eq!(code, "RESYNC");
        assert!(cursor.is_some());
        socket.subscribe("3", DEALS, json!({})).await;
        rename_at(&server, &token(world, Who::Admin), 1, "In the new history").await;
        assert_eq!(
            socket.event("3").await["opportunity"]["name"],
            "In the new history"
        );
        server.stop().await;
        copy.drop().await;
    });
}

#[test]
fn what_is_past_retention_is_not_resumed_from() {
    test(async |world: &World| {
        let admin = world.a(Who::Admin);
        let old = admin.query("{ eventCursor }").await;
        for n in 1..=3 {
            rename(&admin, n, &format!("Name {n}")).await;
        }
        arrange(&world.database, "DELETE FROM events WHERE seq <= 2").await;
        let mut socket = Socket::open(&admin).await;
        socket
            .ask("1", DEALS, json!({ "after": old["eventCursor"] }))
            .await;
        let (code, _) = socket.failure("1").await;
        assert_eq!(code, "RESYNC");
        socket.subscribe("2", DEALS, json!({})).await;
    });
}

#[test]
fn partitions_come_before_their_day_and_go_after_their_time() {
    test(async |world: &World| {
        let days = "SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                    WHERE i.inhparent = 'events'::regclass";
        let partitions = async || {
            let mut superuser = world.database.superuser().await;
            let names: String = sqlx::query_scalar(days)
                .fetch_one(&mut superuser)
                .await
                .expect("a list");
            names
        };
        let before = partitions().await;
        assert_eq!(
            before.split(' ').count(),
            5,
            "today, three days to come, and the default: {before}"
        );
        arrange(
            &world.database,
            "CREATE TABLE events_20200101 PARTITION OF events FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2020-01-02 00:00+00');
             INSERT INTO events SELECT tenant_id, seq + 1000000, kind, entity, entity_id, version, changed, before, record, visible_before,
                 visible_after, actor, request_id, occurred_at, t FROM events, unnest(ARRAY['2020-01-01'::timestamptz, '2020-02-01']) t",
        )
        .await;
        let mut system = world.database.connect("dealgraph_system").await;
        let dropped: i32 = sqlx::query_scalar("SELECT app.keep_events(7)")
            .fetch_one(&mut system)
            .await
            .expect("the system may");
        assert_eq!(dropped, 1);
        assert_eq!(partitions().await, before);
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE seq > 1000000")
            .fetch_one(&mut system)
            .await
            .expect("a count");
        assert_eq!(left, 0, "what the default partition took goes too");
        let mut app = world.database.connect("dealgraph_app").await;
        assert!(
            sqlx::query("SELECT app.keep_events(7)")
                .fetch_one(&mut app)
                .await
                .is_err()
        );
    });
}

#[test]
fn a_client_that_does_not_listen_learns_where_to_resume_and_misses_nothing() {
    test(async |world: &World| {
        let admin = world.a(Who::Admin);
        let query = "subscription($after: EventCursor) { companyEvents(after: $after) { kind cursor changes { after } company { description } } }";
        let mut slow = Socket::narrow(&world.a(Who::Analyst)).await;
        slow.subscribe("1", query, json!({})).await;
        let mut quick = Socket::open(&world.a(Who::Analyst)).await;
        quick.subscribe("1", query, json!({})).await;
        let company = crate::harness::global_id("company", A.uuid("company", 1));
        let update = document("companyUpdate");
        let mut expected = Vec::new();
        for n in 0..2_000 {
            let text = format!("{n} {}", "x".repeat(9_000));
            let input = json!({ "input": { "id": company, "description": text } });
            admin.query_with(&update, input).await;
            expected.push(quick.change("1").await["cursor"].clone());
            if n % 20 == 0 && has_lagged(world) {
                break;
            }
        }
        let mut seen = Vec::new();
        let resume = loop {
            let message = slow.message("1").await;
            if message["type"] == "error" {
                let extensions = &message["payload"][0]["extensions"];
                assert_eq!(extensions["code"], "LAGGED", "{message}");
                break extensions["cursor"].clone();
            }
            let event = &message["payload"]["data"]["companyEvents"];
            if event["kind"] != "SYNCED" {
                seen.push(event["cursor"].clone());
            }
        };
        assert!(seen.len() < expected.len(), "it was too quick to lag");
        slow.ask("2", query, json!({ "after": resume })).await;
        while seen.len() < expected.len() {
            seen.push(slow.change("2").await["cursor"].clone());
        }
        assert_eq!(seen, expected);
        assert!(slow.is_silent().await);
    });
}

/// Whether the server has given up on a client that does not listen.
fn has_lagged(world: &World) -> bool {
    let lagged = world.metric("dealgraph_subscriptions_lagged_total");
    lagged.expect("it is counted") != "0"
}
