//! How a deal moves through the stages of a pipeline, to its end and back.

use dealgraph::base::ids::{OpportunityId, PipelineId, StageId};
use serde_json::{Value, json};

use super::{DEALS, deal, new_deal, stage};
use crate::{
    harness::{A, Client, Who, World, test},
    records::{Domain, arrange, uuid_of},
};

const THREE_DAYS: i64 = 3 * 86_400;

/// A second open stage in the first pipeline, where deals are won with 75 percent.
async fn later_stage(world: &World) -> Value {
    let stages = Domain {
        one: "stage",
        many: "",
        of: "Stage",
        fields: "id",
    };
    let input = json!({ "pipelineId": A.id::<PipelineId>(1), "name": "Later", "probability": 75 });
    stages.done(&world.a(Who::Admin), "Create", input).await["id"].clone()
}

/// Makes a deal stand in its stage for three days already.
async fn age(world: &World, id: &Value) {
    arrange(world, format!("UPDATE opportunities SET stage_entered_at = now() - interval '3 days' WHERE opportunity_id = '{}'", uuid_of(id))).await;
}

async fn move_to(client: &Client<'_>, id: &Value, stage: &Value) -> Value {
    DEALS
        .done(client, "MoveStage", json!({ "id": id, "stageId": stage }))
        .await
}

#[test]
fn moving_a_deal_writes_history_with_how_long_it_stood_and_its_probability_follows() {
    test(async |world| {
        let (rep, id, later) = (world.a(Who::Rep), deal(1), later_stage(world).await);
        age(world, &id).await;
        let before = DEALS.read(&rep, &id).await;
        let moved = DEALS
            .done(
                &rep,
                "MoveStage",
                json!({ "id": id, "stageId": later, "expectedVersion": 1 }),
            )
            .await;
        assert_eq!(
            (
                &moved["stage"]["id"],
                &moved["probability"],
                &moved["version"],
                &moved["status"]
            ),
            (&later, &json!(75), &json!(2), &json!("OPEN"))
        );
        assert_eq!(
            moved["weightedAmount"],
            json!({ "amountMinor": 750, "currency": "EUR" })
        );
        assert_ne!(moved["stageEnteredAt"], before["stageEnteredAt"]);
        let history = moved["stageHistory"].as_array().unwrap();
        assert_eq!(history.len(), 2);
        let stood = history[0]["stoodSeconds"].as_i64().unwrap();
        assert!((THREE_DAYS..THREE_DAYS + 600).contains(&stood), "{stood}");
        let me = json!({ "kind": "USER", "user": { "id": A.user(Who::Rep) } });
        assert_eq!(
            history[0],
            json!({ "fromStage": { "id": stage(2) }, "toStage": { "id": later }, "fromStatus": "OPEN", "toStatus": "OPEN", "probability": 75, "stoodSeconds": stood, "changedBy": me })
        );
        assert_eq!(
            history[1], before["stageHistory"][0],
            "what was written stays as it was, the newest comes first"
        );
        assert_eq!(
            move_to(&rep, &id, &later).await,
            moved,
            "to where it stands is no move"
        );
        let late = DEALS
            .act(
                &rep,
                "MoveStage",
                &json!({ "id": id, "stageId": stage(2), "expectedVersion": 1 }),
            )
            .await;
        assert_eq!(late.user_error("opportunityMoveStage").0, "CONFLICT");
        assert_eq!(late.data()["opportunityMoveStage"]["opportunity"], moved);

        // By hand stays by hand, until it is given back.
        DEALS
            .done(&rep, "Update", json!({ "id": id, "probability": 12 }))
            .await;
        let back = move_to(&rep, &id, &stage(2)).await;
        assert_eq!(
            (&back["probability"], &back["probabilityIsManual"]),
            (&json!(12), &json!(true))
        );
        let followed = DEALS
            .done(&rep, "Update", json!({ "id": id, "probability": null }))
            .await;
        assert_eq!(
            (&followed["probability"], &followed["probabilityIsManual"]),
            (&json!(50), &json!(false))
        );

        // The stage of another pipeline takes the deal there.
        let elsewhere = move_to(&rep, &id, &stage(5)).await;
        assert_eq!(
            (&elsewhere["pipeline"]["id"], &elsewhere["stage"]["id"]),
            (&json!(A.id::<PipelineId>(2)), &stage(5))
        );
        assert_eq!(elsewhere["stageHistory"].as_array().unwrap().len(), 4);
    });
}

#[test]
fn a_won_deal_is_closed_until_it_is_reopened_where_it_stood() {
    test(async |world| {
        let (rep, later) = (world.a(Who::Rep), later_stage(world).await);
        let by_stage = async |id: &Value| move_to(&rep, id, &stage(3)).await;
        let by_name = async |id: &Value| DEALS.done(&rep, "Win", json!({ "id": id })).await;
        for ways in [true, false] {
            let input = new_deal(
                json!({ "stageId": later, "probability": 5, "nextAction": { "at": "2027-01-01T00:00:00Z", "kind": "CALL" } }),
            );
            let id = DEALS.done(&rep, "Create", input).await["id"].clone();
            age(world, &id).await;
            let won = if ways {
                by_stage(&id).await
            } else {
                by_name(&id).await
            };
            assert_eq!(
                (&won["status"], &won["probability"], &won["stage"]["id"]),
                (&json!("WON"), &json!(100), &stage(3))
            );
            assert_eq!(
                (&won["forecastCategory"], &won["nextAction"], &won["lostAt"]),
                (&json!("CLOSED"), &Value::Null, &Value::Null)
            );
            assert_eq!(won["wonAt"], won["stageEnteredAt"]);
            let entry = &won["stageHistory"][0];
            assert_eq!(
                (
                    &entry["fromStatus"],
                    &entry["toStatus"],
                    &entry["probability"]
                ),
                (&json!("OPEN"), &json!("WON"), &json!(100))
            );
            assert!(entry["stoodSeconds"].as_i64().unwrap() >= THREE_DAYS);

            DEALS
                .refuses(
                    (world, &rep),
                    "MoveStage",
                    json!({ "id": id, "stageId": stage(2) }),
                    vec![(json!({}), "CLOSED", "id")],
                )
                .await;
            for verb in ["Win", "Lose"] {
                let mut input = json!({ "id": id });
                if verb == "Lose" {
                    input["reason"] = json!("x");
                }
                assert_eq!(
                    DEALS.refused(&rep, verb, input).await,
                    ("CLOSED".to_owned(), "id".to_owned()),
                    "{verb}"
                );
            }
            let next =
                json!({ "id": id, "nextAction": { "at": "2027-01-01T00:00:00Z", "kind": "CALL" } });
            assert_eq!(DEALS.refused(&rep, "SetNextAction", next).await.0, "CLOSED");
            assert_eq!(
                DEALS
                    .refused(&rep, "Update", json!({ "id": id, "probability": 1 }))
                    .await
                    .0,
                "CLOSED"
            );

            let open = DEALS.done(&rep, "Reopen", json!({ "id": id })).await;
            assert_eq!(
                (&open["status"], &open["stage"]["id"], &open["probability"]),
                (&json!("OPEN"), &later, &json!(75))
            );
            assert_eq!(
                (
                    &open["wonAt"],
                    &open["forecastCategory"],
                    &open["probabilityIsManual"]
                ),
                (&Value::Null, &json!("PIPELINE"), &json!(false))
            );
            assert_eq!(open["stageHistory"].as_array().unwrap().len(), 3);
            assert_eq!(
                DEALS.refused(&rep, "Reopen", json!({ "id": id })).await,
                ("OPEN".to_owned(), "id".to_owned())
            );
        }
    });
}

#[test]
fn a_deal_is_lost_for_a_reason_unless_the_tenant_asks_for_none() {
    test(async |world| {
        let (rep, id) = (world.a(Who::Rep), deal(1));
        DEALS
            .refuses(
                (world, &rep),
                "Lose",
                json!({ "id": id }),
                vec![
                    (json!({}), "LOST_REASON_REQUIRED", "reason"),
                    (json!({ "reason": " " }), "LOST_REASON_REQUIRED", "reason"),
                    (json!({ "reason": "x".repeat(201) }), "TOO_LONG", "reason"),
                    (
                        json!({ "reason": "x", "note": "x".repeat(20_001) }),
                        "TOO_LONG",
                        "note",
                    ),
                    (
                        json!({ "reason": "x", "stageId": stage(3) }),
                        "WRONG_STAGE",
                        "stageId",
                    ),
                    (
                        json!({ "reason": "x", "stageId": StageId::new() }),
                        "NOT_FOUND",
                        "stageId",
                    ),
                    (
                        json!({ "reason": "x", "id": OpportunityId::new() }),
                        "NOT_FOUND",
                        "id",
                    ),
                    (
                        json!({ "reason": "x", "expectedVersion": 7 }),
                        "CONFLICT",
                        "expectedVersion",
                    ),
                ],
            )
            .await;
        DEALS
            .refuses(
                (world, &rep),
                "Win",
                json!({ "id": id }),
                vec![
                    (json!({ "stageId": stage(1) }), "WRONG_STAGE", "stageId"),
                    (json!({ "stageId": stage(2) }), "WRONG_STAGE", "stageId"),
                    (
                        json!({ "expectedVersion": 7 }),
                        "CONFLICT",
                        "expectedVersion",
                    ),
                ],
            )
            .await;
        DEALS
            .refuses(
                (world, &rep),
                "MoveStage",
                json!({ "id": id, "stageId": stage(1) }),
                vec![
                    (json!({}), "USE_LOSE", "stageId"),
                    (json!({ "stageId": StageId::new() }), "NOT_FOUND", "stageId"),
                ],
            )
            .await;

        let lost = DEALS
            .done(
                &rep,
                "Lose",
                json!({ "id": id, "reason": " price ", "note": "too\nhigh" }),
            )
            .await;
        assert_eq!(
            (&lost["status"], &lost["probability"], &lost["stage"]["id"]),
            (&json!("LOST"), &json!(0), &stage(1))
        );
        assert_eq!(
            (
                &lost["lostReason"],
                &lost["lostNote"],
                &lost["forecastCategory"]
            ),
            (&json!("price"), &json!("too\nhigh"), &json!("OMITTED"))
        );
        assert_eq!(
            (&lost["lostAt"], &lost["nextAction"]),
            (&lost["stageEnteredAt"], &Value::Null)
        );
        assert_eq!(
            DEALS
                .refused(&rep, "Reopen", json!({ "id": id, "stageId": stage(3) }))
                .await,
            ("WRONG_STAGE".to_owned(), "stageId".to_owned())
        );
        let open = DEALS
            .done(&rep, "Reopen", json!({ "id": id, "stageId": stage(5) }))
            .await;
        assert_eq!(
            (&open["stage"]["id"], &open["pipeline"]["id"]),
            (&stage(5), &json!(A.id::<PipelineId>(2)))
        );
        assert_eq!(
            (&open["lostAt"], &open["lostReason"], &open["lostNote"]),
            (&Value::Null, &Value::Null, &Value::Null)
        );

        arrange(
            world,
            format!(
                "UPDATE tenants SET lost_reason_required = false WHERE tenant_id = '{}'",
                A.uuid("tenant", 1)
            ),
        )
        .await;
        let lost = DEALS.done(&rep, "Lose", json!({ "id": id })).await;
        assert_eq!(
            (&lost["status"], &lost["lostReason"], &lost["stage"]["id"]),
            (&json!("LOST"), &Value::Null, &stage(4))
        );
    });
}
