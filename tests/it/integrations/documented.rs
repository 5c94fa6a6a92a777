//! What docs/integrations.md shows works: each document is asked, in the order of the page.

use serde_json::{Value, json};

use super::{contacts, fill, ran};
use crate::{
    harness::{Who, test},
    live::Socket,
};

const PAGE: &str = include_str!("../../../docs/integrations.md");

fn documents() -> Vec<&'static str> {
    let blocks = PAGE
        .split("```graphql tested-by=tests/it/integrations/documented.rs\n")
        .skip(1);
    blocks
        .map(|rest| rest.split("```").next().expect("its end"))
        .collect()
}

#[test]
fn the_page_on_integrations_is_true() {
    test(async |world| {
        fill(world, 3);
        let mut known = json!({ "state": "", "code": "", "integration": "", "record": "" });
        let documents = documents();
        assert_eq!(documents.len(), 6, "they are found");
        for document in documents {
            let needed = ["state", "code", "integration", "record"].into_iter();
            let needed = needed.filter(|name| document.contains(&format!("${name}:")));
            let variables: serde_json::Map<String, Value> = needed
                .map(|name| (name.to_owned(), known[name].clone()))
                .collect();
            if document.starts_with("subscription") {
                let mut socket = Socket::open(&world.a(Who::Admin)).await;
                let first = socket.subscribe("watch", document, json!({})).await;
                assert!(first.to_string().contains("SYNCED"), "{first}");
                continue;
            }
            let answer = world
                .a(Who::Admin)
                .query_with(document, Value::Object(variables))
                .await;
            for (_, payload) in answer.as_object().expect("an answer") {
                let errors = payload.get("userErrors").unwrap_or(&Value::Null);
                assert!(
                    errors.is_null() || *errors == json!([]),
                    "{document}: {errors}"
                );
            }
            if let Some(address) = answer["integrationAuthorize"]["authorizationUrl"].as_str() {
                let (state, code) = world.rolodex.agree(address).await;
                (known["state"], known["code"]) = (json!(state), json!(code));
            }
            let id = &answer["integrationAuthorizeFinish"]["integration"]["id"];
            if id.is_string() {
                known["integration"] = id.clone();
                ran(world, id, 1).await;
                known["record"] = contacts(world, "No1", "").await[0]["id"].clone();
            }
            let runs = &answer["syncRuns"]["nodes"];
            assert!(runs.is_null() || runs[0]["status"] == "SUCCEEDED", "{runs}");
            let links = &answer["externalLinks"];
            assert!(links.is_null() || links[0]["externalId"] == "1", "{links}");
        }
    });
}
