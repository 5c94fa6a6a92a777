//! Deals, as callers of the API know them: what holds for all records here, and what is special beside it.

mod board;
mod drags;
mod due;
mod next_actions;
mod people;
mod stages;

use dealgraph::base::ids::{CompanyId, ContactId, OpportunityId, PipelineId, StageId, UserId};
use serde_json::{Value, json};

use crate::{
    harness::{A, Who, test},
    records::{Domain, found, merge},
};

const DEALS: Domain = Domain {
    one: "opportunity",
    many: "opportunities",
    of: "Opportunity",
    fields: "id name amount { amountMinor currency } weightedAmount { amountMinor currency } probability probabilityIsManual forecastCategory
        expectedCloseOn source company { id } primaryContact { id } owner { id } tags pipeline { id } stage { id } stageEnteredAt status
        wonAt lostAt lostReason lostNote nextAction { at kind details owner { id } } lastActivityAt boardPosition
        contactRoles { contact { id } role primary } collaborators { user { id } role }
        stageHistory { fromStage { id } toStage { id } fromStatus toStatus probability stoodSeconds changedBy { kind user { id } } }
        archivedAt createdBy { kind } updatedBy { kind } version",
};

/// The `n`th deal of the world: 1 is the rep's, 2 the manager's, 3 the other rep's, 4 nobody's, 5 the other rep's shared with the rep.
fn deal(n: u32) -> Value {
    json!(A.id::<OpportunityId>(n))
}

/// A stage of the world: 1 lost, 2 open and 3 won of the first pipeline, 4 to 6 of the second.
fn stage(n: u32) -> Value {
    json!(A.id::<StageId>(n))
}

fn new_deal(patch: Value) -> Value {
    let mut input = json!({ "name": "Engine" });
    merge(&mut input, &patch);
    input
}

#[test]
fn a_deal_reads_back_as_it_was_written_and_from_all_that_it_belongs_to() {
    test(async |world| {
        let rep = world.a(Who::Rep);
        let (company, contact, other) = (
            A.id::<CompanyId>(2),
            A.id::<ContactId>(2),
            A.id::<ContactId>(3),
        );
        let created = DEALS.done(&rep, "Create", new_deal(json!({
            "amount": { "amountMinor": 9007199254740991_i64, "currency": "USD" }, "probability": 33, "forecastCategory": "COMMIT",
            "expectedCloseOn": "2026-12-31", "source": "fair", "companyId": company, "primaryContactId": contact,
            "contacts": [{ "contactId": other, "role": "pays" }], "tags": ["a", "A"],
            "nextAction": { "at": "2027-01-01T00:00:00Z", "kind": "CALL", "details": "Call" },
        }))).await;
        let me = json!({ "id": A.user(Who::Rep) });
        let mut expected = json!({
            "id": created["id"], "name": "Engine", "amount": { "amountMinor": 9007199254740991_i64, "currency": "USD" },
            "weightedAmount": { "amountMinor": 2972375754064527_i64, "currency": "USD" }, "probability": 33, "probabilityIsManual": true,
            "forecastCategory": "COMMIT", "expectedCloseOn": "2026-12-31", "source": "fair", "company": { "id": company },
            "primaryContact": { "id": contact }, "owner": me, "tags": ["a"], "pipeline": created["pipeline"], "stage": { "id": stage(2) },
            "stageEnteredAt": created["stageEnteredAt"], "status": "OPEN", "wonAt": null, "lostAt": null, "lostReason": null, "lostNote": null,
        });
        merge(
            &mut expected,
            &json!({
                "nextAction": { "at": created["nextAction"]["at"], "kind": "CALL", "details": "Call", "owner": me }, "lastActivityAt": null,
                "boardPosition": created["boardPosition"],
                "contactRoles": [{ "contact": { "id": contact }, "role": null, "primary": true }, { "contact": { "id": other }, "role": "pays", "primary": false }],
                "collaborators": [], "archivedAt": null, "createdBy": { "kind": "USER" }, "updatedBy": { "kind": "USER" }, "version": 1,
                "stageHistory": [{ "fromStage": null, "toStage": { "id": stage(2) }, "fromStatus": null, "toStatus": "OPEN", "probability": created["stageHistory"][0]["probability"],
                    "stoodSeconds": null, "changedBy": { "kind": "USER", "user": me } }],
            }),
        );
        assert_eq!(created, expected);
        assert_eq!(DEALS.read(&rep, &created["id"]).await, created);

        let below = "opportunities(filter: { name: { eq: \"engine\" } }) { nodes { id owner { id } } totalCount }";
        let document = format!("query($company: ID!, $contact: ID!, $other: ID!, $stage: ID!, $pipeline: ID!, $deal: ID!) {{
            company(id: $company) {{ {below} }} contact(id: $contact) {{ {below} }} other: contact(id: $other) {{ {below} }} stage(id: $stage) {{ {below} }}
            pipeline(id: $pipeline) {{ {below} }} opportunity(id: $deal) {{ contacts(orderBy: [{{ field: NAME }}]) {{ nodes {{ id }} }} activities {{ totalCount }} }} }}");
        let ids = json!({ "company": company, "contact": contact, "other": other, "stage": stage(2), "pipeline": created["pipeline"]["id"], "deal": created["id"] });
        let data = rep.query_with(&document, ids).await;
        for parent in ["company", "contact", "other", "stage", "pipeline"] {
            assert!(
                found(&created["id"], &data[parent]["opportunities"]["nodes"]),
                "{parent}: {data}"
            );
            assert_eq!(data[parent]["opportunities"]["totalCount"], 1, "{parent}");
        }
        assert_eq!(
            data["opportunity"]["contacts"]["nodes"],
            json!([{ "id": contact }, { "id": other }])
        );

        let change = json!({ "id": created["id"], "name": null, "amount": null, "probability": null, "expectedCloseOn": null, "source": null, "companyId": null,
            "primaryContactId": null, "tags": null, "forecastCategory": "BEST_CASE" });
        let mut expected = created;
        for field in [
            "amount",
            "weightedAmount",
            "expectedCloseOn",
            "source",
            "company",
            "primaryContact",
        ] {
            expected[field] = Value::Null;
        }
        expected["contactRoles"][0]["primary"] = json!(false);
        merge(
            &mut expected,
            &json!({ "probability": 50, "probabilityIsManual": false, "tags": [], "forecastCategory": "BEST_CASE", "version": 2 }),
        );
        assert_eq!(DEALS.done(&rep, "Update", change).await, expected);
    });
}

#[test]
fn deals_live_as_all_records_do() {
    test(async |world| {
        DEALS
            .lives(
                world,
                new_deal(json!({})),
                |n| json!({ "source": format!("Source {n}") }),
            )
            .await
    });
}

#[test]
fn bad_input_is_reported_by_code_and_field() {
    test(async |world| {
        let rep = world.a(Who::Rep);
        let amount = |minor: i64, currency: &str| json!({ "amount": { "amountMinor": minor, "currency": currency } });
        let cases = vec![
            (json!({ "name": " " }), "BLANK", "name"),
            (json!({ "name": "x".repeat(201) }), "TOO_LONG", "name"),
            (json!({ "source": "a\u{0}" }), "INVALID_TEXT", "source"),
            (amount(-1, "EUR"), "INVALID_AMOUNT", "amount.amountMinor"),
            (amount(1, "Euro"), "INVALID_CURRENCY", "amount.currency"),
            (json!({ "probability": 101 }), "OUT_OF_RANGE", "probability"),
            (json!({ "probability": -1 }), "OUT_OF_RANGE", "probability"),
            (json!({ "tags": [""] }), "BLANK", "tags"),
            (
                json!({ "companyId": CompanyId::new() }),
                "NOT_FOUND",
                "companyId",
            ),
            (json!({ "ownerId": UserId::new() }), "NOT_FOUND", "ownerId"),
            (json!({ "ownerId": A.user(Who::OtherRep) }), "FORBIDDEN", ""),
        ];
        DEALS
            .refuses(
                (world, &rep),
                "Update",
                json!({ "id": deal(1) }),
                cases.clone(),
            )
            .await;
        let contact = vec![(
            json!({ "primaryContactId": ContactId::new() }),
            "NOT_FOUND",
            "primaryContactId",
        )];
        DEALS
            .refuses((world, &rep), "Update", json!({ "id": deal(1) }), contact)
            .await;
        DEALS
            .refuses((world, &rep), "Create", new_deal(json!({})), cases)
            .await;
        DEALS
            .refuses(
                (world, &rep),
                "Create",
                new_deal(json!({})),
                vec![
                    (json!({ "stageId": StageId::new() }), "NOT_FOUND", "stageId"),
                    (
                        json!({ "contacts": [{ "contactId": ContactId::new() }] }),
                        "NOT_FOUND",
                        "contacts",
                    ),
                    (
                        json!({ "collaborators": [{ "userId": UserId::new() }] }),
                        "NOT_FOUND",
                        "collaborators",
                    ),
                ],
            )
            .await;
    });
}

#[test]
fn every_filter_and_every_order_of_deals_works() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        for n in 0..3 {
            let close = (n > 0).then_some("2026-12-24");
            let amount = (n > 0).then(|| json!({ "amountMinor": 7, "currency": "USD" }));
            let input = json!({ "name": "Same", "stageId": stage(5), "amount": amount, "expectedCloseOn": close, "probability": 7, "source": "Fair",
                "forecastCategory": "OMITTED", "ownerId": null });
            DEALS.done(&admin, "Create", input).await;
        }
        let won = DEALS
            .done(
                &admin,
                "Create",
                json!({ "name": "Won", "stageId": stage(3) }),
            )
            .await;
        assert_eq!(won["status"], "WON");
        DEALS
            .done(
                &admin,
                "Create",
                json!({ "name": "Lost", "stageId": stage(1), "lostReason": "price" }),
            )
            .await;
        let (same, one, old): (&[&str], &[&str], &[&str]) = (
            &["Same"],
            &["Deal 1"],
            &["Deal 1", "Deal 2", "Deal 3", "Deal 4", "Deal 5"],
        );
        let by = |field: &str, id: Value| format!("{field}: {{ eq: {id} }}");
        let ids = [
            by("id", deal(1)),
            by("stageId", stage(5)),
            by("companyId", json!(A.id::<CompanyId>(1))),
            by("primaryContactId", json!(A.id::<ContactId>(1))),
            by("ownerId", json!(A.user(Who::Rep))),
            by("pipelineId", json!(A.id::<PipelineId>(2))),
        ];
        DEALS.finds(&admin, "name", &[
            (&ids[0], one), (&ids[1], same), (&ids[2], one), (&ids[3], one), (&ids[4], one), (&ids[5], same),
            ("name: { eq: \"SAME\" }", same),
            ("name: { startsWith: \"deal\" }", old),
            ("status: { eq: WON }", &["Won"]),
            ("status: { nin: [WON, OPEN] }", &["Lost"]),
            ("amountMinor: { eq: 7 }", same),
            ("amountMinor: { gte: 1000, lt: 2000 }", one),
            ("currency: { eq: \"USD\" }", same),
            ("probability: { lt: 50, gt: 0 }", same),
            ("forecastCategory: { eq: OMITTED }", &["Same", "Lost"]),
            ("expectedCloseOn: { eq: \"2026-12-24\" }", same),
            ("expectedCloseOn: { null: true }", &["Deal 1", "Deal 2", "Deal 3", "Deal 4", "Deal 5", "Same", "Won", "Lost"]),
            ("source: { eq: \"Fair\" }", same),
            ("nextActionAt: { null: false }", old),
            ("nextActionAt: { lte: \"2026-01-01T01:00:00Z\" }", one),
            ("lastActivityAt: { null: false }", &[]),
            ("stageEnteredAt: { lte: \"2026-01-01T01:00:00Z\" }", one),
            ("wonAt: { null: false }", &["Won"]),
            ("lostAt: { null: false }", &["Lost"]),
            ("createdAt: { lte: \"2026-01-01T01:00:00Z\" }", one),
            ("updatedAt: { lte: \"2026-01-01T09:00:00Z\" }", old),
            ("company: { name: { eq: \"company 1\" } }", one),
            ("primaryContact: { email: { eq: \"contact1@shared.example\" } }", one),
            ("not: { nextActionAt: { null: false } }, source: { null: true }", &["Won", "Lost"]),
            ("or: [{ status: { eq: WON } }, { status: { eq: LOST } }]", &["Won", "Lost"]),
            ("and: [{ status: { eq: OPEN } }, { company: { name: { eq: \"company 1\" } } }]", one),
        ]).await;
        DEALS
            .walks(
                &admin,
                &[
                    "CREATED_AT",
                    "UPDATED_AT",
                    "NAME",
                    "AMOUNT",
                    "EXPECTED_CLOSE_ON",
                    "BOARD_POSITION",
                ],
            )
            .await;
    });
}

#[test]
fn a_rep_sees_their_own_and_shared_deals_a_manager_those_of_the_team() {
    test(async |world| {
        for (who, seen) in [
            (Who::Rep, [true, false, false, false, true]),
            (Who::OtherRep, [false, false, true, false, true]),
            (Who::Manager, [true, true, false, false, false]),
            (Who::Admin, [true; 5]),
            (Who::Analyst, [true; 5]),
            (Who::Viewer, [true; 5]),
        ] {
            let client = world.a(who);
            let listed = DEALS.ids(&client, "first: 100").await;
            for (n, seen) in (1..).zip(seen) {
                assert_eq!(DEALS.is_seen(&client, &deal(n)).await, seen, "{who:?} {n}");
                assert_eq!(listed.contains(&deal(n)), seen, "{who:?} {n}");
            }
        }
        let rep = world.a(Who::Rep);
        for (verb, patch) in [
            ("Update", json!({ "name": "x" })),
            ("MoveStage", json!({ "stageId": stage(3) })),
            ("Win", json!({})),
            ("Lose", json!({ "reason": "x" })),
            ("Reorder", json!({})),
            ("SetContacts", json!({ "contacts": [] })),
            ("SetCollaborators", json!({ "collaborators": [] })),
            ("SetNextAction", json!({ "nextAction": null })),
            ("Archive", json!({})),
            ("Delete", json!({})),
        ] {
            let input = |id: Value| {
                let mut input = json!({ "id": id });
                merge(&mut input, &patch);
                input
            };
            assert_eq!(
                DEALS.refused(&rep, verb, input(deal(3))).await,
                ("NOT_FOUND".to_owned(), "id".to_owned()),
                "{verb}"
            );
            assert_eq!(
                DEALS
                    .refused(&world.a(Who::Viewer), verb, input(deal(1)))
                    .await
                    .0,
                "FORBIDDEN",
                "{verb}"
            );
        }
        assert_eq!(
            DEALS
                .refused(&rep, "Delete", json!({ "id": deal(1) }))
                .await
                .0,
            "FORBIDDEN",
            "a rep deletes nothing"
        );
    });
}
