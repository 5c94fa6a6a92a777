//! The audit log: every write and every refusal stands in it, those who may read it do, and nobody else.

mod attempts;
mod chain;
mod recorder;

use serde_json::{Value, json};

use crate::harness::{A, Client, Who, World, test};

/// All that an entry says.
const ENTRY: &str = "seq occurredAt actor { kind id source user { name } } action entity entityId \
    record { __typename id } changes { field before after masked } address userAgent requestId";

/// The entries that a filter finds, the newest first.
pub(crate) async fn entries(client: &Client<'_>, filter: &str) -> Vec<Value> {
    let document =
        format!("{{ auditLog(first: 100, filter: {{ {filter} }}) {{ nodes {{ {ENTRY} }} }} }}");
    let found = client.query(&document).await;
    found["auditLog"]["nodes"]
        .as_array()
        .expect("nodes")
        .clone()
}

async fn rename(world: &World, who: Who, name: &str) -> crate::harness::Answer {
    let document = "mutation($input: CompanyUpdateInput!) { companyUpdate(input: $input) { userErrors { code } } }";
    let id = format!("company:{}", A.uuid("company", 1));
    let input = json!({ "input": { "id": id, "name": name, "phone": "+47 22 33 44 55" } });
    world.a(who).send(document, input).await
}

#[test]
fn a_write_stands_in_the_log_with_who_what_and_from_where() {
    test(async |world| {
        let done = rename(world, Who::Rep, "Renamed").await;
        done.data();
        let id = format!("company:{}", A.uuid("company", 1));
        let by_id = format!("entityId: {{ eq: \"{id}\" }}");
        let [entry] = &entries(&world.a(Who::Admin), &by_id).await[..] else {
            panic!("one write is one entry")
        };
        let request = done.headers["x-request-id"].to_str().unwrap();
        let person = A.user(Who::Rep).to_string();
        assert_eq!(
            entry["actor"],
            json!({ "kind": "USER", "id": person, "source": null, "user": { "name": "Person 3" } })
        );
        assert_eq!(
            (&entry["action"], &entry["entity"], &entry["entityId"]),
            (&json!("company.updated"), &json!("company"), &json!(id))
        );
        assert_eq!(
            entry["record"],
            json!({ "__typename": "Company", "id": id })
        );
        assert_eq!(entry["requestId"], request);
        assert_eq!(entry["address"], "127.0.0.1");
        assert_eq!(
            entry["changes"],
            json!([
                { "field": "name", "before": "Company 1", "after": "Renamed", "masked": false },
                { "field": "phone", "before": null, "after": "•••55", "masked": false },
            ])
        );
    });
}

#[test]
fn who_may_read_the_log_does_and_nobody_else() {
    test(async |world| {
        rename(world, Who::Admin, "Renamed").await.data();
        for who in Who::ROLES {
            let seen = entries(&world.a(who), "action: { eq: \"company.updated\" }").await;
            let may = matches!(who, Who::Admin | Who::Auditor);
            assert_eq!(seen.len(), usize::from(may), "{who:?}");
        }
    });
}

#[test]
fn what_a_role_masks_is_masked_in_the_log_too() {
    test(async |world| {
        let document = "mutation($input: OpportunityUpdateInput!) { opportunityUpdate(input: $input) { userErrors { code } } }";
        let input = json!({ "input": {
            "id": format!("opportunity:{}", A.uuid("opportunity", 1)), "name": "Dear",
            "amount": { "amountMinor": 77_000, "currency": "EUR" },
        } });
        world.a(Who::Admin).send(document, input).await.data();
        let filter = "action: { eq: \"opportunity.updated\" }";
        let values = async |who| {
            let found = entries(&world.a(who), filter).await;
            let changes = found[0]["changes"].as_array().expect("changes").clone();
            let of = |name: &str| {
                let change = changes.iter().find(|change| change["field"] == name);
                change.map(|change| json!([change["before"], change["after"], change["masked"]]))
            };
            (of("amountMinor"), of("name"))
        };
        let name = Some(json!(["Deal 1", "Dear", false]));
        assert_eq!(
            values(Who::Admin).await,
            (Some(json!([1_000, 77_000, false])), name.clone())
        );
        assert_eq!(
            values(Who::Auditor).await,
            (Some(json!([null, null, true])), name)
        );
    });
}

#[test]
fn an_entry_outlives_its_record_and_has_no_address_of_it() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let create = "mutation($input: ContactCreateInput!) { contactCreate(input: $input) { contact { id } userErrors { code } } }";
        let input = json!({ "input": {
            "firstName": "Ada", "lastName": "L", "contactMethods": [{ "kind": "EMAIL", "value": "ada@analytical.example" }],
        } });
        let made = admin.send(create, input).await.data();
        let id = made["contactCreate"]["contact"]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let delete = format!(
            "mutation {{ contactDelete(input: {{ id: \"{id}\" }}) {{ userErrors {{ code }} }} }}"
        );
        admin.query(&delete).await;
        let found = entries(&admin, &format!("entityId: {{ eq: \"{id}\" }}")).await;
        let actions: Vec<_> = found.iter().map(|entry| &entry["action"]).collect();
        assert_eq!(actions, ["contact.deleted", "contact.created"]);
        assert!(
            found.iter().all(|entry| entry["record"].is_null()),
            "{found:?}"
        );
        let text = json!(found).to_string();
        assert!(text.contains("a•••@analytical.example"), "{text}");
        assert!(!text.contains("ada@analytical.example"), "{text}");
    });
}

#[test]
fn the_log_is_searched_by_actor_action_kind_and_time() {
    test(async |world| {
        rename(world, Who::Rep, "One").await.data();
        rename(world, Who::Admin, "Two").await.data();
        let admin = world.a(Who::Admin);
        let count = async |filter: &str| entries(&admin, filter).await.len();
        let rep = A.user(Who::Rep);
        assert_eq!(count(&format!("actor: {{ eq: \"{rep}\" }}")).await, 1);
        assert_eq!(count("actor: { startsWith: \"user:\" }").await, 2);
        assert_eq!(count("actor: { startsWith: \"import:\" }").await, 1);
        assert_eq!(count("action: { startsWith: \"company.\" }").await, 3);
        assert_eq!(
            count("action: { in: [\"company.updated\", \"x\"] }").await,
            2
        );
        assert_eq!(count("entity: { eq: \"company\" }").await, 2);
        assert_eq!(
            count("occurredAt: { lt: \"2026-02-01T00:00:00Z\" }").await,
            1
        );
        assert_eq!(
            count(&format!(
                "action: {{ startsWith: \"company.\" }}, not: {{ actor: {{ eq: \"{rep}\" }} }}"
            ))
            .await,
            2
        );
        let seqs = |found: Vec<Value>| -> Vec<_> {
            found.iter().map(|entry| entry["seq"].as_i64()).collect()
        };
        assert_eq!(seqs(entries(&admin, "").await), [3, 2, 1].map(Some));
        let bad = "{ auditLog(filter: { entityId: { eq: \"nonsense\" } }) { totalCount } }";
        assert_eq!(admin.send(bad, json!({})).await.code(), "INVALID_ID");
    });
}
