//! Pipelines and their stages, as callers of the API know them.

use dealgraph::base::ids::{PipelineId, StageId};
use serde_json::{Value, json};

use crate::{
    harness::{A, Who, test},
    records::{Domain, census, merge},
};

const PIPELINES: Domain = Domain {
    one: "pipeline",
    many: "pipelines",
    of: "Pipeline",
    fields: "id name position preferred stages { nodes { id name kind position probability rottenAfterDays } } archivedAt version",
};

const STAGES: Domain = Domain {
    one: "stage",
    many: "",
    of: "Stage",
    fields: "id name kind position probability rottenAfterDays pipeline { id version }",
};

fn pipeline(patch: Value) -> Value {
    let mut input = json!({ "name": "Renewals", "stages": [
        { "name": "First", "probability": 10, "rottenAfterDays": 30 }, { "name": "Won", "kind": "WON", "probability": 100 }, { "name": "Lost", "kind": "LOST", "probability": 0 } ] });
    merge(&mut input, &patch);
    input
}

#[test]
fn a_pipeline_is_created_with_its_stages_in_their_order() {
    test(async |world| {
        let created = PIPELINES
            .done(&world.a(Who::Admin), "Create", pipeline(json!({})))
            .await;
        let stage = |n: usize, name: &str, kind: &str, probability: i32, rotten: Value| json!({ "id": created["stages"]["nodes"][n]["id"], "name": name, "kind": kind, "position": n, "probability": probability, "rottenAfterDays": rotten });
        let stages = [
            stage(0, "First", "OPEN", 10, json!(30)),
            stage(1, "Won", "WON", 100, Value::Null),
            stage(2, "Lost", "LOST", 0, Value::Null),
        ];
        assert_eq!(
            created,
            json!({ "id": created["id"], "name": "Renewals", "position": 3, "preferred": false, "stages": { "nodes": stages }, "archivedAt": null, "version": 1 })
        );
        let rep = world.a(Who::Rep);
        assert_eq!(PIPELINES.read(&rep, &created["id"]).await, created);
        assert_eq!(
            STAGES.read(&rep, &stages[1]["id"]).await["pipeline"],
            json!({ "id": created["id"], "version": 1 })
        );
        assert_eq!(
            PIPELINES.column(&rep, "first: 9", "name").await,
            ["Pipeline 1", "Pipeline 2", "Renewals"],
            "in the tenant's own order"
        );
        let below = "query($id: ID!) { pipeline(id: $id) { opportunities { totalCount } stages { totalCount nodes { opportunities { totalCount nodes { id } } } } } }";
        let data = rep
            .query_with(below, json!({ "id": A.id::<PipelineId>(1) }))
            .await;
        assert_eq!(
            data["pipeline"]["opportunities"]["totalCount"], 2,
            "their own and the shared one"
        );
        assert_eq!(
            data["pipeline"]["stages"]["nodes"][1]["opportunities"]["totalCount"],
            2
        );
    });
}

#[test]
fn pipelines_live_as_all_records_do() {
    test(async |world| {
        PIPELINES
            .lives(
                world,
                pipeline(json!({})),
                |n| json!({ "name": format!("Pipe {n}") }),
            )
            .await
    });
}

#[test]
fn one_pipeline_at_most_is_preferred_and_new_deals_enter_it() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let enter = async || {
            let deals = Domain {
                one: "opportunity",
                many: "",
                of: "Opportunity",
                fields: "pipeline { name } stage { name kind } probability",
            };
            deals.done(&admin, "Create", json!({ "name": "New" })).await
        };
        assert_eq!(enter().await["pipeline"]["name"], "Pipeline 1");
        let created = PIPELINES
            .done(&admin, "Create", pipeline(json!({ "preferred": true })))
            .await;
        assert_eq!(
            enter().await,
            json!({ "pipeline": { "name": "Renewals" }, "stage": { "name": "First", "kind": "OPEN" }, "probability": 10 })
        );
        PIPELINES
            .finds(&admin, "name", &[("preferred: true", &["Renewals"])])
            .await;
        let second = PIPELINES
            .done(
                &admin,
                "Update",
                json!({ "id": A.id::<PipelineId>(2), "preferred": true, "position": 0 }),
            )
            .await;
        assert_eq!(
            (&second["preferred"], &second["position"]),
            (&json!(true), &json!(0))
        );
        assert_eq!(
            PIPELINES.read(&admin, &created["id"]).await["version"],
            2,
            "the one that was preferred before changed too"
        );
        PIPELINES
            .done(&admin, "Archive", json!({ "id": A.id::<PipelineId>(2) }))
            .await;
        assert_ne!(
            enter().await["pipeline"]["name"],
            "Pipeline 2",
            "nothing enters an archived pipeline by itself"
        );
    });
}

#[test]
fn every_filter_and_every_order_of_pipelines_works() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        for name in ["Alpha", "Beta", "Gamma"] {
            PIPELINES
                .done(&admin, "Create", pipeline(json!({ "name": name })))
                .await;
        }
        let (all, two): (&[&str], &[&str]) = (&["Pipeline 1", "Pipeline 2"], &["Pipeline 2"]);
        let id = format!("id: {{ eq: \"{}\" }}", A.id::<PipelineId>(2));
        PIPELINES
            .finds(
                &admin,
                "name",
                &[
                    (&id, two),
                    ("name: { eq: \"Pipeline 2\" }", two),
                    ("name: { startsWith: \"Pipeline\" }", all),
                    ("preferred: false, name: { startsWith: \"Pipe\" }", two),
                    (
                        "or: [{ preferred: true }, { name: { eq: \"Pipeline 2\" } }]",
                        all,
                    ),
                    ("not: { name: { nin: [\"Pipeline 2\"] } }", two),
                ],
            )
            .await;
        PIPELINES.walks(&admin, &["POSITION", "NAME"]).await;
    });
}

#[test]
fn stages_come_all_at_once_or_by_part_from_either_end() {
    test(async |world| {
        let stage = |n| json!({ "name": format!("Stage {n}"), "probability": n });
        let stages: Vec<_> = (0..30).map(stage).collect();
        let admin = world.a(Who::Admin);
        let id = PIPELINES
            .done(&admin, "Create", pipeline(json!({ "stages": stages })))
            .await["id"]
            .clone();
        // What no column holds sends a document to the executor.
        for slow in [
            "",
            "opportunities(first: 0) { nodes { stageHistory { id } } }",
        ] {
            let part = async |arguments: String| {
                let document = format!(
                    "{{ pipeline(id: {id}) {{ {slow} stages{arguments} {{ nodes {{ probability }}
                        pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }} }}"
                );
                let stages = admin.query(&document).await["pipeline"]["stages"].clone();
                let nodes = stages["nodes"].as_array().expect("nodes").iter();
                let found = nodes.map(|node| node["probability"].as_i64().expect("a number"));
                (found.collect::<Vec<_>>(), stages["pageInfo"].clone())
            };
            let (all, info) = part(String::new()).await;
            assert_eq!(all, (0..30).collect::<Vec<_>>());
            assert_eq!(
                (&info["hasNextPage"], &info["hasPreviousPage"]),
                (&json!(false), &json!(false))
            );
            let (front, info) = part("(first: 4)".to_owned()).await;
            assert_eq!(
                (front, &info["hasNextPage"]),
                (vec![0, 1, 2, 3], &json!(true))
            );
            let (next, _) = part(format!("(first: 2, after: {})", info["endCursor"])).await;
            assert_eq!(next, [4, 5]);
            let (rest, _) = part(format!("(after: {})", info["endCursor"])).await;
            assert_eq!(rest, (4..30).collect::<Vec<_>>());
            let (back, info) = part("(last: 3)".to_owned()).await;
            assert_eq!(
                (back, &info["hasPreviousPage"]),
                (vec![27, 28, 29], &json!(true))
            );
            let (previous, _) = part(format!("(last: 2, before: {})", info["startCursor"])).await;
            assert_eq!(previous, [25, 26]);
        }
    });
}

#[test]
fn stages_are_added_changed_and_removed_and_count_into_the_version_of_their_pipeline() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let pipeline_id = json!(A.id::<PipelineId>(2));
        let id = json!(StageId::new());
        let new = json!({ "id": id, "pipelineId": pipeline_id, "expectedVersion": 1, "name": "Late", "probability": 80 });
        let stage = STAGES.done(&admin, "Create", new.clone()).await;
        assert_eq!(
            stage,
            json!({ "id": id, "name": "Late", "kind": "OPEN", "position": 4, "probability": 80, "rottenAfterDays": null, "pipeline": { "id": pipeline_id, "version": 2 } })
        );
        let mut again = new;
        again["id"] = json!(StageId::new());
        assert_eq!(
            STAGES.refused(&admin, "Create", again).await,
            ("CONFLICT".to_owned(), "expectedVersion".to_owned())
        );
        let changed = STAGES
            .done(
                &admin,
                "Update",
                json!({ "id": id, "name": "Later", "position": 0, "rottenAfterDays": 5 }),
            )
            .await;
        assert_eq!(
            (
                &changed["name"],
                &changed["position"],
                &changed["rottenAfterDays"],
                &changed["probability"]
            ),
            (&json!("Later"), &json!(0), &json!(5), &json!(80))
        );
        assert_eq!(changed["pipeline"]["version"], 3);
        assert_eq!(
            STAGES
                .done(
                    &admin,
                    "Update",
                    json!({ "id": id, "rottenAfterDays": null })
                )
                .await["rottenAfterDays"],
            Value::Null
        );
        assert_eq!(
            PIPELINES.read(&admin, &pipeline_id).await["stages"]["nodes"][0]["id"],
            id,
            "in their order"
        );
        assert_eq!(STAGES.done(&admin, "Delete", json!({ "id": id })).await, id);
        assert!(!STAGES.is_seen(&admin, &id).await);

        STAGES
            .refuses(
                (world, &admin),
                "Delete",
                json!({}),
                vec![(json!({ "id": A.id::<StageId>(2) }), "IN_USE", "id")],
            )
            .await;
        PIPELINES
            .refuses(
                (world, &admin),
                "Delete",
                json!({}),
                vec![(json!({ "id": A.id::<PipelineId>(1) }), "IN_USE", "id")],
            )
            .await;
    });
}

#[test]
fn bad_input_is_reported_by_code_and_field() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let stage = |patch: Value| {
            let mut stage = json!({ "name": "Only", "probability": 1 });
            merge(&mut stage, &patch);
            json!({ "stages": [stage] })
        };
        PIPELINES
            .refuses(
                (world, &admin),
                "Create",
                pipeline(json!({})),
                vec![
                    (json!({ "name": " " }), "BLANK", "name"),
                    (json!({ "name": "x".repeat(201) }), "TOO_LONG", "name"),
                    (json!({ "name": "Pipeline 1" }), "TAKEN", "name"),
                    (json!({ "stages": [] }), "NO_OPEN_STAGE", "stages"),
                    (stage(json!({ "kind": "WON" })), "NO_OPEN_STAGE", "stages"),
                ],
            )
            .await;
        STAGES
            .refuses(
                (world, &admin),
                "Create",
                json!({ "pipelineId": A.id::<PipelineId>(1), "name": "New", "probability": 1 }),
                vec![
                    (json!({ "name": "" }), "BLANK", "name"),
                    (json!({ "name": "Open" }), "TAKEN", "name"),
                    (json!({ "probability": 101 }), "OUT_OF_RANGE", "probability"),
                    (json!({ "probability": -1 }), "OUT_OF_RANGE", "probability"),
                    (
                        json!({ "rottenAfterDays": 0 }),
                        "OUT_OF_RANGE",
                        "rottenAfterDays",
                    ),
                ],
            )
            .await;
    });
}

#[test]
fn only_an_admin_changes_pipelines() {
    test(async |world| {
        let before = census(world).await;
        for who in [Who::Manager, Who::Rep, Who::Viewer] {
            let client = world.a(who);
            let (one, stage) = (
                json!({ "id": A.id::<PipelineId>(2), "name": "x" }),
                json!({ "id": A.id::<StageId>(4), "name": "x" }),
            );
            assert_eq!(
                PIPELINES
                    .refused(&client, "Create", pipeline(json!({})))
                    .await
                    .0,
                "FORBIDDEN",
                "{who:?}"
            );
            assert_eq!(
                PIPELINES.refused(&client, "Update", one).await.0,
                "FORBIDDEN",
                "{who:?}"
            );
            assert_eq!(
                PIPELINES
                    .refused(&client, "Delete", json!({ "id": A.id::<PipelineId>(2) }))
                    .await
                    .0,
                "FORBIDDEN",
                "{who:?}"
            );
            assert_eq!(STAGES.refused(&client, "Create", json!({ "pipelineId": A.id::<PipelineId>(2), "name": "x", "probability": 1 })).await.0, "FORBIDDEN");
            assert_eq!(
                STAGES.refused(&client, "Update", stage).await.0,
                "FORBIDDEN",
                "{who:?}"
            );
            assert_eq!(
                STAGES
                    .refused(&client, "Delete", json!({ "id": A.id::<StageId>(4) }))
                    .await
                    .0,
                "FORBIDDEN",
                "{who:?}"
            );
        }
        assert_eq!(census(world).await, before);
    });
}
