//! What subscribers receive: of their tenant, of what they may see and asked for, once and in order, also after a
//! break.

use serde_json::{Value, json};

use super::{DEALS, Socket, act, deal, rename};
use crate::harness::{A, B, Who, World, global_id, test};

#[test]
fn a_change_is_an_event_with_what_it_was_what_it_is_and_who_did_it() {
    test(async |world: &World| {
        let admin = world.a(Who::Admin);
        let mut socket = Socket::open(&world.a(Who::Analyst)).await;
        let synced = socket.subscribe("1", DEALS, json!({})).await;
        assert_eq!(synced["recordId"], Value::Null);
        assert_eq!(synced["opportunity"], Value::Null);
        rename(&admin, 2, "Renamed").await;
        let event = socket.event("1").await;
        assert_eq!(event["kind"], "UPDATED");
        assert_eq!(event["recordId"], deal(2).as_str());
        assert_eq!(
            event["changes"],
            json!([{ "field": "name", "before": "Deal 2", "after": "Renamed", "masked": false }])
        );
        assert_eq!(event["by"]["user"]["name"], "Person 1");
        assert_eq!(event["version"], 2);
        assert_eq!(
            event["opportunity"],
            json!({ "id": deal(2), "name": "Renamed", "status": "OPEN", "amount": { "amountMinor": 2000 },
                    "stage": { "name": "Open" }, "owner": { "name": "Person 2" } })
        );
        assert_ne!(event["cursor"], synced["cursor"]);
        assert!(socket.is_silent().await, "it is one event");
    });
}

#[test]
fn the_other_tenant_receives_nothing() {
    test(async |world: &World| {
        let mut a = Socket::open(&world.a(Who::Admin)).await;
        let mut b = Socket::open(&world.b(Who::Admin)).await;
        a.subscribe("1", DEALS, json!({})).await;
        b.subscribe("1", DEALS, json!({})).await;
        let input =
            json!({ "id": global_id("opportunity", B.uuid("opportunity", 1)), "name": "Theirs" });
        act(&world.b(Who::Admin), "opportunityUpdate", input).await;
        assert_eq!(b.event("1").await["opportunity"]["name"], "Theirs");
        assert!(a.is_silent().await);
    });
}

#[test]
fn a_snapshot_and_what_follows_it_fit_without_gap_or_double() {
    test(async |world: &World| {
        let admin = world.a(Who::Admin);
        rename(&admin, 1, "Before").await;
        let read = admin
            .query("{ eventCursor opportunities(filter: { name: { startsWith: \"before\" } }) { totalCount } }")
            .await;
        assert_eq!(read["opportunities"]["totalCount"], 1);
        for n in 1..=3 {
            rename(&admin, n, &format!("After {n}")).await;
        }
        let mut socket = Socket::open(&admin).await;
        let variables = json!({ "after": read["eventCursor"] });
        socket.ask("1", DEALS, variables).await;
        let mut last = Value::Null;
        for n in 1..=3 {
            let event = socket.change("1").await;
            assert_eq!(event["changes"][0]["after"], format!("After {n}"));
            last = event["cursor"].clone();
        }
        rename(&admin, 1, "Live").await;
        assert_eq!(socket.change("1").await["changes"][0]["after"], "Live");
        assert!(socket.is_silent().await);
        // Once more from in between, on a socket of its own.
        let mut again = Socket::open(&admin).await;
        again.ask("x", DEALS, json!({ "after": last })).await;
        assert_eq!(again.change("x").await["changes"][0]["after"], "Live");
        assert!(again.is_silent().await);
    });
}

#[test]
fn every_act_has_its_kind() {
    test(async |world: &World| {
        let admin = world.a(Who::Admin);
        let mut socket = Socket::open(&admin).await;
        socket.subscribe("1", DEALS, json!({})).await;
        let stage = |n| global_id("stage", A.uuid("stage", n));
        let id = deal(4);
        for (mutation, input, kind) in [
            (
                "opportunityMoveStage",
                json!({ "id": id, "stageId": stage(3) }),
                "WON",
            ),
            ("opportunityReopen", json!({ "id": id }), "REOPENED"),
            (
                "opportunityLose",
                json!({ "id": id, "reason": "price" }),
                "LOST",
            ),
            ("opportunityArchive", json!({ "id": id }), "ARCHIVED"),
            ("opportunityRestore", json!({ "id": id }), "RESTORED"),
            ("opportunityDelete", json!({ "id": id }), "DELETED"),
        ] {
            act(&admin, mutation, input).await;
            let event = socket.event("1").await;
            assert_eq!(event["kind"], kind, "{mutation}: {event}");
            assert_eq!(event["recordId"], id.as_str());
            assert_eq!(event["opportunity"].is_null(), kind == "DELETED");
        }
        let input = json!({ "name": "New", "stageId": stage(2) });
        act(&admin, "opportunityCreate", input).await;
        let event = socket.event("1").await;
        assert_eq!(
            (event["kind"].as_str(), event["changes"].clone()),
            (Some("CREATED"), json!([]))
        );
        assert_eq!(event["opportunity"]["name"], "New");
    });
}

#[test]
fn a_filter_is_entered_and_left() {
    test(async |world: &World| {
        let admin = world.a(Who::Admin);
        let mut socket = Socket::open(&admin).await;
        let filter =
            json!({ "filter": { "status": { "eq": "OPEN" }, "name": { "startsWith": "deal" } } });
        socket.subscribe("1", DEALS, filter).await;
        act(&admin, "opportunityWin", json!({ "id": deal(1) })).await;
        let left = socket.event("1").await;
        assert_eq!(
            (left["kind"].as_str(), &left["opportunity"]),
            (Some("LEFT_VIEW"), &Value::Null)
        );
        assert_eq!((&left["changes"], &left["by"]), (&json!([]), &Value::Null));
        rename(&admin, 1, "Deal 1 again").await;
        act(&admin, "opportunityReopen", json!({ "id": deal(1) })).await;
        let entered = socket.event("1").await;
        assert_eq!(entered["kind"], "ENTERED_VIEW");
        assert_eq!(entered["opportunity"]["name"], "Deal 1 again");
        rename(&admin, 1, "Other").await;
        assert_eq!(socket.event("1").await["kind"], "LEFT_VIEW");
        act(&admin, "opportunityDelete", json!({ "id": deal(1) })).await;
        rename(&admin, 2, "Deal 2 b").await;
        assert_eq!(
            socket.event("1").await["recordId"],
            deal(2).as_str(),
            "what was not in view does not leave it"
        );
    });
}

#[test]
fn a_filter_on_related_records_is_asked_of_the_database() {
    test(async |world: &World| {
        let admin = world.a(Who::Admin);
        let mut socket = Socket::open(&admin).await;
        let filter = json!({ "filter": { "company": { "name": { "eq": "Company 2" } } } });
        socket.subscribe("1", DEALS, filter).await;
        rename(&admin, 1, "Not of company 2").await;
        let event = socket.event("1").await;
        assert_eq!(event["kind"], "LEFT_VIEW", "it may have been of company 2");
        rename(&admin, 2, "Of company 2").await;
        assert_eq!(
            socket.event("1").await["opportunity"]["name"],
            "Of company 2"
        );
    });
}
