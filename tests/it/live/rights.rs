//! What subscribers receive follows from their rights: before and after a change, and as soon as the rights themselves
//! change.

use serde_json::{Value, json};

use super::{DEALS, Socket, act, deal, rename};
use crate::harness::{A, Who, World, global_id, test};

/// Opens a socket of each, live on the deals.
async fn watching<'w>(world: &'w World, people: &[Who]) -> Vec<(Who, Socket<'w>)> {
    let mut sockets = Vec::new();
    for who in people {
        let mut socket = Socket::open(&world.a(*who)).await;
        socket.subscribe("1", DEALS, json!({})).await;
        sockets.push((*who, socket));
    }
    sockets
}

#[test]
fn a_deletion_notifies_exactly_those_who_could_see_the_deal() {
    test(async |world: &World| {
        // Deal 5 is the other rep's, who is in East, and shared with the rep, who is in North below West.
        let members = [
            (Who::Admin, true),
            (Who::Manager, false),
            (Who::Rep, true),
            (Who::OtherRep, true),
            (Who::Analyst, true),
            (Who::Viewer, true),
            (Who::Closer, false),
            (Who::Auditor, true),
        ];
        let people: Vec<Who> = members.iter().map(|(who, _)| *who).collect();
        let mut sockets = watching(world, &people).await;
        act(
            &world.a(Who::Admin),
            "opportunityDelete",
            json!({ "id": deal(5) }),
        )
        .await;
        for ((who, socket), (_, could_see)) in sockets.iter_mut().zip(members) {
            if could_see {
                let event = socket.event("1").await;
                assert_eq!(
                    (event["kind"].as_str(), event["recordId"].as_str()),
                    (Some("DELETED"), Some(deal(5).as_str())),
                    "{who:?}"
                );
                assert_eq!(
                    (&event["changes"], &event["opportunity"]),
                    (&json!([]), &Value::Null)
                );
            } else {
                assert!(socket.is_silent().await, "{who:?} could not see it");
            }
        }
    });
}

#[test]
fn losing_sight_is_notified_without_the_new_values_and_gaining_it_as_entering() {
    test(async |world: &World| {
        let people = [Who::Rep, Who::OtherRep, Who::Manager, Who::Analyst];
        let mut sockets = watching(world, &people).await;
        // From the rep in North, below West, to the other rep in East.
        let other = A.user(Who::OtherRep);
        let input = json!({ "id": deal(1), "ownerId": other, "name": "Not for the rep" });
        act(&world.a(Who::Admin), "opportunityUpdate", input).await;
        for (who, socket) in &mut sockets {
            let event = socket.event("1").await;
            let kind = event["kind"].as_str().unwrap_or_default().to_owned();
            match who {
                Who::Rep | Who::Manager => {
                    assert_eq!(kind, "LEFT_VIEW", "{who:?}");
                    assert!(!event.to_string().contains("Not for"), "{who:?}: {event}");
                    assert_eq!(event["recordId"], deal(1).as_str());
                }
                Who::OtherRep => {
                    assert_eq!(kind, "ENTERED_VIEW");
                    assert_eq!(
                        event["changes"],
                        json!([]),
                        "what it was is not theirs to know"
                    );
                    assert_eq!(event["opportunity"]["name"], "Not for the rep");
                }
                _ => {
                    assert_eq!(kind, "UPDATED");
                    assert!(event["changes"].to_string().contains("Not for the rep"));
                }
            }
        }
    });
}

#[test]
fn the_activities_of_a_deal_leave_and_enter_along_with_it() {
    test(async |world: &World| {
        let query = "subscription { activityEvents { kind recordId activity { id } } }";
        let mut rep = Socket::open(&world.a(Who::Rep)).await;
        let mut other = Socket::open(&world.a(Who::OtherRep)).await;
        let input = json!({ "kind": "NOTE", "subject": "About it", "targetIds": [deal(4)], "ownerId": A.user(Who::Admin) });
        act(&world.a(Who::Admin), "activityCreate", input).await;
        rep.subscribe("1", query, json!({})).await;
        other.subscribe("1", query, json!({})).await;
        let give = async |to: Who| {
            let input = json!({ "id": deal(4), "ownerId": A.user(to) });
            act(&world.a(Who::Admin), "opportunityUpdate", input).await;
        };
        // One is about the deal in the world already.
        give(Who::Rep).await;
        for _ in 0..2 {
            let entered = rep.event("1").await;
            assert_eq!(entered["kind"], "ENTERED_VIEW");
            assert_eq!(entered["activity"]["id"], entered["recordId"]);
        }
        give(Who::OtherRep).await;
        for _ in 0..2 {
            let left = rep.event("1").await;
            assert_eq!(
                (&left["kind"], &left["activity"]),
                (&json!("LEFT_VIEW"), &Value::Null)
            );
            assert_eq!(other.event("1").await["kind"], "ENTERED_VIEW");
        }
    });
}

#[test]
fn an_activity_that_is_done_moves_the_time_on_its_records() {
    test(async |world: &World| {
        let mut socket = Socket::open(&world.a(Who::Analyst)).await;
        let query = "subscription { opportunityEvents { kind changes { field before } opportunity { lastActivityAt version } } }";
        socket.subscribe("1", query, json!({})).await;
        let input =
            json!({ "kind": "CALL", "subject": "Spoke", "status": "DONE", "targetIds": [deal(1)] });
        act(&world.a(Who::Admin), "activityCreate", input).await;
        let event = socket.event("1").await;
        assert_eq!(event["kind"], "UPDATED");
        assert_eq!(
            event["changes"],
            json!([{ "field": "lastActivityAt", "before": null }])
        );
        assert!(event["opportunity"]["lastActivityAt"].is_string());
        assert_eq!(
            event["opportunity"]["version"], 1,
            "it follows from the activity and is no change of its own"
        );
    });
}

#[test]
fn what_a_role_masks_is_not_sent() {
    test(async |world: &World| {
        let mut auditor = Socket::open(&world.a(Who::Auditor)).await;
        auditor.subscribe("1", DEALS, json!({})).await;
        let input =
            json!({ "id": deal(1), "amount": { "amountMinor": 777_000, "currency": "EUR" } });
        act(&world.a(Who::Admin), "opportunityUpdate", input).await;
        let event = auditor.event("1").await;
        assert_eq!(
            event["changes"],
            json!([{ "field": "amountMinor", "before": null, "after": null, "masked": true }])
        );
        assert_eq!(event["opportunity"]["amount"], Value::Null);
        assert!(!event.to_string().contains("777"), "{event}");
        let filter = json!({ "filter": { "amountMinor": { "gt": 1 } } });
        auditor.ask("2", DEALS, filter).await;
        assert_eq!(auditor.failure("2").await.0, "FORBIDDEN");
    });
}

#[test]
fn who_may_not_read_a_kind_may_not_watch_it() {
    test(async |world: &World| {
        let mut closer = Socket::open(&world.a(Who::Closer)).await;
        closer
            .ask("1", "subscription { leadEvents { kind } }", json!({}))
            .await;
        assert_eq!(closer.failure("1").await.0, "FORBIDDEN");
    });
}

#[test]
fn a_role_that_changes_ends_subscriptions_of_the_old_one_before_anything_that_comes_after() {
    test(async |world: &World| {
        let admin = world.a(Who::Admin);
        let mut rep = Socket::open(&world.a(Who::Rep)).await;
        let mut analyst = Socket::open(&world.a(Who::Analyst)).await;
        rep.subscribe("1", DEALS, json!({})).await;
        analyst.subscribe("1", DEALS, json!({})).await;
        let input = json!({ "userId": A.user(Who::Rep), "role": "VIEWER" });
        act(&admin, "membershipUpdate", input).await;
        rename(&admin, 3, "After the change").await;
        let (code, _) = rep.failure("1").await;
        assert_eq!(code, "RESYNC", "what they see is another thing now");
        // The same socket goes on by the new rights.
        rep.subscribe("2", DEALS, json!({})).await;
        rename(&admin, 3, "By the new role").await;
        // What was written in between may be sent too.
        while rep.event("2").await["opportunity"]["name"] != "By the new role" {}
        // A subscriber whom it does not concern receives both, without a break.
        for name in ["After the change", "By the new role"] {
            assert_eq!(analyst.event("1").await["changes"][0]["after"], name);
        }
    });
}

#[test]
fn a_change_that_comes_to_nothing_interrupts_without_gap_or_double() {
    test(async |world: &World| {
        let admin = world.a(Who::Admin);
        let mut manager = Socket::open(&world.a(Who::Manager)).await;
        manager.subscribe("1", DEALS, json!({})).await;
        for n in 0..5 {
            let title = json!({ "userId": A.user(Who::Manager), "title": format!("Title {n}") });
            act(&admin, "membershipUpdate", title).await;
            rename(&admin, 2, &format!("Name {n}")).await;
        }
        for n in 0..5 {
            let event = manager.event("1").await;
            assert_eq!(
                event["opportunity"]["name"]
                    .as_str()
                    .map(|_| &event["changes"][0]["after"]),
                Some(&json!(format!("Name {n}")))
            );
        }
        assert!(manager.is_silent().await);
    });
}

#[test]
fn a_member_who_is_kept_out_is_cut_off_and_receives_nothing_of_what_comes_after() {
    test(async |world: &World| {
        let admin = world.a(Who::Admin);
        let mut rep = Socket::open(&world.a(Who::Rep)).await;
        rep.subscribe("1", DEALS, json!({})).await;
        // No event comes to this one: it ends by the news of rights alone.
        let mut idle = Socket::open(&world.a(Who::Rep)).await;
        act(
            &admin,
            "membershipSuspend",
            json!({ "userId": A.user(Who::Rep) }),
        )
        .await;
        rename(&admin, 1, "Not for them").await;
        for socket in [&mut rep, &mut idle] {
            let (code, reason) = socket.closed().await;
            assert_eq!(code, 4403, "{reason}");
        }
    });
}

#[test]
fn a_board_is_followed_card_by_card() {
    test(async |world: &World| {
        let admin = world.a(Who::Admin);
        let mut socket = Socket::open(&world.a(Who::Analyst)).await;
        let pipeline = |n| global_id("pipeline", A.uuid("pipeline", n));
        let stage = |n| global_id("stage", A.uuid("stage", n));
        let query = "subscription($on: ID!) { boardEvents(pipelineId: $on) {
            kind recordId fromStage { id } toStage { id } boardPosition opportunity { boardPosition } } }";
        socket
            .subscribe("1", query, json!({ "on": pipeline(1) }))
            .await;
        let mut other = Socket::open(&world.a(Who::Analyst)).await;
        other
            .subscribe("1", query, json!({ "on": pipeline(2) }))
            .await;
        act(
            &admin,
            "opportunityMoveStage",
            json!({ "id": deal(1), "stageId": stage(3) }),
        )
        .await;
        let won = socket.event("1").await;
        assert_eq!(
            (&won["fromStage"]["id"], &won["toStage"]["id"]),
            (&json!(stage(2)), &json!(stage(3)))
        );
        assert_eq!(won["boardPosition"], won["opportunity"]["boardPosition"]);
        act(
            &admin,
            "opportunityReorder",
            json!({ "id": deal(2), "afterId": deal(3) }),
        )
        .await;
        let moved = socket.event("1").await;
        assert_eq!(
            (&moved["kind"], &moved["fromStage"]),
            (&json!("MOVED"), &moved["toStage"])
        );
        // Into the other pipeline.
        act(
            &admin,
            "opportunityMoveStage",
            json!({ "id": deal(2), "stageId": stage(5) }),
        )
        .await;
        assert_eq!(socket.event("1").await["kind"], "LEFT_VIEW");
        let entered = other.event("1").await;
        assert_eq!(
            (entered["kind"].as_str(), &entered["toStage"]["id"]),
            (Some("ENTERED_VIEW"), &json!(stage(5)))
        );
    });
}

#[test]
fn completing_a_next_action_is_one_event_of_its_deal() {
    test(async |world: &World| {
        let mut socket = Socket::open(&world.a(Who::Analyst)).await;
        let query = "subscription { opportunityEvents { kind changes { field before } opportunity { lastActivityAt } } }";
        socket.subscribe("1", query, json!({})).await;
        let next = json!({ "at": "2030-01-15T15:00:00Z", "kind": "EMAIL" });
        let input =
            json!({ "id": deal(1), "expectedVersion": 1, "outcome": "Spoke", "next": next });
        act(&world.a(Who::Admin), "opportunityCompleteNextAction", input).await;
        let event = socket.event("1").await;
        assert_eq!(event["kind"], "NEXT_ACTION_COMPLETED", "{event}");
        let moved = json!({ "field": "lastActivityAt", "before": null });
        let changes = event["changes"].as_array().expect("a list");
        assert!(changes.contains(&moved), "{event}");
        assert!(socket.is_silent().await, "it is one event");
    });
}
