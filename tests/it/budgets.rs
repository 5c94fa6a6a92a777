//! How many SQL statements things cost. The numbers may fall; that one rises has to be seen and wanted.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::harness::{A, Client, OF_ACCOUNTS, OF_ADMINS, Schema, Who, World, global_id, test};

/// Deals with owner, primary contact and its company, and the five latest activities each with owner.
const BOARD: &str = "query($first: Int!) { opportunities(first: $first) { nodes {
    id name amount { amountMinor currency } owner { name } primaryContact { name company { name } }
    activities(first: 5) { nodes { id subject occurredAt owner { name } } } } } }";

const ONE: &str = "query($id: ID!) { opportunity(id: $id) { id name owner { name } } }";

const DUE: &str = "{ dueActions(scope: ALL) { overdue(first: 20) { nodes { ...deal } } today(first: 20) { nodes { ...deal } }
    upcoming(first: 20) { nodes { ...deal } } } } fragment deal on Opportunity { id nextAction { at kind details } owner { name } }";

#[test]
fn the_board_costs_the_same_for_five_deals_and_for_a_hundred() {
    test(async |world: &World| {
        let admin = world.a(Who::Admin);
        make_deals(&admin, 100).await;
        let mut costs = Vec::new();
        for first in [5, 20, 100] {
            let (data, statements) = world
                .statements
                .during(admin.query_with(BOARD, json!({ "first": first })))
                .await;
            let deals = data["opportunities"]["nodes"].as_array().expect("nodes");
            assert_eq!(deals.len(), first);
            for deal in deals {
                let whole = [
                    "/owner/name",
                    "/primaryContact/company/name",
                    "/activities/nodes/0/owner/name",
                ];
                assert!(
                    whole
                        .iter()
                        .all(|part| deal.pointer(part).is_some_and(Value::is_string)),
                    "{deal}"
                );
            }
            costs.push(own(&statements));
        }
        assert_eq!(costs, [5, 5, 5]);
    });
}

#[test]
fn reading_one_deal_and_the_due_list_cost_what_they_did() {
    test(async |world: &World| {
        let admin = world.a(Who::Admin);
        let id = json!({ "id": global_id("opportunity", A.uuid("opportunity", 1)) });
        let (_, one) = world.statements.during(admin.query_with(ONE, id)).await;
        let (_, due) = world.statements.during(admin.query(DUE)).await;
        make_deals(&admin, 40).await;
        let (_, more_due) = world.statements.during(admin.query(DUE)).await;
        assert_eq!(
            own(&due),
            own(&more_due),
            "the number of deals does not matter"
        );
        insta::assert_snapshot!(format!("one {}, due {}", own(&one), own(&due)), @"one 2, due 5");
    });
}

#[test]
fn every_mutation_costs_what_it_did() {
    test(async |world: &World| {
        let admin = world.a(Who::Admin);
        let mutations = Mutations::new();
        let mut table = String::new();
        for (name, input) in mutations.all() {
            let (document, input) = (
                mutations.document(name),
                completed(&admin, name, input).await,
            );
            let (answer, statements) = world
                .statements
                .during(admin.send(&document, json!({ "input": input })))
                .await;
            assert_eq!(answer.data()[name]["userErrors"], json!([]), "{name}");
            assert!(
                statements
                    .iter()
                    .all(|sql| !sql.to_lowercase().contains("notify")),
                "{name} takes a lock of the cluster"
            );
            _ = writeln!(table, "{name} {}", own(&statements));
        }
        insta::assert_snapshot!(table, @r"
        companyCreate 6
        companyUpdate 5
        companyArchive 5
        companyRestore 5
        companyDelete 6
        contactCreate 8
        contactUpdate 5
        contactArchive 5
        contactRestore 5
        contactDelete 6
        leadCreate 6
        leadUpdate 5
        leadArchive 5
        leadRestore 5
        leadDelete 6
        pipelineCreate 7
        pipelineUpdate 5
        pipelineArchive 5
        pipelineRestore 5
        pipelineDelete 5
        stageCreate 8
        stageUpdate 7
        opportunityCreate 11
        opportunityUpdate 5
        opportunityReorder 9
        opportunityMoveStage 7
        opportunitySetContacts 8
        opportunitySetCollaborators 12
        opportunitySetNextAction 5
        opportunityCompleteNextAction 13
        opportunityWin 7
        opportunityReopen 8
        opportunityLose 7
        opportunityArchive 5
        opportunityRestore 5
        opportunityDelete 9
        stageDelete 8
        roleCreate 7
        roleUpdate 6
        roleDelete 8
        apiKeyCreate 6
        apiKeyUpdate 6
        apiKeyRotate 9
        apiKeyRevoke 6
        activityCreate 9
        activityUpdate 7
        activityComplete 8
        activityArchive 5
        activityRestore 5
        activityDelete 5
        productCreate 5
        productUpdate 5
        productArchive 5
        productRestore 5
        productDelete 5
        ");
    });
}

/// How many statements are a request's own. Who asks is read by whichever request comes first.
fn own(statements: &[String]) -> usize {
    let is_sign_in =
        |sql: &&String| sql.starts_with("SELECT t.status AS standing, t.delete_after, m.status");
    statements.len() - statements.iter().filter(is_sign_in).count()
}

/// Deals of the admin's, each with a primary contact of a company, a next action and an activity.
async fn make_deals(client: &Client<'_>, count: u32) {
    let (company, contact) = (A.uuid("company", 1), A.uuid("contact", 1));
    let mut made = 0;
    while made < count {
        let batch = (count - made).min(10);
        let (mut variables, mut parameters, mut fields) = (json!({}), String::new(), String::new());
        for n in 0..batch {
            let id = global_id("opportunity", A.uuid("opportunity", 1_000 + made + n));
            variables[format!("d{n}")] = json!({
                "id": id, "name": format!("Made {}", made + n), "companyId": global_id("company", company),
                "primaryContactId": global_id("contact", contact), "amount": { "amountMinor": 100, "currency": "EUR" },
                "nextAction": { "at": "2026-01-01T12:00:00Z", "kind": "CALL" },
            });
            variables[format!("a{n}")] =
                json!({ "kind": "CALL", "subject": "Called", "status": "DONE", "targetIds": [id] });
            _ = write!(
                parameters,
                "$d{n}: OpportunityCreateInput! $a{n}: ActivityCreateInput! "
            );
            _ = write!(
                fields,
                "d{n}: opportunityCreate(input: $d{n}) {{ userErrors {{ message }} }} "
            );
            _ = write!(
                fields,
                "a{n}: activityCreate(input: $a{n}) {{ userErrors {{ message }} }} "
            );
        }
        let data = client
            .query_with(&format!("mutation({parameters}) {{ {fields} }}"), variables)
            .await;
        for (field, payload) in data.as_object().expect("payloads") {
            assert_eq!(payload["userErrors"], json!([]), "{field}");
        }
        made += batch;
    }
}

/// Every mutation of the schema, once, each with an input that succeeds after those before it.
pub(crate) struct Mutations {
    schema: Schema,
}

impl Mutations {
    /// Fails when the schema has a mutation that is not listed here.
    pub(crate) fn new() -> Self {
        let mutations = Self {
            schema: Schema::of_server(),
        };
        let listed: Vec<&str> = mutations.all().into_iter().map(|(name, _)| name).collect();
        let others = [OF_ACCOUNTS.as_slice(), OF_ADMINS.as_slice()].concat();
        let known = |name: &str| others.contains(&name);
        for mutation in mutations
            .schema
            .fields("Mutation")
            .iter()
            .filter(|field| !known(&field.name))
        {
            assert!(
                listed.contains(&mutation.name.as_str()),
                "list {} in budgets.rs",
                mutation.name
            );
        }
        mutations
    }

    /// The document of a mutation; it asks for the id of what was written, so that it is read back.
    pub(crate) fn document(&self, name: &str) -> String {
        let fields = self.schema.fields("Mutation");
        let mutation = fields
            .iter()
            .find(|field| field.name == name)
            .expect("it is in the schema");
        let input = &mutation
            .argument("input")
            .expect("every mutation has one input")
            .of
            .name;
        let payload = self
            .schema
            .fields(&mutation.of.name)
            .iter()
            .filter(|field| field.name != "userErrors");
        let written: String = payload
            .map(|field| {
                if self.schema.is_leaf(&field.of.name) {
                    format!("{} ", field.name)
                } else {
                    format!("{} {{ id }} ", field.name)
                }
            })
            .collect();
        format!(
            "mutation($input: {input}!) {{ {name}(input: $input) {{ {written} userErrors {{ code message field }} }} }}"
        )
    }

    /// Their names and inputs in an order that works.
    pub(crate) fn all(&self) -> Vec<(&'static str, Value)> {
        let id = |kind: &str, n| json!(global_id(kind, A.uuid(kind, n)));
        let made = |kind| json!({ "id": id(kind, 100) });
        let with = |kind, more: Value| {
            let mut input = made(kind);
            for (name, value) in more.as_object().expect("an object") {
                input[name] = value.clone();
            }
            input
        };
        let deal = |more| with("opportunity", more);
        let next = json!({ "at": "2026-07-01T12:00:00Z", "kind": "CALL", "details": "Ask" });
        let stages = json!([
            { "name": "New", "probability": 10 },
            { "name": "Won", "probability": 100, "kind": "WON" },
            { "name": "Lost", "probability": 0, "kind": "LOST" },
        ]);
        let method = json!([{ "kind": "EMAIL", "value": "made@a.example" }]);
        vec![
            ("companyCreate", with("company", json!({ "name": "Made" }))),
            ("companyUpdate", with("company", json!({ "city": "Oslo" }))),
            ("companyArchive", made("company")),
            ("companyRestore", made("company")),
            ("companyDelete", made("company")),
            (
                "contactCreate",
                with(
                    "contact",
                    json!({ "firstName": "M", "lastName": "Ade", "companyId": id("company", 1), "contactMethods": method }),
                ),
            ),
            (
                "contactUpdate",
                with("contact", json!({ "jobTitle": "Buyer" })),
            ),
            ("contactArchive", made("contact")),
            ("contactRestore", made("contact")),
            ("contactDelete", made("contact")),
            (
                "leadCreate",
                with("lead", json!({ "firstName": "M", "lastName": "Ade" })),
            ),
            ("leadUpdate", with("lead", json!({ "notes": "Met" }))),
            ("leadArchive", made("lead")),
            ("leadRestore", made("lead")),
            ("leadDelete", made("lead")),
            (
                "pipelineCreate",
                with("pipeline", json!({ "name": "Made", "stages": stages })),
            ),
            (
                "pipelineUpdate",
                with("pipeline", json!({ "name": "Made anew" })),
            ),
            ("pipelineArchive", made("pipeline")),
            ("pipelineRestore", made("pipeline")),
            ("pipelineDelete", made("pipeline")),
            (
                "stageCreate",
                with(
                    "stage",
                    json!({ "pipelineId": id("pipeline", 1), "name": "Proposal", "probability": 60 }),
                ),
            ),
            ("stageUpdate", with("stage", json!({ "probability": 65 }))),
            (
                "opportunityCreate",
                deal(
                    json!({ "name": "Made", "stageId": id("stage", 2), "companyId": id("company", 1),
                "primaryContactId": id("contact", 1), "amount": { "amountMinor": 5, "currency": "EUR" } }),
                ),
            ),
            ("opportunityUpdate", deal(json!({ "source": "referral" }))),
            (
                "opportunityReorder",
                deal(json!({ "afterId": id("opportunity", 1) })),
            ),
            (
                "opportunityMoveStage",
                deal(json!({ "stageId": id("stage", 100) })),
            ),
            (
                "opportunitySetContacts",
                deal(json!({ "contacts": [{ "contactId": id("contact", 2), "role": "decides" }] })),
            ),
            (
                "opportunitySetCollaborators",
                deal(json!({ "collaborators": [{ "userId": A.user(Who::OtherRep).to_string() }] })),
            ),
            (
                "opportunitySetNextAction",
                deal(json!({ "nextAction": next })),
            ),
            (
                "opportunityCompleteNextAction",
                deal(json!({ "outcome": "reached", "next": next })),
            ),
            ("opportunityWin", made("opportunity")),
            ("opportunityReopen", made("opportunity")),
            ("opportunityLose", deal(json!({ "reason": "price" }))),
            ("opportunityArchive", made("opportunity")),
            ("opportunityRestore", made("opportunity")),
            ("opportunityDelete", made("opportunity")),
            ("stageDelete", made("stage")),
            (
                "roleCreate",
                with(
                    "role",
                    json!({ "name": "Made", "permissions": ["leads:read:all", "users:read"], "masks": ["PHONES"] }),
                ),
            ),
            ("roleUpdate", with("role", json!({ "masks": [] }))),
            ("roleDelete", made("role")),
            (
                "apiKeyCreate",
                json!({ "name": "Made", "role": "VIEWER", "expiresInDays": 30 }),
            ),
            (
                "apiKeyUpdate",
                json!({ "id": id("apiKey", 1), "name": "Made anew" }),
            ),
            ("apiKeyRotate", json!({ "id": id("apiKey", 1) })),
            ("apiKeyRevoke", json!({ "id": id("apiKey", 1) })),
            (
                "activityCreate",
                with(
                    "activity",
                    json!({ "kind": "TASK", "subject": "Write", "targetIds": [id("opportunity", 1), id("contact", 1)] }),
                ),
            ),
            (
                "activityUpdate",
                with("activity", json!({ "body": "More" })),
            ),
            (
                "activityComplete",
                with("activity", json!({ "outcome": "sent" })),
            ),
            ("activityArchive", made("activity")),
            ("activityRestore", made("activity")),
            ("activityDelete", made("activity")),
            (
                "productCreate",
                with("product", json!({ "name": "Made", "code": "M-1" })),
            ),
            ("productUpdate", with("product", json!({ "active": false }))),
            ("productArchive", made("product")),
            ("productRestore", made("product")),
            ("productDelete", made("product")),
        ]
    }
}

/// Adds the version that one mutation requires.
pub(crate) async fn completed(client: &Client<'_>, name: &str, mut input: Value) -> Value {
    if name == "opportunityCompleteNextAction" {
        let data = client
            .query_with(
                "query($id: ID!) { opportunity(id: $id) { version } }",
                json!({ "id": input["id"] }),
            )
            .await;
        input["expectedVersion"] = data["opportunity"]["version"].clone();
    }
    if name == "integrationAuthorizeFinish" {
        let begun = client
            .query(
                "mutation { integrationAuthorize(input: {
                     provider: \"rolodex\", redirectUri: \"https://crm.example/back\"
                 }) { authorizationUrl } }",
            )
            .await;
        let address = begun["integrationAuthorize"]["authorizationUrl"].as_str();
        let address = address.expect("it is begun");
        let (state, code) = client.rolodex().agree(address).await;
        (input["state"], input["code"]) = (state.into(), code.into());
    }
    if name == "webhookEndpointReplay" {
        input["after"] = client.query("{ eventCursor }").await["eventCursor"].clone();
    }
    input
}
