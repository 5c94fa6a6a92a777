//! Who looks at a record is known to those who may see it, and to nobody else.

use serde_json::{Value, json};

use super::{Socket, act, deal};
use crate::harness::{A, Who, World, test};

const PRESENCE: &str = "subscription($on: ID!, $announce: Boolean! = true) {
    presence(on: $on, announce: $announce) { user { name } since } }";

fn names(event: &Value) -> Vec<&str> {
    let present = event.as_array().expect("a list");
    present
        .iter()
        .map(|one| one["user"]["name"].as_str().unwrap_or_default())
        .collect()
}

#[test]
fn a_viewer_of_a_record_is_seen_while_they_look() {
    test(async |world: &World| {
        let mut admin = Socket::open(&world.a(Who::Admin)).await;
        let mut rep = Socket::open(&world.a(Who::Rep)).await;
        let on = json!({ "on": deal(1) });
        admin.ask("1", PRESENCE, on.clone()).await;
        while names(&admin.event("1").await) != ["Person 1"] {}
        rep.ask("1", PRESENCE, on.clone()).await;
        while names(&admin.event("1").await) != ["Person 1", "Person 3"] {}
        while names(&rep.event("1").await) != ["Person 1", "Person 3"] {}
        // Asking, and watching without announcing, is not looking.
        let seen = world
            .a(Who::Analyst)
            .query_with(
                "query($on: ID!) { presence(on: $on) { user { name } since } }",
                on,
            )
            .await;
        assert_eq!(names(&seen["presence"]), ["Person 1", "Person 3"]);
        let mut viewer = Socket::open(&world.a(Who::Viewer)).await;
        viewer
            .ask("1", PRESENCE, json!({ "on": deal(1), "announce": false }))
            .await;
        assert_eq!(names(&viewer.event("1").await), ["Person 1", "Person 3"]);
        drop(rep);
        while names(&admin.event("1").await) != ["Person 1"] {}
        assert_eq!(names(&viewer.event("1").await), ["Person 1"]);
    });
}

#[test]
fn who_looks_is_shown_to_nobody_who_may_not_see_the_record() {
    test(async |world: &World| {
        let mut other = Socket::open(&world.a(Who::OtherRep)).await;
        other.ask("1", PRESENCE, json!({ "on": deal(1) })).await;
        assert_eq!(other.failure("1").await.0, "NOT_FOUND");
        let foreign =
            crate::harness::global_id("opportunity", crate::harness::B.uuid("opportunity", 1));
        other.ask("2", PRESENCE, json!({ "on": foreign })).await;
        assert_eq!(other.failure("2").await.0, "NOT_FOUND");
        other.ask("3", PRESENCE, json!({ "on": "stage:1" })).await;
        assert_eq!(other.failure("3").await.0, "INVALID_ID");
        // And it ends for a member who loses sight of it.
        let mut rep = Socket::open(&world.a(Who::Rep)).await;
        rep.ask("1", PRESENCE, json!({ "on": deal(1) })).await;
        while names(&rep.event("1").await) != ["Person 3"] {}
        let away = json!({ "id": deal(1), "ownerId": A.user(Who::OtherRep) });
        act(&world.a(Who::Admin), "opportunityUpdate", away).await;
        assert_eq!(rep.failure("1").await.0, "NOT_FOUND");
    });
}
