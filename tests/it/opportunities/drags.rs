//! However often cards are dragged, there is a position for each, and every member's board shows them in one order.

use std::collections::{BTreeSet, HashMap};

use dealgraph::{
    base::{
        error::Error,
        ids::{OpportunityId, Typed as _},
    },
    crm::opportunities::{self, Place},
    db::journal::Origin,
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::Row as _;

use super::{DEALS, new_deal, stage};
use crate::{
    harness::{A, Who, World, global_id, test},
    live::Socket,
};

/// Drags a card to a place in its column.
async fn drag(world: &World, who: Who, card: OpportunityId, place: Place) -> Result<(), Error> {
    let (actor, origin) = (A.actor(who), Origin::process("drag"));
    let moved = world.db.write(&actor, &origin, async |tx| {
        opportunities::reorder(tx, (card, None), place).await
    });
    moved.await.map(|_| ())
}

fn above(card: OpportunityId) -> Place {
    Place {
        after: None,
        before: Some(card),
    }
}

fn below(card: OpportunityId) -> Place {
    Place {
        after: Some(card),
        before: None,
    }
}

/// The cards of the column as the database has them, with their places and versions.
async fn column(world: &World) -> Vec<(OpportunityId, String, i32)> {
    let sql = "SELECT opportunity_id, board_position, version FROM opportunities WHERE tenant_id = $1 AND stage_id = $2 \
               ORDER BY board_position, opportunity_id";
    let rows = sqlx::query(sql)
        .bind(A.uuid("tenant", 1))
        .bind(A.uuid("stage", 2))
        .fetch_all(&mut world.database.superuser().await)
        .await
        .expect("the superuser reads");
    rows.iter()
        .map(|row| (OpportunityId::from_uuid(row.get(0)), row.get(1), row.get(2)))
        .collect()
}

async fn order(world: &World) -> Vec<OpportunityId> {
    column(world).await.into_iter().map(|(id, ..)| id).collect()
}

fn card(n: u32) -> OpportunityId {
    A.id(n)
}

#[test]
fn there_is_a_place_for_every_card_wherever_it_is_dragged_thousands_of_times() {
    test(async |world| {
        let mut model = order(world).await;
        assert_eq!(model, [1, 2, 3, 4, 5].map(card));
        // To the top: every time the lowest one.
        for _ in 0..700 {
            let last = model.pop().expect("cards");
            drag(world, Who::Admin, last, above(model[0]))
                .await
                .expect("a place at the top");
            model.insert(0, last);
        }
        assert_eq!(order(world).await, model);
        let longest =
            |column: &[(OpportunityId, String, i32)]| column.iter().map(|card| card.1.len()).max();
        assert!(
            longest(&column(world).await) <= Some(32),
            "the top does not grow"
        );
        // To the bottom: every time the highest one.
        for _ in 0..300 {
            let first = model.remove(0);
            drag(world, Who::Admin, first, below(model[3]))
                .await
                .expect("a place at the bottom");
            model.push(first);
        }
        assert_eq!(order(world).await, model);

        // Two alternately right below a third, and right above a fourth, which nobody touches.
        let (still, before) = (model[0], column(world).await);
        let version = |column: &[(OpportunityId, String, i32)], id| {
            let found = column
                .iter()
                .find(|card| card.0 == id)
                .expect("it is there");
            (found.1.clone(), found.2)
        };
        for n in 0..1_000 {
            let moved = model.remove(2);
            drag(world, Who::Admin, moved, below(still))
                .await
                .expect("a place below");
            model.insert(1, moved);
            if n % 200 == 199 {
                assert_eq!(order(world).await, model, "{n}");
            }
        }
        let under = model[4];
        for n in 0..500 {
            let moved = model.remove(2);
            let place = Place {
                after: Some(model[2]),
                before: Some(under),
            };
            drag(world, Who::Admin, moved, place)
                .await
                .expect("a place above");
            model.insert(3, moved);
            if n % 100 == 99 {
                assert_eq!(order(world).await, model, "{n}");
            }
        }
        let after = column(world).await;
        assert!(longest(&after) < Some(64), "{after:?}");
        let ((old, unchanged), (new, still_unchanged)) =
            (version(&before, still), version(&after, still));
        assert_ne!(old, new, "it made room");
        assert_eq!(unchanged, still_unchanged, "which is no change to it");
        // A caller who has read it may still save it.
        let input = json!({ "id": still, "expectedVersion": unchanged, "name": "Still the same" });
        DEALS.done(&world.a(Who::Admin), "Update", input).await;
    });
}

/// Applies the events of a board to its cards as docs/live.md says, up to a place.
async fn follow(
    socket: &mut Socket<'_>,
    cards: &mut HashMap<String, (String, i64)>,
    until: &Value,
) {
    loop {
        let event = socket.change("1").await;
        let id = event["recordId"].as_str().expect("an id").to_owned();
        match &event["opportunity"] {
            Value::Null => {
                cards.remove(&id);
            }
            deal => {
                let place = deal["boardPosition"].as_str().expect("a place").to_owned();
                let version = deal["version"].as_i64().expect("a number");
                if cards.get(&id).is_none_or(|(_, known)| *known <= version) {
                    cards.insert(id, (place, version));
                }
            }
        }
        if event["cursor"] == *until {
            return;
        }
    }
}

#[test]
fn the_boards_of_all_who_watch_stay_right_while_cards_make_room() {
    test(async |world| {
        let board = "subscription($id: ID!) { boardEvents(pipelineId: $id, filter: { status: { eq: OPEN } }) {
            kind cursor recordId opportunity { version boardPosition } } }";
        let read = "query($id: ID!) { eventCursor pipeline(id: $id) { opportunities(first: 100, filter: { status: { eq: OPEN } }) {
            nodes { id version boardPosition } } } }";
        let pipeline = json!({ "id": global_id("pipeline", A.uuid("pipeline", 1)) });
        let mut watching = Vec::new();
        for who in [Who::Admin, Who::Rep, Who::Analyst] {
            let client = world.a(who);
            let mut socket = Socket::open(&client).await;
            socket.subscribe("1", board, pipeline.clone()).await;
            let page = client.query_with(read, pipeline.clone()).await;
            let nodes = page["pipeline"]["opportunities"]["nodes"]
                .as_array()
                .expect("nodes");
            let cards: HashMap<_, _> = nodes
                .iter()
                .map(|node| {
                    let text = |field: &str| node[field].as_str().expect("text").to_owned();
                    let version = node["version"].as_i64().expect("a number");
                    (text("id"), (text("boardPosition"), version))
                })
                .collect();
            watching.push((who, socket, cards));
        }
        for round in 0..6 {
            for n in 0..40 {
                let moved = if n % 2 == 0 { card(2) } else { card(5) };
                drag(world, Who::Admin, moved, below(card(1)))
                    .await
                    .expect("a place");
            }
            // All see this one, so its event is the last that each of them receives.
            drag(
                world,
                Who::Admin,
                card(1),
                if round % 2 == 0 {
                    below(card(4))
                } else {
                    above(card(3))
                },
            )
            .await
            .expect("a place");
            for (who, socket, cards) in &mut watching {
                let page = world.a(*who).query_with(read, pipeline.clone()).await;
                follow(socket, cards, &page["eventCursor"]).await;
                let nodes = page["pipeline"]["opportunities"]["nodes"]
                    .as_array()
                    .expect("nodes");
                assert_eq!(cards.len(), nodes.len(), "{who:?}");
                for node in nodes {
                    let (place, _) = &cards[node["id"].as_str().expect("an id")];
                    assert_eq!(
                        node["boardPosition"],
                        place.as_str(),
                        "{who:?} round {round}"
                    );
                }
            }
        }
    });
}

#[test]
fn cards_that_one_does_not_see_keep_their_order_when_they_make_room() {
    test(async |world| {
        // The rep sees 1 and 5, and puts each right above the other, alternating.
        let hidden = [2, 3, 4].map(card);
        for n in 0..300 {
            let (moved, other) = if n % 2 == 0 { (1, 5) } else { (5, 1) };
            drag(world, Who::Rep, card(moved), above(card(other)))
                .await
                .expect("a place");
        }
        let order = order(world).await;
        let left: Vec<_> = order
            .iter()
            .copied()
            .filter(|id| hidden.contains(id))
            .collect();
        assert_eq!(left, hidden);
        let versions: BTreeSet<i32> = column(world)
            .await
            .into_iter()
            .filter(|(id, ..)| hidden.contains(id))
            .map(|(.., version)| version)
            .collect();
        assert_eq!(versions, BTreeSet::from([1]), "and count as unchanged");
        // What is not theirs to see is not theirs to stand beside.
        let refused = drag(world, Who::Rep, card(1), above(card(3))).await;
        assert!(
            matches!(refused, Err(Error::NotFound { .. })),
            "{refused:?}"
        );
    });
}

#[test]
fn those_who_drag_at_once_all_find_a_place_and_no_two_the_same() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        for n in 0..12 {
            DEALS
                .done(
                    &admin,
                    "Create",
                    new_deal(json!({ "name": format!("Card {n}"), "stageId": stage(2) })),
                )
                .await;
        }
        let cards = order(world).await;
        let people = [
            Who::Admin,
            Who::Admin,
            Who::Manager,
            Who::Admin,
            Who::Rep,
            Who::Admin,
        ];
        let dragging = people.into_iter().enumerate().map(async |(n, who)| {
            let mut dice = fastrand::Rng::with_seed(n as u64);
            let own: Vec<_> = match who {
                Who::Admin => cards.clone(),
                Who::Manager => [1, 2].map(card).to_vec(),
                _ => [1, 5].map(card).to_vec(),
            };
            for _ in 0..80 {
                let moved = own[dice.usize(..own.len())];
                let others: Vec<_> = own.iter().filter(|other| **other != moved).collect();
                // Mostly into the same two gaps.
                let beside = *others[if dice.u8(..4) == 0 {
                    dice.usize(..others.len())
                } else {
                    0
                }];
                let place = if dice.bool() {
                    above(beside)
                } else {
                    below(beside)
                };
                drag(world, who, moved, place).await.expect("a place");
            }
        });
        join_all(dragging).await;
        let column = column(world).await;
        let places: BTreeSet<&str> = column.iter().map(|(_, place, _)| place.as_str()).collect();
        assert_eq!(
            (column.len(), places.len()),
            (cards.len(), cards.len()),
            "{column:?}"
        );
    });
}
