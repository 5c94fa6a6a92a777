//! Attempts: whoever is refused, and whoever names another tenant's id, stands in the log. The answer tells nothing of it.

use std::time::{Duration, Instant};

use dealgraph::ids::Typed as _;
use serde_json::{Value, json};

use super::entries;
use crate::harness::{A, B, Client, Who, World, test};

/// An id that nobody has.
const NOBODYS: &str = "01980000-0000-7000-8000-00000000dead";

/// The entries about records, the oldest first, once there are so many. The ids are named, so that a client of A may read them.
async fn told(client: &Client<'_>, ids: &[String], count: usize) -> Vec<Value> {
    let filter = format!(
        "action: {{ startsWith: \"access.\" }}, entityId: {{ in: {} }}",
        json!(ids)
    );
    let begun = Instant::now();
    loop {
        let mut found = entries(client, &filter).await;
        if found.len() >= count {
            found.reverse();
            return found;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{count} expected: {found:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn noted<'e>(entry: &'e Value, field: &str) -> &'e Value {
    let changes = entry["changes"].as_array().expect("changes");
    let change = changes.iter().find(|change| change["field"] == field);
    change.map_or(&Value::Null, |change| &change["after"])
}

/// Asks for one record of B in every way there is; the ids that were named.
async fn pry(world: &World, who: Who) -> Vec<String> {
    let id = |kind: &str, n| format!("{kind}:{}", B.uuid(kind, n));
    let (deal, lead, company, contact) = (
        id("opportunity", 1),
        id("lead", 1),
        id("company", 1),
        id("contact", 3),
    );
    let (second_lead, second_company) = (id("lead", 2), id("company", 2));
    let (activity, owner) = (id("activity", 1), B.user(Who::Rep).to_string());
    let client = world.a(who);
    let documents = [
        format!("{{ secret: opportunity(id: \"{deal}\") {{ name }} }}"),
        format!("{{ ...F }} fragment F on Query {{ node(id: \"{lead}\") {{ id }} }}"),
        format!(
            "mutation {{ companyUpdate(input: {{ id: \"{company}\", name: \"x\" }}) {{ userErrors {{ code }} }} }}"
        ),
        format!(
            "mutation {{ contactCreate(input: {{ firstName: \"A\", lastName: \"B\", reportsToId: \"{contact}\" }}) {{ userErrors {{ code }} }} }}"
        ),
        format!("{{ leads(filter: {{ ownerId: {{ eq: \"{owner}\" }} }}) {{ nodes {{ id }} }} }}"),
        // Without asking for what would tell.
        format!("mutation {{ leadUpdate(input: {{ id: \"{second_lead}\" }}) {{ __typename }} }}"),
        format!(
            "{{ contacts(filter: {{ companyId: {{ eq: \"{second_company}\" }} }}) {{ __typename }} }}"
        ),
    ];
    for document in documents {
        client.query(&document).await;
    }
    let by_variable = "query($id: ID!) { activity(id: $id) { id } }";
    client
        .query_with(by_variable, json!({ "id": activity }))
        .await;
    vec![
        deal,
        lead,
        company,
        contact,
        owner,
        second_lead,
        second_company,
        activity,
    ]
}

#[test]
fn an_attempt_on_another_tenants_record_is_found_by_both_and_names_nobody_to_its_owner() {
    test(async |world| {
        let ids = pry(world, Who::Rep).await;
        let ours = told(&world.a(Who::Admin), &ids, ids.len()).await;
        let of = |entries: &[Value], field: &str| -> Vec<String> {
            let values = entries
                .iter()
                .map(|entry| entry[field].as_str().unwrap_or_default().to_owned());
            values.collect()
        };
        assert_eq!(of(&ours, "entityId"), ids);
        let operations: Vec<_> = ours.iter().map(|entry| noted(entry, "operation")).collect();
        assert_eq!(
            operations,
            [
                "opportunity",
                "node",
                "companyUpdate",
                "contactCreate",
                "leads",
                "leadUpdate",
                "contacts",
                "activity"
            ]
        );
        for entry in &ours {
            assert_eq!(entry["action"], "access.foreign_id");
            assert_eq!(entry["actor"]["id"], A.user(Who::Rep).to_string());
            assert_eq!(entry["record"], Value::Null);
            assert_eq!(entry["address"], "127.0.0.1");
        }

        let theirs = told(&world.b(Who::Admin), &ids, ids.len()).await;
        assert_eq!(of(&theirs, "entityId"), ids);
        for (entry, ours) in theirs.iter().zip(&ours) {
            assert_eq!(
                (
                    &entry["actor"]["kind"],
                    &entry["actor"]["id"],
                    &entry["address"],
                    &entry["userAgent"]
                ),
                (&json!("OUTSIDE"), &Value::Null, &Value::Null, &Value::Null)
            );
            assert_eq!(noted(entry, "attempt"), noted(ours, "attempt"));
            assert_ne!(entry["requestId"], ours["requestId"]);
            let text = entry.to_string();
            for secret in [A.uuid("tenant", 1), A.user(Who::Rep).uuid()] {
                assert!(!text.contains(&secret.to_string()), "{text}");
            }
        }
    });
}

#[test]
fn what_is_the_tenants_own_or_nobodys_is_no_attempt_and_the_same_attempt_is_told_once() {
    test(async |world| {
        let rep = world.a(Who::Rep);
        let deal = |id: String| format!("{{ opportunity(id: \"opportunity:{id}\") {{ id }} }}");
        let hidden = A.uuid("opportunity", 4).to_string();
        let foreign = B.uuid("opportunity", 2).to_string();
        for id in [&hidden, &NOBODYS.to_owned(), &foreign, &foreign, &foreign] {
            let seen = rep.query(&deal(id.clone())).await;
            assert_eq!(seen["opportunity"], Value::Null);
        }
        // The watch works one by one, so when the last is told all were looked at.
        let last = B.uuid("opportunity", 3).to_string();
        rep.query(&deal(last.clone())).await;
        let ids = [hidden, NOBODYS.to_owned(), foreign.clone(), last.clone()]
            .map(|id| format!("opportunity:{id}"));
        let found = told(&world.a(Who::Admin), &ids, 2).await;
        let about: Vec<_> = found.iter().map(|entry| &entry["entityId"]).collect();
        assert_eq!(about, [&json!(ids[2]), &json!(ids[3])]);
    });
}

#[test]
fn an_act_that_was_refused_is_told_with_what_and_on_which_record() {
    test(async |world| {
        let id = format!("company:{}", A.uuid("company", 3));
        let document = format!(
            "mutation {{ companyUpdate(input: {{ id: \"{id}\", name: \"Mine\" }}) {{ userErrors {{ code }} }} }}"
        );
        let answer = world.a(Who::Viewer).send(&document, json!({})).await;
        assert_eq!(answer.user_error("companyUpdate").0, "FORBIDDEN");
        let quiet = document.replace("userErrors { code }", "__typename");
        world.a(Who::Analyst).query(&quiet).await;
        let found = told(&world.a(Who::Admin), std::slice::from_ref(&id), 2).await;
        for (entry, who) in found.iter().zip([Who::Viewer, Who::Analyst]) {
            assert_eq!(entry["actor"]["id"], A.user(who).to_string());
            assert_eq!(noted(entry, "operation"), "companyUpdate");
            assert_eq!(
                noted(entry, "reason"),
                "you are not allowed to change this record"
            );
        }
        let entry = &found[0];
        assert_eq!(entry["action"], "access.refused");
        assert_eq!(entry["record"]["id"], id);
        assert_eq!(
            entry["requestId"],
            answer.headers["x-request-id"].to_str().unwrap()
        );
    });
}
