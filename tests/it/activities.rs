//! Activities and what they are about, as callers of the API know them.

use dealgraph::base::ids::{ActivityId, CompanyId, ContactId, LeadId, OpportunityId, UserId};
use serde_json::{Value, json};

use crate::{
    harness::{A, Client, Who, World, test},
    records::{Domain, arrange, census, found, merge, uuid_of},
};

const ACTIVITIES: Domain = Domain {
    one: "activity",
    many: "activities",
    of: "Activity",
    fields: "id kind subject body direction status dueAt startAt endAt doneAt occurredAt outcome owner { id }
        targets { __typename ... on Company { id } ... on Contact { id } ... on Lead { id } ... on Opportunity { id } }
        archivedAt createdBy { kind } version",
};

fn call(patch: Value) -> Value {
    let mut input = json!({ "kind": "CALL", "subject": "Call Ada" });
    merge(&mut input, &patch);
    input
}

/// A record of each kind that activities are about, all of the same member: 1 the rep's, 3 the other rep's.
fn one_of_each(n: u32) -> [Value; 4] {
    [
        json!(A.id::<CompanyId>(n)),
        json!(A.id::<ContactId>(n)),
        json!(A.id::<LeadId>(n)),
        json!(A.id::<OpportunityId>(n)),
    ]
}

fn targets(activity: &Value) -> Vec<Value> {
    let mut ids: Vec<Value> = activity["targets"]
        .as_array()
        .expect("targets")
        .iter()
        .map(|target| target["id"].clone())
        .collect();
    ids.sort_by_key(Value::to_string);
    ids
}

fn sorted(mut ids: Vec<Value>) -> Vec<Value> {
    ids.sort_by_key(Value::to_string);
    ids
}

/// When something last happened to the records 1: the contact, the lead, the deal.
async fn last(client: &Client<'_>) -> [Value; 3] {
    let [_, contact, lead, deal] = one_of_each(1);
    let document = "query($c: ID!, $l: ID!, $d: ID!) { contact(id: $c) { lastContactedAt } lead(id: $l) { lastActivityAt } opportunity(id: $d) { lastActivityAt } }";
    let data = client
        .query_with(document, json!({ "c": contact, "l": lead, "d": deal }))
        .await;
    let shortened = |value: &Value| {
        value
            .as_str()
            .map(|at| json!(&at[..19]))
            .unwrap_or_default()
    };
    [
        &data["contact"]["lastContactedAt"],
        &data["lead"]["lastActivityAt"],
        &data["opportunity"]["lastActivityAt"],
    ]
    .map(shortened)
}

#[test]
fn an_activity_reads_back_as_it_was_written_and_from_each_of_its_targets() {
    test(async |world| {
        let rep = world.a(Who::Rep);
        let about = one_of_each(1);
        let given = json!({ "kind": "MEETING", "subject": "Meet Ada", "body": "At the\nengine", "direction": "INBOUND", "status": "PLANNED", "outcome": "x" });
        let mut input = given.clone();
        merge(
            &mut input,
            &json!({ "dueAt": "2026-04-01T00:00:00Z", "startAt": "2026-04-02T00:00:00Z", "endAt": "2026-04-02T01:00:00Z", "targetIds": about }),
        );
        let activity = ACTIVITIES.done(&rep, "Create", input).await;
        for field in ["kind", "subject", "body", "direction", "status", "outcome"] {
            assert_eq!(activity[field], given[field], "{field}");
        }
        assert_eq!(
            (&activity["owner"]["id"], &activity["doneAt"]),
            (&json!(A.user(Who::Rep)), &Value::Null)
        );
        assert_eq!(
            activity["occurredAt"], activity["startAt"],
            "it occurs when it starts"
        );
        assert_eq!(targets(&activity), sorted(about.to_vec()));
        assert_eq!(ACTIVITIES.read(&rep, &activity["id"]).await, activity);

        let nested = "activities(orderBy: [{ field: CREATED_AT, direction: DESC }]) { nodes { id owner { id } } totalCount }";
        for (kind, id) in ["company", "contact", "lead", "opportunity"]
            .into_iter()
            .zip(&about)
        {
            let data = rep
                .query_with(
                    &format!("query($id: ID!) {{ {kind}(id: $id) {{ {nested} }} }}"),
                    json!({ "id": id }),
                )
                .await;
            assert!(
                found(&activity["id"], &data[kind]["activities"]["nodes"]),
                "{kind}: {data}"
            );
        }

        let change = json!({ "id": activity["id"], "body": null, "direction": null, "startAt": null, "endAt": null, "outcome": null, "subject": null,
            "targetIds": [about[3]] });
        let changed = ACTIVITIES.done(&rep, "Update", change).await;
        let mut expected = activity.clone();
        for field in ["body", "direction", "startAt", "endAt", "outcome"] {
            expected[field] = Value::Null;
        }
        expected["occurredAt"] = activity["dueAt"].clone();
        expected["targets"] = json!([{ "__typename": "Opportunity", "id": about[3] }]);
        expected["version"] = json!(2);
        assert_eq!(changed, expected);
    });
}

#[test]
fn activities_live_as_all_records_do() {
    test(async |world| {
        ACTIVITIES
            .lives(
                world,
                call(json!({ "targetIds": one_of_each(3) })),
                |n| json!({ "subject": format!("Call {n}") }),
            )
            .await
    });
}

#[test]
fn bad_input_is_reported_by_code_and_field() {
    test(async |world| {
        let rep = world.a(Who::Rep);
        let far = "9999-01-01T00:00:00Z";
        ACTIVITIES.refuses((world, &rep), "Create", call(json!({ "targetIds": [A.id::<OpportunityId>(1)] })), vec![
            (json!({ "subject": " " }), "BLANK", "subject"),
            (json!({ "subject": "x".repeat(201) }), "TOO_LONG", "subject"),
            (json!({ "body": "x".repeat(20_001) }), "TOO_LONG", "body"),
            (json!({ "outcome": "a\u{0}" }), "INVALID_TEXT", "outcome"),
            (json!({ "dueAt": far }), "OUT_OF_RANGE", "dueAt"),
            (json!({ "startAt": far }), "OUT_OF_RANGE", "startAt"),
            (json!({ "startAt": "2026-01-02T00:00:00Z", "endAt": "2026-01-01T00:00:00Z" }), "OUT_OF_RANGE", "endAt"),
            (json!({ "status": "PLANNED", "doneAt": "2026-01-01T00:00:00Z" }), "INVALID_STATUS", "doneAt"),
            (json!({ "ownerId": UserId::new() }), "NOT_FOUND", "ownerId"),
            (json!({ "targetIds": [OpportunityId::new()] }), "NOT_FOUND", "targetIds"),
            (json!({ "targetIds": [A.id::<OpportunityId>(1), A.id::<OpportunityId>(3)] }), "NOT_FOUND", "targetIds"),
            (json!({ "targetIds": [A.user(Who::Rep)] }), "INVALID_ID", "targetIds.0"),
            (json!({ "targetIds": [A.id::<LeadId>(1), "lead:1"] }), "INVALID_ID", "targetIds.1"),
            (json!({ "targetIds": vec![A.id::<LeadId>(1); 21] }), "TOO_MANY_VALUES", "targetIds"),
        ]).await;
        ACTIVITIES
            .refuses(
                (world, &rep),
                "Update",
                json!({ "id": A.id::<ActivityId>(1) }),
                vec![
                    (
                        json!({ "status": "CANCELED", "doneAt": "2026-01-05T00:00:00Z" }),
                        "INVALID_STATUS",
                        "doneAt",
                    ),
                    (
                        json!({ "targetIds": [A.id::<LeadId>(3)] }),
                        "NOT_FOUND",
                        "targetIds",
                    ),
                ],
            )
            .await;
    });
}

#[test]
fn what_is_done_moves_the_last_activity_forward_only_and_calls_count_for_contacts() {
    test(async |world| {
        let rep = world.a(Who::Rep);
        let about = one_of_each(1);
        let at = |month: u32| format!("2026-{month:02}-01T00:00:00Z");
        let short = |month: u32| json!(format!("2026-{month:02}-01T00:00:00"));
        let done = async |kind: &str, month: u32| {
            let input = call(
                json!({ "kind": kind, "status": "DONE", "doneAt": at(month), "targetIds": about }),
            );
            ACTIVITIES.done(&rep, "Create", input).await
        };
        let planned = ACTIVITIES
            .done(
                &rep,
                "Create",
                call(json!({ "dueAt": at(1), "targetIds": about })),
            )
            .await;
        assert_eq!(planned["status"], "PLANNED");
        assert_eq!(
            last(&rep).await,
            [Value::Null, Value::Null, Value::Null],
            "what is planned has not happened"
        );
        done("CALL", 2).await;
        assert_eq!(last(&rep).await, [short(2), short(2), short(2)]);
        done("NOTE", 3).await;
        assert_eq!(
            last(&rep).await,
            [short(2), short(3), short(3)],
            "a note reaches nobody"
        );
        done("EMAIL", 1).await;
        assert_eq!(
            last(&rep).await,
            [short(2), short(3), short(3)],
            "what happened earlier does not move it back"
        );

        let complete = json!({ "id": planned["id"], "outcome": "agreed", "expectedVersion": 1 });
        let completed = ACTIVITIES.done(&rep, "Complete", complete.clone()).await;
        assert_eq!(
            (
                &completed["status"],
                &completed["outcome"],
                &completed["version"]
            ),
            (&json!("DONE"), &json!("agreed"), &json!(2))
        );
        assert_eq!(completed["occurredAt"], completed["doneAt"]);
        let now = json!(&completed["doneAt"].as_str().unwrap()[..19]);
        assert_eq!(last(&rep).await, [now.clone(), now.clone(), now]);

        assert_eq!(
            ACTIVITIES
                .done(&rep, "Complete", json!({ "id": planned["id"] }))
                .await,
            completed,
            "twice is once"
        );
        assert_eq!(
            ACTIVITIES.refused(&rep, "Complete", complete).await,
            ("CONFLICT".to_owned(), "expectedVersion".to_owned())
        );
        let overwritten = ACTIVITIES
            .refused(
                &rep,
                "Complete",
                json!({ "id": planned["id"], "outcome": "no" }),
            )
            .await;
        assert_eq!(
            overwritten,
            ("INVALID_STATUS".to_owned(), "outcome".to_owned())
        );
        let undone = ACTIVITIES
            .done(
                &rep,
                "Update",
                json!({ "id": planned["id"], "status": "CANCELED" }),
            )
            .await;
        assert_eq!(
            (&undone["doneAt"], &undone["occurredAt"]),
            (&Value::Null, &undone["dueAt"])
        );
        assert_eq!(
            ACTIVITIES
                .refused(&rep, "Complete", json!({ "id": planned["id"] }))
                .await,
            ("INVALID_STATUS".to_owned(), "id".to_owned())
        );
        let note = ACTIVITIES
            .done(
                &rep,
                "Create",
                json!({ "kind": "NOTE", "subject": "Written" }),
            )
            .await;
        assert_eq!(note["status"], "DONE");
    });
}

#[test]
fn every_filter_and_every_order_of_activities_works() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        for n in 0..3 {
            let due = (n > 0).then(|| format!("2026-07-0{n}T00:00:00Z"));
            ACTIVITIES.done(&admin, "Create", json!({ "kind": "TASK", "subject": "Task", "direction": "OUTBOUND", "dueAt": due, "ownerId": null })).await;
        }
        let (old, task, one): (&[&str], &[&str], &[&str]) = (
            &["Call 1", "Call 2", "Call 3", "Call 4"],
            &["Task"],
            &["Call 1"],
        );
        let ids = [
            format!("id: {{ eq: \"{}\" }}", A.id::<ActivityId>(1)),
            format!("ownerId: {{ eq: \"{}\" }}", A.user(Who::Rep)),
        ];
        ACTIVITIES
            .finds(
                &admin,
                "subject",
                &[
                    (&ids[0], one),
                    (&ids[1], one),
                    ("ownerId: { null: true }", &["Call 4", "Task"]),
                    ("kind: { eq: TASK }", task),
                    ("kind: { neq: TASK }", old),
                    ("status: { in: [PLANNED, CANCELED] }", task),
                    ("status: { eq: DONE }", old),
                    ("direction: { eq: OUTBOUND }", task),
                    ("dueAt: { null: false }", task),
                    ("dueAt: { gt: \"2026-07-02T00:00:00Z\" }", &[]),
                    ("doneAt: { null: true }", task),
                    ("doneAt: { lte: \"2026-01-01T01:00:00Z\" }", one),
                    ("occurredAt: { lte: \"2026-01-01T01:00:00Z\" }", one),
                    ("createdAt: { lte: \"2026-01-01T01:00:00Z\" }", one),
                    ("updatedAt: { lte: \"2026-01-01T04:00:00Z\" }", old),
                    ("not: { kind: { eq: CALL } }", task),
                    (
                        "or: [{ direction: { eq: INBOUND } }, { kind: { eq: TASK } }]",
                        task,
                    ),
                ],
            )
            .await;
        ACTIVITIES
            .walks(
                &admin,
                &["OCCURRED_AT", "CREATED_AT", "UPDATED_AT", "DUE_AT"],
            )
            .await;
    });
}

#[test]
fn who_sees_a_target_sees_the_activity_and_no_more_when_it_is_taken_away() {
    test(async |world| {
        let (admin, rep) = (world.a(Who::Admin), world.a(Who::Rep));
        let (lead, deal) = (json!(A.id::<LeadId>(1)), json!(A.id::<OpportunityId>(1)));
        let hidden = json!(A.id::<LeadId>(3));
        let input = call(json!({ "ownerId": null, "targetIds": [lead, deal, hidden] }));
        let activity = ACTIVITIES.done(&admin, "Create", input).await;
        let id = &activity["id"];
        let seen = ACTIVITIES.read(&rep, id).await;
        assert_eq!(
            targets(&seen),
            sorted(vec![lead.clone(), deal.clone()]),
            "targets that a member may not see are left out"
        );
        assert!(
            ACTIVITIES.is_seen(&world.a(Who::OtherRep), id).await,
            "the lead is theirs"
        );

        // What the rep does not see they do not take away either.
        ACTIVITIES
            .done(&rep, "Update", json!({ "id": id, "targetIds": [lead] }))
            .await;
        assert_eq!(
            targets(&ACTIVITIES.read(&admin, id).await),
            sorted(vec![lead.clone(), hidden.clone()])
        );
        ACTIVITIES
            .done(&admin, "Update", json!({ "id": id, "targetIds": [hidden] }))
            .await;
        assert!(!ACTIVITIES.is_seen(&rep, id).await);
        assert!(!ACTIVITIES.ids(&rep, "first: 100").await.contains(id));
        ACTIVITIES
            .done(
                &admin,
                "Update",
                json!({ "id": id, "targetIds": [hidden, deal] }),
            )
            .await;
        assert!(ACTIVITIES.is_seen(&rep, id).await);
        ACTIVITIES
            .done(&admin, "Update", json!({ "id": id, "targetIds": null }))
            .await;
        for who in [Who::Rep, Who::OtherRep, Who::Manager] {
            assert!(!ACTIVITIES.is_seen(&world.a(who), id).await, "{who:?}");
        }
        assert_refused_without_trace(world, id).await;
    });
}

/// Who does not see an activity changes nothing about it.
async fn assert_refused_without_trace(world: &World, id: &Value) {
    let before = census(world).await;
    for (verb, patch) in [
        ("Update", json!({ "subject": "x" })),
        ("Complete", json!({})),
        ("Archive", json!({})),
        ("Delete", json!({})),
    ] {
        let mut input = json!({ "id": id });
        merge(&mut input, &patch);
        assert_eq!(
            ACTIVITIES.refused(&world.a(Who::Rep), verb, input).await.0,
            "NOT_FOUND",
            "{verb}"
        );
    }
    assert_eq!(census(world).await, before);
}

#[test]
fn the_activities_of_a_record_follow_its_owner_and_forget_it_when_it_is_deleted() {
    test(async |world| {
        let (admin, other) = (world.a(Who::Admin), world.a(Who::OtherRep));
        for (kind, of, owned) in [
            ("company", "Company", json!({ "name": "Brief" })),
            (
                "contact",
                "Contact",
                json!({ "firstName": "B", "lastName": "C" }),
            ),
            ("lead", "Lead", json!({ "firstName": "B", "lastName": "C" })),
            ("opportunity", "Opportunity", json!({ "name": "Brief" })),
        ] {
            let records = Domain {
                one: kind,
                many: "",
                of,
                fields: "id",
            };
            let mut input = owned;
            input["ownerId"] = json!(A.user(Who::Rep));
            let record = records.done(&admin, "Create", input).await["id"].clone();
            let kept = json!(A.id::<LeadId>(2));
            let activity = ACTIVITIES
                .done(
                    &admin,
                    "Create",
                    call(json!({ "ownerId": null, "targetIds": [record, kept] })),
                )
                .await["id"]
                .clone();
            let sees = async |who| ACTIVITIES.is_seen(&world.a(who), &activity).await;
            assert_eq!(
                (sees(Who::Rep).await, sees(Who::OtherRep).await),
                (true, false),
                "{kind}"
            );

            records
                .done(
                    &admin,
                    "Update",
                    json!({ "id": record, "ownerId": A.user(Who::OtherRep) }),
                )
                .await;
            assert_eq!(
                (sees(Who::Rep).await, sees(Who::OtherRep).await),
                (false, true),
                "{kind}: the owner changed"
            );
            assert_eq!(
                targets(&ACTIVITIES.read(&other, &activity).await),
                std::slice::from_ref(&record),
                "{kind}"
            );

            records
                .done(&admin, "Delete", json!({ "id": record }))
                .await;
            assert_eq!(
                (sees(Who::Rep).await, sees(Who::OtherRep).await),
                (false, false),
                "{kind}: the record is gone"
            );
            assert!(sees(Who::Manager).await, "{kind}: the other target remains");
            assert_eq!(
                targets(&ACTIVITIES.read(&admin, &activity).await),
                [kept],
                "{kind}"
            );
        }
    });
}

#[test]
fn what_an_activity_says_of_who_sees_it_is_put_together_from_its_links() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let [_, _, lead, deal] = one_of_each(1);
        let activity = ACTIVITIES
            .done(&admin, "Create", call(json!({ "targetIds": [lead, deal] })))
            .await["id"]
            .clone();
        let deals = Domain {
            one: "opportunity",
            many: "",
            of: "Opportunity",
            fields: "id",
        };
        let leads = Domain {
            one: "lead",
            many: "",
            of: "Lead",
            fields: "id",
        };
        // Both owners change at once: neither change is lost.
        let (of_lead, of_deal) = (
            json!({ "id": lead, "ownerId": A.user(Who::OtherRep) }),
            json!({ "id": deal, "ownerId": A.user(Who::Manager) }),
        );
        let (one, two) = tokio::join!(
            leads.act(&admin, "Update", &of_lead),
            deals.act(&admin, "Update", &of_deal)
        );
        assert_eq!(
            (
                one.user_error("leadUpdate").0,
                two.user_error("opportunityUpdate").0
            ),
            (String::new(), String::new())
        );
        arrange(world, format!(
            "DO $$ BEGIN ASSERT (SELECT bool_and(l.visible_to = a.visible_to AND strpos(a.targets_visible_to, l.target_visible_to) > 0
                 AND l.target_visible_to = ltrim(coalesce(d.visible_to, e.visible_to), '|')) AND count(*) = 2
             FROM activities a JOIN activity_targets l USING (tenant_id, activity_id)
             LEFT JOIN opportunities d ON d.opportunity_id = l.opportunity_id LEFT JOIN leads e ON e.lead_id = l.lead_id
             WHERE a.activity_id = '{}'), 'links disagree'; END $$", uuid_of(&activity))).await;
        for (who, seen) in [
            (Who::Rep, false),
            (Who::OtherRep, true),
            (Who::Manager, true),
        ] {
            assert_eq!(
                ACTIVITIES.is_seen(&world.a(who), &activity).await,
                seen,
                "{who:?}"
            );
        }
    });
}
