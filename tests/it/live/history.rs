//! Writers that overlap, fail and are cut off in any order: what a subscriber receives is the log itself, and a board
//! that is put together from it is the board that is queried.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Socket, act, deal, document};
use crate::harness::{A, Who, World, global_id, open, test};

const WRITERS: usize = 8;
const WRITES: usize = 40;

#[test]
fn whatever_order_writers_commit_fail_and_are_cut_off_in_the_log_is_delivered_as_it_is() {
    test(async |world: &World| {
        let query =
            "subscription($after: EventCursor) { companyEvents(after: $after) { kind cursor } }";
        let mut early = Socket::open(&world.a(Who::Analyst)).await;
        let start = early.subscribe("1", query, json!({})).await["cursor"].clone();
        let db = Arc::new(open(&world.database, 8).await);
        let writers = (0..WRITERS).map(|writer| {
            let db = Arc::clone(&db);
            tokio::spawn(async move {
                for n in 0..WRITES {
                    let name = format!("w{writer}-{n}");
                    let write = crate::events::write(&db, &name, n % 3 == 1);
                    // Some are gone after a while: before, in, or after their commit.
                    let patience = match fastrand::bool() {
                        true => Duration::from_micros(fastrand::u64(200..30_000)),
                        false => Duration::from_secs(20),
                    };
                    _ = tokio::time::timeout(patience, write).await;
                }
            })
        });
        join_all(writers).await;
        db.close().await;
        let mut inspector = world.database.superuser().await;
        let numbers: Vec<i64> =
            sqlx::query_scalar("SELECT seq FROM events WHERE tenant_id = $1 ORDER BY seq")
                .bind(A.uuid("tenant", 1))
                .fetch_all(&mut inspector)
                .await
                .expect("events can be read");
        assert!(
            numbers.iter().copied().eq(1..=numbers.len() as i64),
            "{numbers:?}"
        );
        let (epoch, first) = start
            .as_str()
            .and_then(|cursor| cursor.split_once('.'))
            .expect("a cursor");
        let first: usize = first.parse().expect("a number");
        assert!(numbers.len() > first + WRITERS, "some were committed");
        let expected: Vec<Value> = (first + 1..=numbers.len())
            .map(|seq| json!(format!("{epoch}.{seq}")))
            .collect();
        // One that was there all along, one that comes back to the beginning, and one that comes to the middle of it.
        let mut live = Vec::new();
        while live.len() < expected.len() {
            live.push(early.change("1").await["cursor"].clone());
        }
        assert_eq!(live, expected);
        for from in [0, expected.len() / 2] {
            let after = if from == 0 {
                start.clone()
            } else {
                expected[from - 1].clone()
            };
            let mut late = Socket::open(&world.a(Who::Viewer)).await;
            late.ask("1", query, json!({ "after": after })).await;
            for cursor in &expected[from..] {
                assert_eq!(late.change("1").await["cursor"], *cursor);
            }
            assert!(late.is_silent().await);
        }
        assert!(early.is_silent().await);
    });
}

/// A board as a client keeps it: by the events that it receives, never asked again.
#[derive(Default)]
struct Board(BTreeMap<String, Value>);

const CARD: &str =
    "id name status boardPosition version stage { id } owner { name } archivedAt lastActivityAt";

impl Board {
    fn apply(&mut self, event: &Value) {
        let Some(id) = event["recordId"].as_str() else {
            return;
        };
        let card = &event["opportunity"];
        let is_gone = card.is_null() || !card["archivedAt"].is_null();
        match is_gone {
            true => self.0.remove(id),
            false => self.0.insert(id.to_owned(), card.clone()),
        };
    }
}

async fn queried(world: &World, who: Who, pipeline: &str) -> (Board, Value) {
    let document = format!(
        "query($pipeline: ID!) {{ eventCursor opportunities(first: 100, filter: {{ pipelineId: {{ eq: $pipeline }} }}) {{ nodes {{ {CARD} }} }} }}"
    );
    let read = world
        .a(who)
        .query_with(&document, json!({ "pipeline": pipeline }))
        .await;
    let nodes = read["opportunities"]["nodes"]
        .as_array()
        .cloned()
        .expect("a list");
    let cards = nodes
        .into_iter()
        .map(|card| (card["id"].as_str().expect("an id").to_owned(), card));
    (Board(cards.collect()), read["eventCursor"].clone())
}

#[test]
fn a_board_that_is_followed_is_the_board_that_is_queried() {
    test(async |world: &World| {
        let admin = world.a(Who::Admin);
        let pipeline = global_id("pipeline", A.uuid("pipeline", 1));
        let stage = |n| global_id("stage", A.uuid("stage", n));
        let query = format!(
            "subscription($on: ID!, $after: EventCursor) {{ boardEvents(pipelineId: $on, after: $after) {{ kind cursor recordId opportunity {{ {CARD} }} }} }}"
        );
        let mut followers = Vec::new();
        for who in [Who::Analyst, Who::Manager, Who::Rep, Who::OtherRep] {
            let (board, cursor) = queried(world, who, &pipeline).await;
            let mut socket = Socket::open(&world.a(who)).await;
            socket
                .ask("1", &query, json!({ "on": pipeline, "after": cursor }))
                .await;
            followers.push((who, board, socket));
        }
        let owners = [Who::Rep, Who::OtherRep, Who::Manager, Who::Admin];
        for round in 0..60 {
            let n = 1 + fastrand::u32(..5);
            let (id, owner) = (deal(n), A.user(owners[fastrand::usize(..4)]));
            let (mutation, input) = match fastrand::u8(..9) {
                0 => (
                    "opportunityMoveStage",
                    json!({ "id": id, "stageId": stage([2, 3, 5][fastrand::usize(..3)]) }),
                ),
                1 => ("opportunityLose", json!({ "id": id, "reason": "price" })),
                2 => ("opportunityReopen", json!({ "id": id })),
                3 => ("opportunityArchive", json!({ "id": id })),
                4 => ("opportunityRestore", json!({ "id": id })),
                5 => ("opportunityUpdate", json!({ "id": id, "ownerId": owner })),
                6 => (
                    "activityCreate",
                    json!({ "kind": "CALL", "subject": "Spoke", "status": "DONE", "targetIds": [id] }),
                ),
                7 => (
                    "opportunityCreate",
                    json!({ "name": format!("New {round}"), "stageId": stage(2), "ownerId": owner }),
                ),
                _ => (
                    "opportunityUpdate",
                    json!({ "id": id, "name": format!("Name {round}") }),
                ),
            };
            // Some are refused, to reopen what is open for example; then nothing happens.
            admin
                .send(&document(mutation), json!({ "input": input }))
                .await;
        }
        // The last event, which all can see: a deal that all of them own or reach.
        for (who, board, socket) in &mut followers {
            let name = format!("The last word for {who:?}");
            let owner = A.user(*who);
            act(
                &admin,
                "opportunityCreate",
                json!({ "name": name, "stageId": stage(2), "ownerId": owner }),
            )
            .await;
            loop {
                let event = socket.event("1").await;
                board.apply(&event);
                if event["opportunity"]["name"] == *name {
                    break;
                }
            }
            // What followers before this one received is on the board of this one too.
            let (now, _) = queried(world, *who, &pipeline).await;
            assert_eq!(board.0, now.0, "{who:?}");
        }
    });
}
