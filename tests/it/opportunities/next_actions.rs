//! What is to be done next about a deal.

use dealgraph::base::ids::{ContactId, UserId};
use serde_json::{Value, json};

use super::{DEALS, deal};
use crate::{
    harness::{A, Answer, Client, Who, test},
    records::{Domain, census, merge},
};

const DONE: &str = "id version nextAction { at kind details owner { id } } lastActivityAt activities { nodes { id } }";

async fn complete(client: &Client<'_>, input: &Value) -> Answer {
    let document = format!(
        "mutation($input: OpportunityCompleteNextActionInput!) {{ opportunityCompleteNextAction(input: $input) {{
            opportunity {{ {DONE} }} userErrors {{ code field message }}
            activity {{ id kind subject body status dueAt doneAt outcome owner {{ id }} targets {{ __typename ... on Opportunity {{ id }} ... on Contact {{ id }} }} }} }} }}"
    );
    client.send(&document, json!({ "input": input })).await
}

#[test]
fn a_next_action_is_set_replaced_and_cleared() {
    test(async |world| {
        let (rep, id) = (world.a(Who::Rep), deal(1));
        let next = |patch: Value| {
            let mut next =
                json!({ "at": "2027-02-03T04:05:06Z", "kind": "EMAIL", "details": " Send it " });
            merge(&mut next, &patch);
            json!({ "id": id, "nextAction": next })
        };
        let set = DEALS.done(&rep, "SetNextAction", next(json!({}))).await;
        let me = json!({ "id": A.user(Who::Rep) });
        assert_eq!(
            set["nextAction"],
            json!({ "at": set["nextAction"]["at"], "kind": "EMAIL", "details": "Send it", "owner": me }),
            "the deal's owner does it unless said otherwise"
        );
        assert!(
            set["nextAction"]["at"]
                .as_str()
                .unwrap()
                .starts_with("2027-02-03T04:05:06")
        );
        assert_eq!(
            DEALS.done(&rep, "SetNextAction", next(json!({}))).await,
            set,
            "the same again is no change"
        );
        let other = DEALS
            .done(
                &rep,
                "SetNextAction",
                next(json!({ "details": null, "ownerId": A.user(Who::Manager) })),
            )
            .await;
        assert_eq!(
            (
                &other["nextAction"]["details"],
                &other["nextAction"]["owner"]["id"]
            ),
            (&Value::Null, &json!(A.user(Who::Manager)))
        );
        DEALS
            .refuses(
                (world, &rep),
                "SetNextAction",
                next(json!({})),
                vec![
                    (
                        next(json!({ "ownerId": UserId::new() })),
                        "NOT_FOUND",
                        "nextAction.ownerId",
                    ),
                    (
                        json!({ "expectedVersion": 1 }),
                        "CONFLICT",
                        "expectedVersion",
                    ),
                ],
            )
            .await;
        let cleared = DEALS
            .done(
                &rep,
                "SetNextAction",
                json!({ "id": id, "nextAction": null, "expectedVersion": 3 }),
            )
            .await;
        assert_eq!(
            (&cleared["nextAction"], &cleared["version"]),
            (&Value::Null, &json!(4))
        );
    });
}

#[test]
fn completing_logs_what_was_done_and_schedules_what_comes_in_one_step() {
    test(async |world| {
        let (rep, id) = (world.a(Who::Rep), deal(1));
        let before = DEALS.read(&rep, &id).await;
        let next = json!({ "at": "2027-01-01T00:00:00Z", "kind": "MEETING", "details": "Meet" });
        let input = json!({ "id": id, "expectedVersion": 1, "outcome": "agreed", "notes": "said\nyes", "next": next });
        let payload = complete(&rep, &input).await.data()["opportunityCompleteNextAction"].clone();
        assert_eq!(payload["userErrors"], json!([]));
        let (activity, after) = (&payload["activity"], &payload["opportunity"]);
        let mut targets = activity["targets"].as_array().unwrap().clone();
        targets.sort_by_key(|target| target["__typename"].to_string());
        assert_eq!(
            targets,
            [
                json!({ "__typename": "Contact", "id": A.id::<ContactId>(1) }),
                json!({ "__typename": "Opportunity", "id": id })
            ]
        );
        let mut rest = activity.clone();
        rest["targets"].take();
        assert_eq!(
            rest,
            json!({ "id": activity["id"], "kind": "CALL", "subject": "Call back", "body": "said\nyes", "status": "DONE", "dueAt": before["nextAction"]["at"],
                "doneAt": activity["doneAt"], "outcome": "agreed", "owner": { "id": A.user(Who::Rep) }, "targets": null })
        );
        assert_eq!(
            (&after["version"], &after["lastActivityAt"]),
            (&json!(2), &activity["doneAt"])
        );
        assert_eq!(
            after["nextAction"],
            json!({ "at": after["nextAction"]["at"], "kind": "MEETING", "details": "Meet", "owner": { "id": A.user(Who::Rep) } })
        );
        assert_eq!(
            after["activities"]["nodes"],
            json!([{ "id": activity["id"] }])
        );
        let contacts = Domain {
            one: "contact",
            many: "",
            of: "Contact",
            fields: "id lastContactedAt",
        };
        assert_eq!(
            contacts.read(&rep, &json!(A.id::<ContactId>(1))).await["lastContactedAt"],
            activity["doneAt"],
            "a call reaches the contact"
        );

        // What is refused leaves neither an activity nor another next action.
        let before = census(world).await;
        let bad = |patch: Value| {
            let mut input = json!({ "id": id, "expectedVersion": 2 });
            merge(&mut input, &patch);
            input
        };
        for (patch, code, field) in [
            (
                json!({ "expectedVersion": 1 }),
                "CONFLICT",
                "input.expectedVersion",
            ),
            (
                json!({ "outcome": "a\u{0}" }),
                "INVALID_TEXT",
                "input.outcome",
            ),
            (
                json!({ "id": deal(3), "expectedVersion": 1 }),
                "NOT_FOUND",
                "input.id",
            ),
        ] {
            let answer = complete(&rep, &bad(patch.clone())).await;
            assert_eq!(
                answer.user_error("opportunityCompleteNextAction"),
                (code.to_owned(), field.to_owned()),
                "{patch}"
            );
        }
        assert_eq!(
            complete(&world.a(Who::Viewer), &bad(json!({})))
                .await
                .user_error("opportunityCompleteNextAction")
                .0,
            "FORBIDDEN"
        );
        assert_eq!(census(world).await, before, "something was half-written");

        let last =
            complete(&rep, &bad(json!({}))).await.data()["opportunityCompleteNextAction"].clone();
        assert_eq!(
            (
                &last["activity"]["subject"],
                &last["opportunity"]["nextAction"]
            ),
            (&json!("Meet"), &Value::Null)
        );
        let none = complete(&rep, &bad(json!({ "expectedVersion": 3 }))).await;
        assert_eq!(
            none.user_error("opportunityCompleteNextAction"),
            ("NOTHING_DUE".to_owned(), "input.id".to_owned())
        );
    });
}

#[test]
fn of_many_who_complete_the_same_action_one_wins_and_the_others_see_the_deal_as_it_is() {
    test(async |world| {
        let id = deal(1);
        let people = [Who::Rep, Who::Manager, Who::Admin, Who::Both];
        let clients: Vec<_> = people
            .iter()
            .chain(&people)
            .map(|who| world.a(*who))
            .collect();
        let attempts = clients.iter().enumerate().map(|(n, client)| {
            let input = json!({ "id": id, "expectedVersion": 1, "outcome": format!("attempt {n}"), "next": { "at": "2027-01-01T00:00:00Z", "kind": "SMS", "details": format!("after {n}") } });
            async move { complete(client, &input).await.data()["opportunityCompleteNextAction"].clone() }
        });
        let payloads = futures_util::future::join_all(attempts).await;
        let (won, lost): (Vec<_>, Vec<_>) = payloads
            .iter()
            .partition(|payload| payload["userErrors"] == json!([]));
        assert_eq!((won.len(), lost.len()), (1, 7));
        for payload in lost {
            assert_eq!(payload["userErrors"][0]["code"], "CONFLICT");
            assert_eq!(
                payload["opportunity"], won[0]["opportunity"],
                "the deal as it is now"
            );
            assert_eq!(payload["activity"], Value::Null);
        }
        let after = &won[0]["opportunity"];
        let winner = won[0]["activity"]["outcome"]
            .as_str()
            .unwrap()
            .replace("attempt", "after");
        assert_eq!(
            (&after["version"], &after["nextAction"]["details"]),
            (&json!(2), &json!(winner))
        );
        assert_eq!(
            after["activities"]["nodes"],
            json!([{ "id": won[0]["activity"]["id"] }]),
            "exactly one activity"
        );
    });
}
