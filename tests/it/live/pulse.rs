//! A subscriber who is up to date receives `SYNCED` again and again, over sockets and streams, while nothing happens;
//! the database is not asked for it.

use std::{sync::Arc, time::Duration};

use dealgraph::{api::limits::Limits, tools::app::Serving};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use super::{DEALS, Socket, act, rename};
use crate::{
    defaults::served::Served,
    harness::{A, B, Who, World, global_id, test},
};

/// A server over the world's connections that gives its pulse often.
async fn quick(world: &World) -> Served {
    let serving = Serving {
        pulse: Duration::from_millis(20),
        ..Serving::default()
    };
    let tokens = Arc::clone(&world.tokens);
    Served::of(world.db.clone(), tokens, None, (Limits::default(), serving)).await
}

#[test]
fn a_pulse_is_promised_every_thirty_seconds() {
    assert!(Serving::default().pulse <= Duration::from_secs(28));
}

#[test]
fn a_subscriber_who_is_up_to_date_receives_synced_though_nothing_happens_and_the_database_is_not_asked()
 {
    test(async |world: &World| {
        let served = quick(world).await;
        let token = world.a(Who::Admin).token().expect("a token").to_owned();
        let mut sockets = Vec::new();
        for who in [Who::Admin, Who::Rep, Who::Analyst] {
            let client = world.a(who);
            let mut socket = Socket::at(&served.socket_url(), client.token().expect("one")).await;
            for id in ["1", "2"] {
                let filter = json!({ "filter": { "name": { "startsWith": id } } });
                socket.subscribe(id, DEALS, filter).await;
            }
            sockets.push(socket);
        }
        let document = "subscription { companyEvents { kind cursor recordId } }";
        let mut stream = served.events(&token, document).await;
        let first = stream.next().await.expect("it begins");
        assert_eq!(first["companyEvents"]["kind"], "SYNCED");

        let (_, statements) = world
            .statements
            .during(async {
                let mut cursors = Vec::new();
                for _ in 0..12 {
                    for socket in &mut sockets {
                        for id in ["1", "2"] {
                            let pulse = socket.next_event(id).await;
                            assert_eq!(
                                (&pulse["kind"], &pulse["recordId"]),
                                (&json!("SYNCED"), &Value::Null)
                            );
                            cursors.push(pulse["cursor"].clone());
                        }
                    }
                    let pulse = stream.next().await.expect("it goes on");
                    assert_eq!(pulse["companyEvents"]["kind"], "SYNCED");
                    cursors.push(pulse["companyEvents"]["cursor"].clone());
                }
                cursors.dedup();
                assert_eq!(cursors.len(), 1, "nothing happens: {cursors:?}");
            })
            .await;
        let asked: Vec<_> = statements
            .iter()
            .filter(|sql| !sql.contains("access_changes"))
            .collect();
        assert_eq!(asked, [""; 0], "a pulse asks the database nothing");

        // After something that does not concern them the cursor is a later one.
        rename(&world.a(Who::Admin), 1, "Something else").await;
        let before = sockets[0].next_event("1").await["cursor"].clone();
        while sockets[0].next_event("1").await["cursor"] == before {}
        drop(stream);
        served.stop().await;
    });
}

#[test]
fn a_board_learns_what_its_columns_and_the_companies_on_its_cards_are_called_now() {
    test(async |world: &World| {
        let (admin, rep) = (world.a(Who::Admin), world.a(Who::Rep));
        let pipeline = global_id("pipeline", A.uuid("pipeline", 1));
        let layout = "subscription($id: ID!) { boardLayout(pipelineId: $id) { pipelineId name archived columns { stageId name kind probability } } }";
        let companies = "subscription($id: ID!) { companyEvents(filter: { opportunitiesSome: { pipelineId: { eq: $id }, status: { eq: OPEN } } }) { kind recordId company { name } } }";
        let mut watching = Vec::new();
        for client in [&admin, &rep] {
            let mut socket = Socket::open(client).await;
            socket
                .ask("layout", layout, json!({ "id": pipeline }))
                .await;
            let first = socket.event("layout").await;
            assert_eq!(
                (
                    &first["pipelineId"],
                    &first["name"],
                    &first["columns"][1]["name"]
                ),
                (&json!(pipeline), &json!("Pipeline 1"), &json!("Open"))
            );
            socket
                .subscribe("companies", companies, json!({ "id": pipeline }))
                .await;
            watching.push(socket);
        }
        let stage = global_id("stage", A.uuid("stage", 2));
        act(
            &admin,
            "stageUpdate",
            json!({ "id": stage, "name": "Talking" }),
        )
        .await;
        for socket in &mut watching {
            let now = socket.event("layout").await;
            assert_eq!(
                now["columns"][1],
                json!({ "stageId": stage, "name": "Talking", "kind": "OPEN", "probability": 50 })
            );
        }
        act(
            &admin,
            "pipelineUpdate",
            json!({ "id": pipeline, "name": "Hunting" }),
        )
        .await;
        let company = global_id("company", A.uuid("company", 1));
        act(
            &admin,
            "companyUpdate",
            json!({ "id": company, "name": "Renamed" }),
        )
        .await;
        for socket in &mut watching {
            assert_eq!(socket.event("layout").await["name"], "Hunting");
            assert_eq!(
                socket.change("companies").await,
                json!({ "kind": "UPDATED", "recordId": company, "company": { "name": "Renamed" } })
            );
        }
        // Deals are not what it looks like.
        rename(&admin, 1, "A deal").await;
        for socket in &mut watching {
            assert!(socket.is_silent().await);
        }
    });
}

#[test]
fn the_layout_of_a_board_is_sent_to_those_who_may_read_deals_and_of_ones_own_tenant() {
    test(async |world: &World| {
        let layout = "subscription($id: ID!) { boardLayout(pipelineId: $id) { name } }";
        let theirs = json!({ "id": global_id("pipeline", B.uuid("pipeline", 1)) });
        let mut socket = Socket::open(&world.a(Who::Admin)).await;
        socket.ask("1", layout, theirs).await;
        assert_eq!(socket.failure("1").await.0, "NOT_FOUND");
    });
}
