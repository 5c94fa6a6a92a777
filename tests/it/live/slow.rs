//! No subscriber is notified later because another one of the same visibility class watches by a filter, or asks for
//! something, that takes long. What takes long is held up here by a lock, so that the order of events decides and no
//! clock.

use std::{sync::Arc, time::Duration};

use dealgraph::api::limits::Limits;
use serde_json::{Value, json};
use sqlx::{PgConnection, raw_sql};

use super::{DEALS, Socket, rename};
use crate::{
    defaults::served::Served,
    harness::{Who, World, test},
};

/// Deals with a contact: only another table has it.
fn nasty() -> Value {
    json!({ "filter": { "primaryContact": { "name": { "neq": "nobody" } } } })
}

/// A server of its own, on connections that wait for a lock for as long as it is held.
async fn server(world: &World, event_time: Duration) -> Served {
    let patient = "DO $$ BEGIN
        EXECUTE format('ALTER ROLE dealgraph_app IN DATABASE %I SET statement_timeout = 0', current_database());
        EXECUTE format('ALTER ROLE dealgraph_app IN DATABASE %I SET lock_timeout = 0', current_database());
        END $$";
    let mut superuser = world.database.superuser().await;
    raw_sql(patient).execute(&mut superuser).await.unwrap();
    let limits = Limits {
        event_time,
        ..Limits::default()
    };
    Served::within(&world.database, Arc::clone(&world.tokens), None, limits).await
}

/// Two of the same visibility class.
async fn sockets<'w>(world: &'w World, server: &Served) -> (Socket<'w>, Socket<'w>) {
    let admin = world.a(Who::Admin);
    let token = admin.token().expect("a token");
    let url = server.socket_url();
    (Socket::at(&url, token).await, Socket::at(&url, token).await)
}

/// Nobody reads contacts for as long as this is held.
async fn hold_contacts(world: &World) -> PgConnection {
    let mut keeper = world.database.superuser().await;
    let lock = "BEGIN; LOCK TABLE contacts IN ACCESS EXCLUSIVE MODE";
    raw_sql(lock).execute(&mut keeper).await.unwrap();
    keeper
}

/// Waits until a statement waits for the lock.
async fn is_held_up(world: &World) {
    let mut inspector = world.database.superuser().await;
    let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND usename = 'dealgraph_app' AND wait_event_type = 'Lock')";
    let wait = async {
        while !sqlx::query_scalar::<_, bool>(waits)
            .fetch_one(&mut inspector)
            .await
            .unwrap()
        {}
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), wait).await;
    waited.expect("a statement waits");
}

#[test]
fn who_watches_plainly_is_notified_while_a_filter_of_the_same_class_is_worked_out() {
    test(async |world| {
        let server = server(world, Duration::from_secs(60)).await;
        let (mut plain, mut slow) = sockets(world, &server).await;
        slow.subscribe("1", DEALS, nasty()).await;
        plain.subscribe("1", DEALS, json!({})).await;
        let mut keeper = hold_contacts(world).await;
        let admin = world.a(Who::Admin);
        for name in ["One", "Two", "Three"] {
            rename(&admin, 1, name).await;
            let event = plain.change("1").await;
            assert_eq!(event["opportunity"]["name"], name);
            is_held_up(world).await;
        }
        assert!(slow.is_silent().await, "its filter is worked out still");
        raw_sql("ROLLBACK").execute(&mut keeper).await.unwrap();
        let mut versions = Vec::new();
        for _ in 0..3 {
            versions.push(slow.change("1").await["version"].as_i64().expect("one"));
        }
        assert!(versions.is_sorted_by(|a, b| a + 1 == *b), "{versions:?}");
        server.stop().await;
    });
}

#[test]
fn a_filter_that_takes_too_long_ends_and_goes_on_from_its_cursor() {
    test(async |world| {
        let server = server(world, Duration::from_millis(300)).await;
        let (mut plain, mut slow) = sockets(world, &server).await;
        slow.subscribe("1", DEALS, nasty()).await;
        plain.subscribe("1", DEALS, json!({})).await;
        let mut keeper = hold_contacts(world).await;
        rename(&world.a(Who::Admin), 1, "One").await;
        let (code, cursor) = slow.failure("1").await;
        assert_eq!(code, "SUBSCRIPTION_TOO_SLOW");
        assert_eq!(plain.change("1").await["opportunity"]["name"], "One");
        raw_sql("ROLLBACK").execute(&mut keeper).await.unwrap();
        let mut again = nasty();
        again["after"] = json!(cursor.expect("where to go on"));
        slow.subscribe("2", DEALS, again).await;
        assert_eq!(slow.change("2").await["opportunity"]["name"], "One");
        server.stop().await;
    });
}

#[test]
fn an_answer_that_takes_long_goes_aside_and_the_others_are_notified() {
    const CONTACTS: &str =
        "subscription { opportunityEvents { kind opportunity { primaryContact { name } } } }";
    test(async |world| {
        let server = server(world, Duration::from_secs(2)).await;
        let (mut plain, mut slow) = sockets(world, &server).await;
        slow.subscribe("1", CONTACTS, json!({})).await;
        plain.subscribe("1", DEALS, json!({})).await;
        let mut keeper = hold_contacts(world).await;
        let admin = world.a(Who::Admin);
        rename(&admin, 1, "One").await;
        assert_eq!(plain.change("1").await["opportunity"]["name"], "One");
        is_held_up(world).await;
        // It is aside by now, so nobody waits for it again.
        rename(&admin, 1, "Two").await;
        assert_eq!(plain.change("1").await["opportunity"]["name"], "Two");
        assert_eq!(slow.failure("1").await.0, "SUBSCRIPTION_TOO_SLOW");
        raw_sql("ROLLBACK").execute(&mut keeper).await.unwrap();
        server.stop().await;
    });
}
