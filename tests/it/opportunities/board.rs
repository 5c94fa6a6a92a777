//! The order of deals on the board.

use serde_json::{Value, json};

use super::{DEALS, deal, new_deal, stage};
use crate::{
    harness::{A, Client, Who, test},
    records::{Domain, merge},
};

/// The deals of a stage as they stand on the board.
async fn board(client: &Client<'_>, stage: &Value) -> Vec<Value> {
    DEALS.ids(client, &format!("first: 100, filter: {{ stageId: {{ eq: {stage} }} }}, orderBy: [{{ field: BOARD_POSITION }}]")).await
}

#[test]
fn the_order_of_the_board_is_the_one_that_deals_were_put_in() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        for n in 0..7 {
            DEALS
                .done(
                    &admin,
                    "Create",
                    new_deal(json!({ "name": format!("Card {n}") })),
                )
                .await;
        }
        let cards = Domain {
            fields: "id boardPosition stageHistory { id }",
            ..DEALS
        };
        let mut model = board(&admin, &stage(2)).await;
        assert_eq!(model.len(), 12);
        let mut dice = fastrand::Rng::with_seed(14);
        for step in 0..48 {
            let card = model.remove(dice.usize(..model.len()));
            let to = dice.usize(..=model.len());
            let (after, before) = (
                to.checked_sub(1).map(|i| model[i].clone()),
                model.get(to).cloned(),
            );
            let place = match (dice.u8(..3), after, before) {
                (0, Some(after), Some(before)) => json!({ "afterId": after, "beforeId": before }),
                (1, Some(after), _) | (_, Some(after), None) => json!({ "afterId": after }),
                (_, _, Some(before)) => json!({ "beforeId": before }),
                _ => unreachable!("there are other cards"),
            };
            let mut input = json!({ "id": card });
            merge(&mut input, &place);
            let moved = cards.done(&admin, "Reorder", input).await;
            assert_eq!(
                moved["stageHistory"].as_array().map(Vec::len),
                Some(1),
                "along the board is no change of stage"
            );
            model.insert(to, card);
            if step % 8 == 7 {
                assert_eq!(board(&admin, &stage(2)).await, model, "step {step}");
            }
        }
        // A card that changes its stage takes the place that it is given there.
        let first = model.remove(0);
        let resident = model.remove(3);
        let gone = model.remove(4);
        cards
            .done(
                &admin,
                "MoveStage",
                json!({ "id": resident, "stageId": stage(5) }),
            )
            .await;
        cards
            .done(
                &admin,
                "MoveStage",
                json!({ "id": gone, "stageId": stage(5), "beforeId": resident }),
            )
            .await;
        cards
            .done(
                &admin,
                "MoveStage",
                json!({ "id": first, "stageId": stage(5), "afterId": gone, "beforeId": resident }),
            )
            .await;
        assert_eq!(board(&admin, &stage(2)).await, model);
        assert_eq!(board(&admin, &stage(5)).await, [gone, first, resident]);
        let nested = "query($id: ID!) { stage(id: $id) { opportunities(first: 100, orderBy: [{ field: BOARD_POSITION }]) { nodes { id } } } }";
        let data = admin.query_with(nested, json!({ "id": stage(2) })).await;
        let nested: Vec<Value> = data["stage"]["opportunities"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["id"].clone())
            .collect();
        assert_eq!(nested, model);
    });
}

#[test]
fn a_place_that_makes_no_sense_is_refused() {
    test(async |world| {
        let (admin, rep) = (world.a(Who::Admin), world.a(Who::Rep));
        let elsewhere = DEALS
            .done(&admin, "Create", new_deal(json!({ "stageId": stage(5) })))
            .await["id"]
            .clone();
        assert_eq!(board(&admin, &stage(2)).await, [1, 2, 3, 4, 5].map(deal));
        DEALS
            .refuses(
                (world, &admin),
                "Reorder",
                json!({ "id": deal(1) }),
                vec![
                    (json!({ "afterId": elsewhere }), "WRONG_STAGE", "afterId"),
                    (json!({ "beforeId": elsewhere }), "WRONG_STAGE", "beforeId"),
                    (json!({ "afterId": deal(1) }), "WRONG_STAGE", "afterId"),
                    (
                        json!({ "afterId": deal(4), "beforeId": deal(3) }),
                        "WRONG_ORDER",
                        "afterId",
                    ),
                    (
                        json!({ "afterId": deal(3), "beforeId": deal(3) }),
                        "WRONG_ORDER",
                        "afterId",
                    ),
                    (
                        json!({ "afterId": A.id::<dealgraph::base::ids::OpportunityId>(99) }),
                        "NOT_FOUND",
                        "afterId",
                    ),
                    (
                        json!({ "expectedVersion": 9, "afterId": deal(2) }),
                        "CONFLICT",
                        "expectedVersion",
                    ),
                ],
            )
            .await;
        // Next to a deal that they do not see is no place for them.
        DEALS
            .refuses(
                (world, &rep),
                "Reorder",
                json!({ "id": deal(1) }),
                vec![(json!({ "afterId": deal(3) }), "NOT_FOUND", "afterId")],
            )
            .await;
    });
}
