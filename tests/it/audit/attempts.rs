//! Attempts: an actor who is refused stands in their tenant's log. An actor who names another tenant's id stands in the log
//! of that tenant and of no other: neither the answer nor one's own log reveals which ids exist elsewhere.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use dealgraph::base::ids::Typed as _;
use serde_json::{Value, json};

use super::entries;
use crate::{
    harness::{A, B, Client, Who, World, test},
    live::Socket,
};

/// An id that nobody has.
const NOBODYS: &str = "01980000-0000-7000-8000-00000000dead";

/// The entries about records, the oldest first, once there are so many. The ids are named, so that a client of A may read them.
async fn attempts(client: &Client<'_>, ids: &[String], count: usize) -> Vec<Value> {
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

/// Asks for records of B in every way there is; the ids that were named.
async fn pry(world: &World, who: Who) -> Vec<String> {
    let id = |kind: &str, n| format!("{kind}:{}", B.uuid(kind, n));
    let own = |kind: &str, n| format!("{kind}:{}", A.uuid(kind, n));
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
        // Without asking for what would reveal it.
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

    // Among ids that are found, those of nobody, and below a record of one's own.
    let (third, fourth) = (id("company", 3), id("company", 4));
    let nobodys = (0..30).map(|n| format!("company:01980000-0000-7000-8000-0000000{n:05}"));
    let mixed: Vec<String> = [own("company", 1), own("company", 2), third.clone()]
        .into_iter()
        .chain(nobodys)
        .collect();
    let by_filter = "query($ids: [ID!]) { companies(filter: { id: { in: $ids } }) { totalCount nodes { id } } }";
    let found = client.query_with(by_filter, json!({ "ids": mixed })).await;
    assert_eq!(found["companies"]["totalCount"], 2);
    let below = format!(
        "{{ company(id: \"{}\") {{ opportunities(filter: {{ companyId: {{ neq: \"{fourth}\" }} }}) {{ totalCount }} }} }}",
        own("company", 1)
    );
    client.query(&below).await;
    // A place in a list that begins after a record of theirs.
    let page = world
        .b(Who::Admin)
        .query("{ companies(first: 1) { pageInfo { endCursor } } }")
        .await;
    let after = &page["companies"]["pageInfo"]["endCursor"];
    let by_cursor = "query($after: String) { companies(after: $after) { nodes { id } } }";
    client.send(by_cursor, json!({ "after": after })).await;

    // Subscriptions get nothing, or that there is no such record.
    let (pipeline, looked_at) = (id("pipeline", 1), id("opportunity", 2));
    let mut socket = Socket::open(&client).await;
    let board = "subscription($id: ID!) { boardEvents(pipelineId: $id) { kind } }";
    socket
        .subscribe("1", board, json!({ "id": pipeline }))
        .await;
    let presence = "subscription($id: ID!) { presence(on: $id) { since } }";
    socket.ask("2", presence, json!({ "id": looked_at })).await;
    assert_eq!(socket.failure("2").await.0, "NOT_FOUND");
    vec![
        deal,
        lead,
        company,
        contact,
        owner,
        second_lead,
        second_company,
        activity,
        third,
        fourth,
        pipeline,
        looked_at,
    ]
}

#[test]
fn an_attempt_on_another_tenants_record_is_logged_for_its_owner_alone_and_names_nobody() {
    test(async |world| {
        let ids = pry(world, Who::Rep).await;
        let theirs = attempts(&world.b(Who::Admin), &ids, ids.len()).await;
        let about: BTreeSet<_> = theirs
            .iter()
            .map(|entry| entry["entityId"].as_str())
            .collect();
        assert_eq!(about, ids.iter().map(|id| Some(id.as_str())).collect());
        for entry in &theirs {
            assert_eq!(entry["action"], "access.foreign_id");
            assert_eq!(
                (
                    &entry["actor"]["kind"],
                    &entry["actor"]["id"],
                    &entry["address"],
                    &entry["userAgent"]
                ),
                (&json!("OUTSIDE"), &Value::Null, &Value::Null, &Value::Null)
            );
            let text = entry.to_string();
            for secret in [A.uuid("tenant", 1), A.user(Who::Rep).uuid()] {
                assert!(!text.contains(&secret.to_string()), "{text}");
            }
            // The operator finds who it was.
            let attempt = noted(entry, "attempt").as_str().expect("a number");
            let log = world.log();
            let line = log.lines().find(|line| line.contains(attempt));
            let person = A.user(Who::Rep).to_string();
            assert!(line.is_some_and(|line| line.contains(&person)), "{attempt}");
        }
        // All was looked at by now, and of all that was named one's own log knows only what was done.
        let ours = entries(&world.a(Who::Admin), "action: { startsWith: \"access.\" }").await;
        assert_eq!(ours, [Value::Null; 0]);
        let whole = entries(&world.a(Who::Admin), "").await;
        let whole = json!(whole).to_string();
        for id in ids {
            let (_, uuid) = id.split_once(':').expect("an id");
            assert!(!whole.contains(uuid), "{id} stands in the wrong log");
        }
    });
}

#[test]
fn what_is_the_tenants_own_or_nobodys_is_no_attempt_and_the_same_attempt_is_logged_once() {
    test(async |world| {
        let rep = world.a(Who::Rep);
        let deal = |id: String| format!("{{ opportunity(id: \"opportunity:{id}\") {{ id }} }}");
        let hidden = A.uuid("opportunity", 4).to_string();
        let foreign = B.uuid("opportunity", 2).to_string();
        for id in [&hidden, &NOBODYS.to_owned(), &foreign, &foreign, &foreign] {
            let seen = rep.query(&deal(id.clone())).await;
            assert_eq!(seen["opportunity"], Value::Null);
        }
        // Attempts are checked one by one, so when the last is logged all were.
        let last = B.uuid("opportunity", 3).to_string();
        rep.query(&deal(last.clone())).await;
        let ids = [hidden, NOBODYS.to_owned(), foreign.clone(), last.clone()]
            .map(|id| format!("opportunity:{id}"));
        let found = attempts(&world.b(Who::Admin), &ids, 2).await;
        let about: Vec<_> = found.iter().map(|entry| &entry["entityId"]).collect();
        assert_eq!(about, [&json!(ids[2]), &json!(ids[3])]);
    });
}

#[test]
fn an_act_that_was_refused_is_logged_with_what_and_on_which_record() {
    test(async |world| {
        let id = format!("company:{}", A.uuid("company", 3));
        let document = format!(
            "mutation {{ companyUpdate(input: {{ id: \"{id}\", name: \"Mine\" }}) {{ userErrors {{ code }} }} }}"
        );
        let answer = world.a(Who::Viewer).send(&document, json!({})).await;
        assert_eq!(answer.user_error("companyUpdate").0, "FORBIDDEN");
        let quiet = document.replace("userErrors { code }", "__typename");
        world.a(Who::Analyst).query(&quiet).await;
        let found = attempts(&world.a(Who::Admin), std::slice::from_ref(&id), 2).await;
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
