//! Laws that did not hold once: what the domain tests found in the first version, kept from coming back.

use dealgraph::base::ids::{ContactId, LeadId, OpportunityId, PipelineId, StageId, UserId};
use serde_json::{Value, json};

use crate::{
    harness::{A, Who, test},
    records::{Domain, merge},
};

const DEALS: Domain = Domain {
    one: "opportunity",
    many: "opportunities",
    of: "Opportunity",
    fields: "id version contactRoles { role } collaborators { role } owner { id } nextAction { at }",
};
const PIPELINES: Domain = Domain {
    one: "pipeline",
    many: "pipelines",
    of: "Pipeline",
    fields: "id",
};
const STAGES: Domain = Domain {
    one: "stage",
    many: "",
    of: "Stage",
    fields: "id",
};

fn next(patch: Value) -> Value {
    let mut next = json!({ "at": "2027-01-01T00:00:00Z", "kind": "CALL" });
    merge(&mut next, &patch);
    json!({ "nextAction": next })
}

#[test]
fn a_record_that_is_taken_from_its_owner_is_taken_from_the_owners_team_too() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let leads = Domain {
            one: "lead",
            many: "",
            of: "Lead",
            fields: "id",
        };
        let mut seen = Vec::new();
        for (domain, id) in [
            (&DEALS, json!(A.id::<OpportunityId>(2))),
            (&leads, json!(A.id::<LeadId>(2))),
        ] {
            domain
                .done(&admin, "Update", json!({ "id": id, "ownerId": null }))
                .await;
            seen.push(domain.is_seen(&world.a(Who::Manager), &id).await);
        }
        assert_eq!(seen, [false, false]);
    });
}

#[test]
fn a_member_named_twice_takes_part_once() {
    test(async |world| {
        let (contact, user) = (A.id::<ContactId>(1), A.user(Who::Rep));
        let twice = json!({ "name": "x", "contacts": [{ "contactId": contact }, { "contactId": contact }], "collaborators": [{ "userId": user }, { "userId": user }] });
        let created = DEALS.done(&world.a(Who::Admin), "Create", twice).await;
        assert_eq!(
            (
                created["contactRoles"].as_array().unwrap().len(),
                created["collaborators"].as_array().unwrap().len()
            ),
            (1, 1)
        );
    });
}

#[test]
fn errors_of_a_new_deal_name_their_field() {
    test(async |world| {
        let stage = A.id::<StageId>(1);
        let roles = |count: usize| {
            (0..count)
                .map(|n| json!({ "contactId": A.id::<ContactId>(1), "role": n.to_string() }))
                .collect::<Vec<_>>()
        };
        DEALS.refuses((world, &world.a(Who::Rep)), "Create", json!({ "name": "x" }), vec![
            (json!({ "primaryContactId": ContactId::new() }), "NOT_FOUND", "primaryContactId"),
            (next(json!({ "ownerId": UserId::new() })), "NOT_FOUND", "nextAction.ownerId"),
            (json!({ "contacts": roles(51) }), "TOO_MANY_VALUES", "contacts"),
            (json!({ "contacts": [{ "contactId": A.id::<ContactId>(1), "role": "x".repeat(201) }] }), "TOO_LONG", "contacts.0.role"),
            (json!({ "contacts": [{ "contactId": A.id::<ContactId>(1), "role": "a\u{7}" }] }), "INVALID_TEXT", "contacts.0.role"),
            (json!({ "collaborators": [{ "userId": A.user(Who::Admin), "role": "x".repeat(201) }] }), "TOO_LONG", "collaborators.0.role"),
            (json!({ "stageId": stage, "lostReason": "x".repeat(201) }), "TOO_LONG", "lostReason"),
            (json!({ "stageId": stage }), "LOST_REASON_REQUIRED", "lostReason"),
        ]).await;
    });
}

#[test]
fn errors_of_a_next_action_name_their_field() {
    test(async |world| {
        let rep = world.a(Who::Rep);
        DEALS
            .refuses(
                (world, &rep),
                "SetNextAction",
                json!({ "id": A.id::<OpportunityId>(1) }),
                vec![
                    (
                        next(json!({ "details": "x".repeat(201) })),
                        "TOO_LONG",
                        "nextAction.details",
                    ),
                    (
                        next(json!({ "details": "a\u{7}" })),
                        "INVALID_TEXT",
                        "nextAction.details",
                    ),
                    (
                        next(json!({ "at": "9999-01-01T00:00:00Z" })),
                        "OUT_OF_RANGE",
                        "nextAction.at",
                    ),
                ],
            )
            .await;
    });
}

#[test]
fn errors_of_completing_name_their_field() {
    test(async |world| {
        let done = Domain {
            fields: "id",
            ..DEALS
        };
        let next = |patch: Value| json!({ "next": next(patch)["nextAction"] });
        done.refuses(
            (world, &world.a(Who::Rep)),
            "CompleteNextAction",
            json!({ "id": A.id::<OpportunityId>(1), "expectedVersion": 1 }),
            vec![
                (json!({ "notes": "x".repeat(20_001) }), "TOO_LONG", "notes"),
                (
                    next(json!({ "details": "x".repeat(201) })),
                    "TOO_LONG",
                    "next.details",
                ),
                (
                    next(json!({ "ownerId": UserId::new() })),
                    "NOT_FOUND",
                    "next.ownerId",
                ),
                (
                    next(json!({ "at": "9999-01-01T00:00:00Z" })),
                    "OUT_OF_RANGE",
                    "next.at",
                ),
            ],
        )
        .await;
    });
}

#[test]
fn a_next_action_that_could_be_set_can_be_completed() {
    test(async |world| {
        let rep = world.a(Who::Rep);
        let mut input = next(json!({ "at": "2300-01-01T00:00:00Z" }));
        input["id"] = json!(A.id::<OpportunityId>(1));
        let set = DEALS.act(&rep, "SetNextAction", &input).await;
        if set.user_error("opportunitySetNextAction").0.is_empty() {
            DEALS
                .done(
                    &rep,
                    "CompleteNextAction",
                    json!({ "id": input["id"], "expectedVersion": 2 }),
                )
                .await;
        }
    });
}

#[test]
fn errors_of_a_stage_name_their_field() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        STAGES
            .refuses(
                (world, &admin),
                "Create",
                json!({ "name": "New", "probability": 1 }),
                vec![(
                    json!({ "pipelineId": PipelineId::new() }),
                    "NOT_FOUND",
                    "pipelineId",
                )],
            )
            .await;
    });
}

#[test]
fn a_stage_that_does_not_exist_is_reported_on_the_field_that_names_it() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        STAGES
            .refuses(
                (world, &admin),
                "Delete",
                json!({}),
                vec![(json!({ "id": StageId::new() }), "NOT_FOUND", "id")],
            )
            .await;
        STAGES
            .refuses(
                (world, &admin),
                "Update",
                json!({ "name": "x" }),
                vec![(json!({ "id": StageId::new() }), "NOT_FOUND", "id")],
            )
            .await;
    });
}

#[test]
fn errors_of_a_stage_of_a_new_pipeline_name_their_field() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let stages = |name: &str, probability: i32| json!({ "stages": [{ "name": "Fine", "probability": 1 }, { "name": name, "probability": probability }] });
        PIPELINES
            .refuses(
                (world, &admin),
                "Create",
                json!({ "name": "New" }),
                vec![
                    (stages(" ", 1), "BLANK", "stages.1.name"),
                    (stages("Other", 101), "OUT_OF_RANGE", "stages.1.probability"),
                ],
            )
            .await;
    });
}

#[test]
fn a_pipeline_keeps_an_open_stage() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        STAGES
            .refuses(
                (world, &admin),
                "Delete",
                json!({ "id": A.id::<StageId>(5) }),
                vec![(json!({}), "NO_OPEN_STAGE", "id")],
            )
            .await;
    });
}

#[test]
fn a_person_is_found_by_id_through_an_index_of_their_tenant() {
    test(async |world| {
        let by = format!(
            "{{ memberships(filter: {{ userId: {{ eq: \"{}\" }} }}) {{ totalCount }} }}",
            A.user(Who::Rep)
        );
        assert_eq!(
            world.a(Who::Admin).query(&by).await["memberships"]["totalCount"],
            1
        );
    });
}

#[test]
fn what_is_put_at_the_end_of_the_board_stands_at_its_end() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let stage = json!(A.id::<StageId>(5));
        let create = async || {
            DEALS
                .done(&admin, "Create", json!({ "name": "x", "stageId": stage }))
                .await["id"]
                .clone()
        };
        let (a, b, c) = (create().await, create().await, create().await);
        DEALS
            .done(&admin, "Reorder", json!({ "id": a, "afterId": c }))
            .await;
        DEALS.done(&admin, "Reorder", json!({ "id": b })).await;
        let d = create().await;
        let board = format!(
            "filter: {{ stageId: {{ eq: {stage} }} }}, orderBy: [{{ field: BOARD_POSITION }}]"
        );
        assert_eq!(DEALS.ids(&admin, &board).await, [c, a, b, d]);
    });
}
