//! The log of deliveries is watched as it changes, by who may read it and for as long as they may.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, raw_sql};

use super::{Setting, receiver::Receiver, token};
use crate::{
    harness::{A, Planner, Who, test},
    live::{Socket, act},
};

const WATCH: &str = "subscription($filter: WebhookDeliveryFilter, $first: Int! = 100) {
    webhookDeliveryChanges(filter: $filter, first: $first) {
        id status attemptCount errorCode endpoint { name } attempts { number outcome responseStatus } } }";

/// Watches, and waits until that is live.
async fn watch(socket: &mut Socket<'_>, variables: Value) {
    socket.ask("1", WATCH, variables).await;
    assert_eq!(socket.event("1").await, json!([]), "from now on");
}

/// Listens until so many deliveries stand as wanted, as they were told last.
async fn until(
    socket: &mut Socket<'_>,
    count: usize,
    fits: impl Fn(&Value) -> bool,
) -> BTreeMap<String, Value> {
    let mut told = BTreeMap::new();
    while told.values().filter(|delivery| fits(delivery)).count() < count {
        let event = socket.event("1").await;
        let rows = event.as_array().expect("a list");
        assert!(rows.len() <= 100);
        for row in rows {
            let id = row["id"].as_str().expect("an id").to_owned();
            told.insert(id, row.clone());
        }
    }
    told
}

fn is_delivered(delivery: &Value) -> bool {
    delivery["status"] == "DELIVERED"
}

#[test]
fn what_is_sent_is_told_on_every_server_as_it_changes_to_who_may_read_it() {
    test(async |world| {
        let setting = Setting::begin(world).await;
        let receiver = Receiver::start().await;
        let (endpoint, _) = setting
            .endpoint(&receiver, json!([{ "topic": "OPPORTUNITY" }]))
            .await;
        let admin = token(world, A, Who::Admin);
        let mut here = Socket::at(&setting.server.socket_url(), &admin).await;
        let mut there = Socket::open(&world.a(Who::Admin)).await;
        let mut theirs = Socket::open(&world.b(Who::Admin)).await;
        let mut failed = Socket::open(&world.a(Who::Admin)).await;
        watch(&mut here, json!({})).await;
        let filter = json!({ "filter": { "webhookEndpointId": { "eq": endpoint } } });
        watch(&mut there, filter).await;
        watch(&mut theirs, json!({})).await;
        let filter = json!({ "filter": { "status": { "eq": "FAILED" } } });
        watch(&mut failed, filter).await;
        let mut rep = Socket::open(&world.a(Who::Rep)).await;
        rep.ask("1", WATCH, json!({})).await;
        assert_eq!(rep.failure("1").await.0, "FORBIDDEN");
        for first in [0, 101] {
            rep.ask("2", WATCH, json!({ "first": first })).await;
            assert!(["FORBIDDEN", "INVALID_PAGE"].contains(&&*rep.failure("2").await.0));
            here.ask("2", WATCH, json!({ "first": first })).await;
            assert_eq!(here.failure("2").await.0, "INVALID_PAGE");
        }

        setting.rename(1, "Told of").await;
        for socket in [&mut here, &mut there] {
            let told = until(socket, 1, is_delivered).await;
            let delivery = told.values().next().expect("one");
            assert_eq!(
                delivery["attempts"],
                json!([{ "number": 1, "outcome": "DELIVERED", "responseStatus": 204 }])
            );
            assert_eq!(delivery["endpoint"]["name"], "Billing");
        }
        let log = setting.deliveries(&endpoint).await;
        let again = json!({ "id": log[0]["id"] });
        setting
            .admin("webhookDeliveryResend", "webhookDelivery { status }", again)
            .await;
        let is_again = |delivery: &Value| is_delivered(delivery) && delivery["attemptCount"] == 2;
        for socket in [&mut here, &mut there] {
            until(socket, 1, is_again).await;
            assert!(socket.is_silent().await, "nothing more changes");
        }
        setting
            .arrange(
                "UPDATE webhook_deliveries SET status = 'FAILED', error_code = 'TIMED_OUT', changed_at = now() \
                 WHERE status = 'DELIVERED'",
            )
            .await;
        let told = until(&mut failed, 1, |delivery| delivery["status"] == "FAILED").await;
        assert_eq!(told.len(), 1);
        assert!(theirs.is_silent().await, "it is another tenant's");
        setting.end().await;
    });
}

/// Deliveries of the endpoint of A in the world.
fn burst(count: u32) -> String {
    format!(
        "INSERT INTO webhook_deliveries (tenant_id, webhook_delivery_id, webhook_endpoint_id, body, runs_as, created_at, due_at) \
         SELECT '{}', gen_random_uuid(), '{}', '{{\"of\": \"a burst\"}}', 'user:burst', now(), '2200-01-01' \
         FROM generate_series(1, {count})",
        A.uuid("tenant", 1),
        A.uuid("webhookEndpoint", 1),
    )
}

const SENT: &str =
    "UPDATE webhook_deliveries SET attempts = 1, changed_at = now() WHERE runs_as = 'user:burst'";
const ENDED: &str = "UPDATE webhook_deliveries SET status = 'DELIVERED', due_at = NULL, ended_at = now(), \
                     changed_at = now() WHERE runs_as = 'user:burst'";

#[test]
fn of_a_burst_the_last_state_of_each_is_told_and_no_more_at_once_than_was_asked_for() {
    test(async |world| {
        let setting = Setting::begin(world).await;
        let mut all = Socket::open(&world.a(Who::Admin)).await;
        watch(&mut all, json!({})).await;
        let mut few = Socket::open(&world.a(Who::Admin)).await;
        watch(&mut few, json!({ "first": 60 })).await;
        for sql in [burst(500), SENT.to_owned(), ENDED.to_owned()] {
            setting.arrange(&sql).await;
        }
        for (socket, first) in [(&mut all, 100), (&mut few, 60)] {
            let (mut told, mut rows) = (BTreeMap::new(), 0);
            while told.len() < 500 || !told.values().all(|status| status == "DELIVERED") {
                let event = socket.event("1").await;
                let some = event.as_array().expect("a list");
                assert!((1..=first).contains(&some.len()), "{}", some.len());
                rows += some.len();
                for row in some {
                    told.insert(row["id"].to_string(), row["status"].clone());
                }
            }
            assert_eq!(told.len(), 500, "and nothing else");
            assert!(
                rows < 1_000,
                "three changes of each are told in {rows} rows"
            );
            assert!(socket.is_silent().await);
        }
        setting.end().await;
    });
}

#[test]
fn what_is_too_large_together_is_told_in_parts() {
    test(async |world| {
        let setting = Setting::begin(world).await;
        let mut socket = Socket::open(&world.a(Who::Admin)).await;
        let whole = "subscription { webhookDeliveryChanges { id body again: body } }";
        socket.ask("1", whole, json!({})).await;
        assert_eq!(socket.event("1").await, json!([]));
        let large = burst(100).replace("a burst", &"x".repeat(60_000));
        setting.arrange(&large).await;
        let (mut told, mut messages) = (BTreeMap::new(), 0);
        while told.len() < 100 {
            let event = socket.event("1").await;
            messages += 1;
            for row in event.as_array().expect("a list") {
                told.insert(row["id"].to_string(), row["body"].to_string().len());
            }
        }
        assert!(messages > 1, "twelve megabytes are no one message");
        assert!(told.values().all(|bytes| *bytes > 60_000));
        setting.end().await;
    });
}

#[test]
fn what_is_committed_after_later_changes_is_told_too() {
    test(async |world| {
        let setting = Setting::begin(world).await;
        setting.arrange(&burst(2)).await;
        let mut socket = Socket::open(&world.a(Who::Admin)).await;
        let mut slow = world.database.superuser().await;
        let mut slow = slow.begin().await.expect("it begins");
        let run = raw_sql(AssertSqlSafe(
            "UPDATE webhook_deliveries SET attempts = 7, changed_at = now() WHERE webhook_delivery_id = \
             (SELECT min(webhook_delivery_id::text)::uuid FROM webhook_deliveries WHERE runs_as = 'user:burst')"
                .to_owned(),
        ));
        run.execute(&mut *slow).await.expect("it fits");
        // It began before the subscription and the other change, and is committed after both.
        watch(&mut socket, json!({})).await;
        setting
            .arrange(
                "UPDATE webhook_deliveries SET attempts = 5, changed_at = now() WHERE webhook_delivery_id = \
                 (SELECT max(webhook_delivery_id::text)::uuid FROM webhook_deliveries WHERE runs_as = 'user:burst')",
            )
            .await;
        until(&mut socket, 1, |delivery| delivery["attemptCount"] == 5).await;
        slow.commit().await.expect("it commits");
        until(&mut socket, 1, |delivery| delivery["attemptCount"] == 7).await;
        assert!(socket.is_silent().await);
        setting.end().await;
    });
}

#[test]
fn who_may_not_read_the_log_any_more_is_told_no_more_and_who_is_asked_again_misses_nothing() {
    test(async |world| {
        let setting = Setting::begin(world).await;
        let admin = world.a(Who::Admin);
        let mut socket = Socket::open(&admin).await;
        watch(&mut socket, json!({})).await;
        // Rights are read again at each of these, and are the same.
        for n in 0..5 {
            let title = json!({ "userId": A.user(Who::Admin), "title": format!("Title {n}") });
            act(&admin, "membershipUpdate", title).await;
            setting.arrange(&burst(1)).await;
        }
        until(&mut socket, 5, |delivery| delivery["status"] == "PENDING").await;

        // Somebody else whose role is taken while they watch.
        let promoted = json!({ "userId": A.user(Who::Manager), "role": "ADMIN" });
        act(&admin, "membershipUpdate", promoted).await;
        let mut once = Socket::open(&world.a(Who::Manager)).await;
        watch(&mut once, json!({})).await;
        let demoted = json!({ "userId": A.user(Who::Manager), "role": "SALES_REP" });
        act(&admin, "membershipUpdate", demoted).await;
        setting.arrange(ENDED).await;
        let failure = loop {
            let message = once.message("1").await;
            assert!(!message.to_string().contains("DELIVERED"), "{message}");
            if message["type"] == "error" {
                break message;
            }
        };
        assert_eq!(failure["payload"][0]["extensions"]["code"], "RESYNC");
        once.ask("2", WATCH, json!({})).await;
        assert_eq!(once.failure("2").await.0, "FORBIDDEN");
        until(&mut socket, 5, is_delivered).await;
        setting.end().await;
    });
}

#[test]
fn while_nothing_changes_a_look_is_one_statement_by_the_index_of_changes() {
    test(async |world| {
        let mut sockets = Vec::new();
        for _ in 0..5 {
            let mut socket = Socket::open(&world.a(Who::Admin)).await;
            watch(&mut socket, json!({})).await;
            sockets.push(socket);
        }
        let idle = tokio::time::sleep(Duration::from_millis(3_500));
        let (_, statements) = world.statements.during(idle).await;
        let looks: Vec<_> = statements
            .iter()
            .filter(|sql| sql.contains("webhook_deliveries"))
            .collect();
        assert!((2..=4).contains(&looks.len()), "{looks:#?}");
        let mut planner = Planner::connect().await;
        let conditions = planner.conditions(looks[0]).await;
        assert!(conditions.contains("changed_at >="), "{conditions}");
    });
}
