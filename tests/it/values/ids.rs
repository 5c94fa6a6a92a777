//! Ids that clients make: the same record sent at once is made once, and answered to all who may see it.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    harness::{A, Who, test},
    records::Domain,
};

/// The records that take an id of the client's, with the least that each needs.
fn kinds() -> Vec<(Domain, Value)> {
    let stage = json!([{ "name": "Open", "kind": "OPEN", "probability": 10 }]);
    [
        ("company", "Company", json!({ "name": "Once" })),
        (
            "contact",
            "Contact",
            json!({ "firstName": "Ada", "lastName": "Once" }),
        ),
        (
            "lead",
            "Lead",
            json!({ "firstName": "Ada", "lastName": "Once" }),
        ),
        ("opportunity", "Opportunity", json!({ "name": "Once" })),
        (
            "activity",
            "Activity",
            json!({ "kind": "NOTE", "subject": "Once" }),
        ),
        (
            "pipeline",
            "Pipeline",
            json!({ "name": "Once", "stages": stage }),
        ),
        ("product", "Product", json!({ "name": "Once", "code": "1" })),
        ("team", "Team", json!({ "name": "Once" })),
    ]
    .map(|(one, of, input)| {
        let domain = Domain {
            one,
            many: "",
            of,
            fields: "id",
        };
        (domain, input)
    })
    .into()
}

#[test]
fn the_same_record_sent_at_once_is_answered_to_all() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        for (domain, input) in kinds() {
            for _ in 0..3 {
                let id = domain.new_id();
                let mut input = input.clone();
                input["id"] = json!(id);
                if domain.one == "pipeline" {
                    // Its name is its own too.
                    input["name"] = json!(id);
                }
                if domain.one == "product" {
                    input["code"] = json!(id);
                }
                let sent = (0..4).map(|_| domain.act(&admin, "Create", &input));
                for answer in join_all(sent).await {
                    let payload = &answer.data()[format!("{}Create", domain.one)];
                    assert_eq!(payload["userErrors"], json!([]), "{}", domain.one);
                    assert_eq!(payload[domain.one]["id"], json!(id));
                }
            }
        }
    });
}

#[test]
fn an_id_that_is_hidden_is_taken_and_that_is_said_of_the_id() {
    test(async |world| {
        let rep = world.a(Who::Rep);
        let mut hidden = Vec::new();
        for (domain, input) in kinds() {
            if ["pipeline", "product", "team"].contains(&domain.one) {
                // Owned by nobody, and seen by all.
                continue;
            }
            let mut theirs = input.clone();
            theirs["id"] = json!(domain.new_id());
            theirs["ownerId"] = json!(A.user(Who::Admin));
            domain
                .done(&world.a(Who::Admin), "Create", theirs.clone())
                .await;
            if domain.is_seen(&rep, &theirs["id"]).await {
                continue;
            }
            hidden.push(domain.one);
            let mut mine = input;
            mine["id"] = theirs["id"].clone();
            let refused = domain.refused(&rep, "Create", mine).await;
            assert_eq!(
                refused,
                ("TAKEN".to_owned(), "id".to_owned()),
                "{}",
                domain.one
            );
        }
        assert!(hidden.len() >= 3, "a rep sees all but {hidden:?}");
    });
}
