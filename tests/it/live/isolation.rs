//! Everything that can be watched, asked for as deep as it goes, by all members of one tenant while the other one changes
//! all it has. The socket of a person of A fails the test when anything of B turns up.

use serde_json::{Value, json};

use super::{Socket, act, socket::PATIENCE};
use crate::{
    harness::{A, B, Schema, Side, Who, World, global_id, test},
    isolation::crawl::subscriptions,
};

/// Changes that leave an event for each kind of record that is watched.
async fn change_everything(world: &World, side: Side) {
    let admin = world.member(side, Who::Admin);
    let id = |kind: &str, n| global_id(kind, side.uuid(kind, n));
    for n in 1..=4 {
        for (mutation, input) in [
            (
                "companyUpdate",
                json!({ "id": id("company", n), "city": "Elsewhere" }),
            ),
            (
                "contactUpdate",
                json!({ "id": id("contact", n), "jobTitle": "Other" }),
            ),
            (
                "leadUpdate",
                json!({ "id": id("lead", n), "source": "elsewhere" }),
            ),
            (
                "opportunityUpdate",
                json!({ "id": id("opportunity", n), "source": "elsewhere" }),
            ),
            (
                "activityUpdate",
                json!({ "id": id("activity", n), "outcome": "Other" }),
            ),
            (
                "productUpdate",
                json!({ "id": id("product", n), "description": "Other" }),
            ),
        ] {
            act(&admin, mutation, input).await;
        }
    }
    let often = json!({ "id": id("integration", 1), "syncEveryMinutes": 30 });
    act(&admin, "integrationUpdate", often).await;
    let hook = json!({ "id": id("webhookEndpoint", 1) });
    act(&admin, "webhookEndpointPing", hook).await;
}

#[test]
fn nobody_of_a_hears_anything_of_b_whatever_they_watch() {
    test(async |world: &World| {
        let watched = subscriptions(&Schema::of_server(), A);
        assert!(watched.len() >= 8, "all that can be watched is");
        let mut sockets = Vec::new();
        for who in Who::ROLES {
            let mut socket = Socket::open(&world.a(who)).await;
            for (name, document) in &watched {
                socket.ask(name, document, json!({})).await;
            }
            sockets.push((who, socket));
        }
        let mut theirs = Socket::open(&world.b(Who::Admin)).await;
        let of_b = subscriptions(&Schema::of_server(), B);
        for (name, document) in &of_b {
            theirs.ask(name, document, json!({})).await;
            _ = theirs.message(name).await;
        }
        change_everything(world, B).await;
        // What A hears of itself afterwards proves that it would have heard of B before.
        change_everything(world, A).await;
        for (who, socket) in &mut sockets {
            let seen = hear_of_the_last_deal(socket, *who).await;
            assert!(seen > 0, "{who:?} hears nothing at all");
        }
        let mut text = String::new();
        for (name, _) in of_b.iter().filter(|(name, _)| name.ends_with("Events")) {
            text += &theirs.message(name).await.to_string();
        }
        assert!(
            text.contains("CANARY-B"),
            "nothing of B was there to be heard"
        );
        let sent = theirs.message("webhookDeliveryChanges").await.to_string();
        assert!(sent.contains("CANARY-B"), "{sent}");
    });
}

/// Listens until the last of what a person may see has come; answers how much that was.
async fn hear_of_the_last_deal(socket: &mut Socket<'_>, who: Who) -> usize {
    let mut seen = 0;
    let heard = async {
        loop {
            let message = socket.frame().await;
            seen += 1;
            let event = &message["payload"]["data"]["companyEvents"]["recordId"];
            if *event == Value::String(global_id("company", A.uuid("company", 4))) {
                return;
            }
        }
    };
    let heard = tokio::time::timeout(PATIENCE, heard).await;
    assert!(heard.is_ok(), "{who:?} does not hear of the last company");
    seen
}
