//! Leads, as callers of the API know them.

use dealgraph::base::ids::{LeadId, UserId};
use serde_json::{Value, json};

use crate::{
    harness::{A, Who, test},
    records::{Domain, arrange, merge},
};

const LEADS: Domain = Domain {
    one: "lead",
    many: "leads",
    of: "Lead",
    fields: "id firstName lastName name email phone companyName title status unqualifiedReason source notes
        estimatedAmount { amountMinor currency } nextActionAt nextActionDetails lastActivityAt tags owner { id } archivedAt
        createdBy { kind user { id } } updatedBy { kind user { id } } version",
};

fn ada(patch: Value) -> Value {
    let mut input = json!({ "firstName": "Ada", "lastName": "Lovelace" });
    merge(&mut input, &patch);
    input
}

#[test]
fn a_lead_reads_back_as_it_was_written_and_a_patch_changes_what_it_names() {
    test(async |world| {
        let rep = world.a(Who::Rep);
        let me = json!({ "kind": "USER", "user": { "id": A.user(Who::Rep) } });
        let given = json!({
            "firstName": "Ada", "lastName": "Lovelace", "email": "Ada@X.example", "phone": "1", "companyName": "Engines", "title": "Countess",
            "status": "UNQUALIFIED", "unqualifiedReason": "no budget", "source": "fair", "notes": "line\nline",
            "estimatedAmount": { "amountMinor": 9007199254740991_i64, "currency": "JPY" }, "nextActionDetails": "call", "tags": ["a"],
        });
        let mut input = given.clone();
        input["nextActionAt"] = json!("2026-05-06T07:08:09Z");
        let mut lead = LEADS.done(&rep, "Create", input).await;
        let mut expected = given;
        merge(
            &mut expected,
            &json!({ "id": lead["id"], "name": "Ada Lovelace", "nextActionAt": lead["nextActionAt"], "lastActivityAt": null,
            "owner": { "id": A.user(Who::Rep) }, "archivedAt": null, "createdBy": me, "updatedBy": me, "version": 1 }),
        );
        assert_eq!(lead, expected);
        assert!(
            lead["nextActionAt"]
                .as_str()
                .unwrap()
                .starts_with("2026-05-06T07:08:09")
        );
        assert_eq!(LEADS.read(&rep, &lead["id"]).await, lead);

        let change = json!({ "id": lead["id"], "firstName": null, "email": null, "estimatedAmount": null, "tags": null, "status": "NURTURING",
            "nextActionAt": null, "nextActionDetails": null, "title": "Dr" });
        for field in [
            "email",
            "estimatedAmount",
            "nextActionAt",
            "nextActionDetails",
            "unqualifiedReason",
        ] {
            lead[field] = Value::Null;
        }
        merge(
            &mut lead,
            &json!({ "tags": [], "status": "NURTURING", "title": "Dr", "version": 2 }),
        );
        assert_eq!(
            LEADS.done(&rep, "Update", change).await,
            lead,
            "a status that is left takes its reason along"
        );
    });
}

#[test]
fn leads_live_as_all_records_do() {
    test(async |world| {
        LEADS
            .lives(
                world,
                ada(json!({})),
                |n| json!({ "title": format!("Title {n}") }),
            )
            .await
    });
}

#[test]
fn bad_input_is_reported_by_code_and_field() {
    test(async |world| {
        let rep = world.a(Who::Rep);
        let money = |minor: i64, currency: &str| json!({ "estimatedAmount": { "amountMinor": minor, "currency": currency } });
        LEADS
            .refuses(
                (world, &rep),
                "Create",
                ada(json!({})),
                vec![
                    (json!({ "firstName": " " }), "BLANK", "firstName"),
                    (json!({ "lastName": "" }), "BLANK", "lastName"),
                    (json!({ "email": "nobody" }), "INVALID_EMAIL", "email"),
                    (json!({ "phone": "x".repeat(201) }), "TOO_LONG", "phone"),
                    (
                        json!({ "companyName": "a\u{7}" }),
                        "INVALID_TEXT",
                        "companyName",
                    ),
                    (json!({ "title": "x".repeat(201) }), "TOO_LONG", "title"),
                    (json!({ "source": "x".repeat(201) }), "TOO_LONG", "source"),
                    (json!({ "notes": "x".repeat(20_001) }), "TOO_LONG", "notes"),
                    (json!({ "status": "CONVERTED" }), "INVALID_STATUS", "status"),
                    (
                        json!({ "status": "UNQUALIFIED" }),
                        "BLANK",
                        "unqualifiedReason",
                    ),
                    (
                        json!({ "unqualifiedReason": "x" }),
                        "INVALID_STATUS",
                        "unqualifiedReason",
                    ),
                    (
                        money(-1, "EUR"),
                        "INVALID_AMOUNT",
                        "estimatedAmount.amountMinor",
                    ),
                    (
                        money(1, "eur"),
                        "INVALID_CURRENCY",
                        "estimatedAmount.currency",
                    ),
                    (json!({ "nextActionDetails": "x" }), "BLANK", "nextActionAt"),
                    (
                        json!({ "nextActionAt": "9999-01-01T00:00:00Z" }),
                        "OUT_OF_RANGE",
                        "nextActionAt",
                    ),
                    (json!({ "tags": [" "] }), "BLANK", "tags"),
                    (json!({ "ownerId": UserId::new() }), "NOT_FOUND", "ownerId"),
                    (json!({ "ownerId": A.user(Who::OtherRep) }), "FORBIDDEN", ""),
                ],
            )
            .await;
        LEADS
            .refuses(
                (world, &rep),
                "Update",
                json!({ "id": A.id::<LeadId>(1) }),
                vec![
                    (json!({ "status": "CONVERTED" }), "INVALID_STATUS", "status"),
                    (
                        json!({ "status": "UNQUALIFIED" }),
                        "BLANK",
                        "unqualifiedReason",
                    ),
                    (
                        json!({ "nextActionAt": "0001-01-01T00:00:00Z" }),
                        "OUT_OF_RANGE",
                        "nextActionAt",
                    ),
                ],
            )
            .await;
    });
}

#[test]
fn every_filter_and_every_order_of_leads_works() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        // As the product writes it: the last name first.
        arrange(
            world,
            "UPDATE leads SET name_normalized = lower(last_name || ' ' || first_name)".to_owned(),
        )
        .await;
        for n in 0..3 {
            let at = (n > 0).then(|| format!("2026-07-0{n}T00:00:00Z"));
            let input = ada(
                json!({ "status": "QUALIFIED", "source": "Fair", "email": format!("ADA{n}@x.example"), "nextActionAt": at, "ownerId": null }),
            );
            LEADS.done(&admin, "Create", input).await;
        }
        let (all, ada, one): (&[&str], &[&str], &[&str]) = (
            &["Lead 1", "Lead 2", "Lead 3", "Lead 4"],
            &["Ada Lovelace"],
            &["Lead 1"],
        );
        let ids = [
            format!("id: {{ eq: \"{}\" }}", A.id::<LeadId>(1)),
            format!("ownerId: {{ eq: \"{}\" }}", A.user(Who::Rep)),
        ];
        LEADS
            .finds(
                &admin,
                "name",
                &[
                    (&ids[0], one),
                    (&ids[1], one),
                    ("ownerId: { null: true }", &["Lead 4", "Ada Lovelace"]),
                    ("name: { startsWith: \"LOVE\" }", ada),
                    ("email: { eq: \"ada1@X.example\" }", ada),
                    ("status: { eq: QUALIFIED }", ada),
                    ("status: { nin: [QUALIFIED] }", all),
                    ("source: { eq: \"Fair\" }", ada),
                    ("source: { neq: \"Fair\" }", all),
                    ("nextActionAt: { null: false }", ada),
                    ("nextActionAt: { lt: \"2026-07-01T00:00:00Z\" }", &[]),
                    ("createdAt: { lte: \"2026-01-01T01:00:00Z\" }", one),
                    ("updatedAt: { lte: \"2026-01-01T04:00:00Z\" }", all),
                    ("not: { status: { eq: NEW } }", ada),
                    (
                        "or: [{ name: { eq: \"1 lead\" } }, { source: { eq: \"none\" } }]",
                        one,
                    ),
                ],
            )
            .await;
        LEADS
            .walks(
                &admin,
                &["CREATED_AT", "UPDATED_AT", "NAME", "NEXT_ACTION_AT"],
            )
            .await;
    });
}

#[test]
fn a_rep_sees_their_own_leads_a_manager_those_of_the_team_and_both_follow_the_owner() {
    test(async |world| {
        let lead = |n| json!(A.id::<LeadId>(n));
        for (who, seen) in [
            (Who::Rep, [true, false, false, false]),
            (Who::OtherRep, [false, false, true, false]),
            (Who::Manager, [true, true, false, false]),
            (Who::Admin, [true; 4]),
            (Who::Analyst, [true; 4]),
            (Who::Viewer, [true; 4]),
        ] {
            let client = world.a(who);
            let listed = LEADS.ids(&client, "first: 100").await;
            for (n, seen) in (1..).zip(seen) {
                assert_eq!(LEADS.is_seen(&client, &lead(n)).await, seen, "{who:?} {n}");
                assert_eq!(listed.contains(&lead(n)), seen, "{who:?} {n}");
            }
        }
        let hidden = LEADS
            .refused(
                &world.a(Who::Rep),
                "Update",
                json!({ "id": lead(3), "title": "x" }),
            )
            .await;
        assert_eq!(hidden, ("NOT_FOUND".to_owned(), "id".to_owned()));
        assert_eq!(
            LEADS
                .refused(&world.a(Who::Rep), "Delete", json!({ "id": lead(1) }))
                .await
                .0,
            "FORBIDDEN",
            "a rep deletes nothing"
        );

        LEADS
            .done(
                &world.a(Who::Admin),
                "Update",
                json!({ "id": lead(1), "ownerId": A.user(Who::OtherRep) }),
            )
            .await;
        for (who, seen) in [
            (Who::Rep, false),
            (Who::Manager, false),
            (Who::OtherRep, true),
        ] {
            assert_eq!(
                LEADS.is_seen(&world.a(who), &lead(1)).await,
                seen,
                "{who:?}"
            );
        }
        LEADS
            .done(&world.a(Who::Manager), "Delete", json!({ "id": lead(2) }))
            .await;
    });
}
