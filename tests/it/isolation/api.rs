//! The same through the API: ids, cursors and filters of another tenant give nothing away, and what is hidden answers exactly
//! like what does not exist. All from the schema, so that a new field or mutation is covered the day it appears.

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::harness::{
    A, Answer, B, Field, OF_ACCOUNTS, Schema, Side, TENANT_TABLES, Who, World, global_id,
    kind_of_field, kind_of_operation, test,
};

/// An id that nobody has.
const NOBODYS: &str = "01980000-0000-7000-8000-00000000dead";

#[test]
fn reading_another_tenants_record_answers_like_reading_none() {
    test(async |world| {
        let schema = Schema::of_server();
        let reads = schema
            .fields("Query")
            .iter()
            .filter(|field| field.argument("id").is_some_and(|id| id.of.name == "ID"));
        for read in reads {
            let kinds: Vec<&str> = match read.name.as_str() {
                "node" => schema.implementors_of_node(),
                name => vec![kind_of_operation(name)],
            };
            for kind in kinds {
                let document = format!(
                    "query($id: ID!) {{ {}(id: $id) {{ __typename }} }}",
                    read.name
                );
                let ask = async |side: Side, id: Uuid| {
                    world
                        .member(side, Who::Admin)
                        .send(&document, json!({ "id": global_id(kind, id) }))
                        .await
                };
                let (hidden, none) = (
                    ask(A, B.uuid(kind, 1)).await,
                    ask(A, NOBODYS.parse().unwrap()).await,
                );
                assert_same(&read.name, &hidden, &none);
                assert_eq!(
                    hidden.data()[&read.name],
                    Value::Null,
                    "{} {kind}",
                    read.name
                );
                for side in [A, B] {
                    assert_ne!(
                        ask(side, side.uuid(kind, 1)).await.data()[&read.name],
                        Value::Null,
                        "{} {kind} exists",
                        read.name
                    );
                }
            }
        }
    });
}

#[test]
fn changing_another_tenants_record_answers_like_changing_none_and_changes_nothing() {
    test(async |world| {
        let schema = Schema::of_server();
        let before = fingerprint(world, B).await;
        let mut tried = 0;
        let of_tenants = |field: &&Field| !OF_ACCOUNTS.contains(&field.name.as_str());
        for mutation in schema.fields("Mutation").iter().filter(of_tenants) {
            let input = &mutation
                .argument("input")
                .expect("every mutation has one input")
                .of
                .name;
            if !schema
                .fields(input)
                .iter()
                .any(|field| field.name == "id" && field.of.is_required)
            {
                continue;
            }
            let kind = kind_of_operation(&mutation.name);
            let change = async |id: &str| {
                let mut least = schema.least_input(input, A);
                least["id"] = json!(global_id(kind, id.parse().unwrap()));
                world
                    .a(Who::Admin)
                    .send(&document(mutation, input), json!({ "input": least }))
                    .await
            };
            let (hidden, none) = (
                change(&B.uuid(kind, 1).to_string()).await,
                change(NOBODYS).await,
            );
            assert_same(&mutation.name, &hidden, &none);
            assert_eq!(
                hidden.user_error(&mutation.name).0,
                "NOT_FOUND",
                "{}: {}",
                mutation.name,
                hidden.body
            );
            tried += 1;
        }
        assert!(tried >= 4, "mutations are found");
        assert_eq!(
            fingerprint(world, B).await,
            before,
            "rows of tenant B changed"
        );
    });
}

#[test]
fn naming_another_tenants_record_in_an_input_answers_like_naming_none() {
    test(async |world| {
        let schema = Schema::of_server();
        let before = fingerprint(world, B).await;
        let of_tenants = |field: &&Field| !OF_ACCOUNTS.contains(&field.name.as_str());
        for mutation in schema.fields("Mutation").iter().filter(of_tenants) {
            let input = &mutation
                .argument("input")
                .expect("every mutation has one input")
                .of
                .name;
            for place in schema.id_places(input) {
                let name = async |id: &str| {
                    let mut least = schema.least_input(input, A);
                    if least.get("id").is_some() {
                        least["id"] = json!(global_id(
                            kind_of_operation(&mutation.name),
                            A.uuid(kind_of_operation(&mutation.name), 1)
                        ));
                    }
                    schema.put(
                        &mut least,
                        &place.path,
                        &global_id(place.kind, id.parse().unwrap()),
                        A,
                    );
                    world
                        .a(Who::Admin)
                        .send(&document(mutation, input), json!({ "input": least }))
                        .await
                };
                let at: Vec<_> = place.path.iter().map(|field| field.name.as_str()).collect();
                let at = format!("{} {}", mutation.name, at.join("."));
                let (hidden, none) = (
                    name(&B.uuid(place.kind, 1).to_string()).await,
                    name(NOBODYS).await,
                );
                assert_same(&at, &hidden, &none);
                assert_eq!(
                    hidden.user_error(&mutation.name).0,
                    "NOT_FOUND",
                    "{at}: {}",
                    hidden.body
                );
            }
        }
        assert_eq!(
            fingerprint(world, B).await,
            before,
            "rows of tenant B changed"
        );
    });
}

#[test]
fn a_cursor_is_of_its_tenant_and_of_its_order() {
    test(async |world| {
        let schema = Schema::of_server();
        for list in schema.lists() {
            let name = &list.name;
            let page = format!(
                "query($after: String) {{ {name}(first: 1, after: $after) {{ pageInfo {{ endCursor }} }} }}"
            );
            let cursor = async |side| {
                let data = world.member(side, Who::Admin).query(&page).await;
                data[name]["pageInfo"]["endCursor"]
                    .as_str()
                    .unwrap_or_else(|| panic!("{name} has rows"))
                    .to_owned()
            };
            let (own, foreign) = (cursor(A).await, cursor(B).await);
            let follow = async |cursor: &str| {
                world
                    .a(Who::Admin)
                    .send(&page, json!({ "after": cursor }))
                    .await
            };
            follow(&own).await.data();
            let mut damaged = own.clone().into_bytes();
            damaged[10] ^= 1;
            for bad in [
                foreign.as_str(),
                &String::from_utf8(damaged).unwrap(),
                "",
                "x",
                &"x".repeat(5_000),
            ] {
                assert_eq!(follow(bad).await.code(), "INVALID_CURSOR", "{name} {bad}");
            }

            let Some(order) = list.argument("orderBy") else {
                continue;
            };
            let fields = schema
                .fields(&order.of.name)
                .iter()
                .find(|field| field.name == "field")
                .expect("an order has a field");
            for field in schema.values(&fields.of.name) {
                let ordered = format!(
                    "query($after: String) {{ {name}(after: $after, orderBy: [{{ field: {field}, direction: ASC }}, {{ field: {field} }}]) {{ pageInfo {{ endCursor }} }} }}"
                );
                let answer = world
                    .a(Who::Admin)
                    .send(&ordered, json!({ "after": own }))
                    .await;
                assert_eq!(answer.code(), "INVALID_CURSOR", "{name} by {field}");
            }
        }
    });
}

#[test]
fn a_filter_by_another_tenants_id_finds_and_counts_nothing() {
    test(async |world| {
        let (schema, mut tried) = (Schema::of_server(), 0);
        for list in schema.lists() {
            let Some(filter) = list.argument("filter") else {
                continue;
            };
            for field in schema
                .fields(&filter.of.name)
                .iter()
                .filter(|field| schema.compares_ids(field))
            {
                let kind = if field.name == "id" {
                    kind_of_list(list)
                } else {
                    kind_of_field(&field.name)
                };
                let document = format!(
                    "query($id: ID!) {{ {}(filter: {{ {}: {{ eq: $id }} }}) {{ nodes {{ __typename }} totalCount }} }}",
                    list.name, field.name
                );
                let variables = json!({ "id": global_id(kind, B.uuid(kind, 1)) });
                let found = world.a(Who::Admin).query_with(&document, variables).await;
                assert_eq!(
                    found[&list.name],
                    json!({ "nodes": [], "totalCount": 0 }),
                    "{} {}",
                    list.name,
                    field.name
                );
                tried += 1;
            }
        }
        assert!(tried > 4, "filters by id are found");
    });
}

#[test]
fn within_a_tenant_a_hidden_record_answers_like_none() {
    test(async |world| {
        let (rep, none) = (world.a(Who::Rep), NOBODYS.parse::<Uuid>().unwrap());
        let schema = Schema::of_server();
        for kind in ["lead", "opportunity", "activity"] {
            if !schema
                .fields("Query")
                .iter()
                .any(|field| field.name == kind)
            {
                continue;
            }
            let document = format!("query($id: ID!) {{ {kind}(id: $id) {{ id }} }}");
            let ask = async |id: Uuid| {
                rep.send(&document, json!({ "id": global_id(kind, id) }))
                    .await
            };
            assert_ne!(
                ask(A.uuid(kind, 1)).await.data()[kind],
                Value::Null,
                "their own {kind}"
            );
            assert_same(kind, &ask(A.uuid(kind, 3)).await, &ask(none).await);
        }
    });
}

#[test]
fn the_tenant_comes_from_the_token_and_from_nowhere_else() {
    test(async |world| {
        let (document, other) = ("{ tenant { id } }", B.tenant().to_string());
        let own = json!({ "tenant": { "id": A.tenant().to_string() } });
        let variables = json!({ "tenantId": other, "tenant_id": other });
        assert_eq!(
            world
                .a(Who::Rep)
                .query_with(document, variables.clone())
                .await,
            own
        );

        let body = json!({ "query": document, "variables": variables, "extensions": { "tenantId": other } });
        let request = world.a(Who::Rep).post().json(&body);
        let request = request
            .header("x-tenant-id", &other)
            .header("tenant", &other)
            .header("cookie", format!("tenant={other}"));
        assert_eq!(
            world
                .a(Who::Rep)
                .send_request(request, &body.to_string())
                .await
                .data(),
            own
        );

        // One person in two tenants: the token decides, not the person.
        for side in [A, B] {
            let seen = world
                .member(side, Who::Both)
                .query("{ viewer { role tenant { id } } }")
                .await;
            assert_eq!(seen["viewer"]["tenant"]["id"], side.tenant().to_string());
            assert_eq!(
                seen["viewer"]["role"],
                if side == A { "MANAGER" } else { "VIEWER" }
            );
        }
    });
}

/// The kind that the rows of a list have; a member's id is the person's.
fn kind_of_list(list: &Field) -> &'static str {
    match list.of.name.trim_end_matches("Connection") {
        "Membership" => "user",
        of => kind_of_operation(of),
    }
}

fn document(mutation: &Field, input: &str) -> String {
    format!(
        "mutation($input: {input}!) {{ {}(input: $input) {{ userErrors {{ code field message }} }} }}",
        mutation.name
    )
}

/// Both answers are the same to the byte, but for the id of the request and the points that are left, which come back with
/// time.
fn assert_same(what: &str, hidden: &Answer, none: &Answer) {
    let timeless = |answer: &Answer| {
        let mut body = answer.body.clone();
        if let Some(cost) = body.pointer_mut("/extensions/cost") {
            cost["remaining"] = Value::Null;
        }
        (answer.status, body)
    };
    assert_eq!(timeless(hidden), timeless(none), "{what}");
}

/// A digest of all rows of a tenant.
async fn fingerprint(world: &World, side: Side) -> String {
    let mut inspector = world.database.superuser().await;
    let one = |table: &&str| {
        format!(
            "(SELECT md5(string_agg(row, ',' ORDER BY row)) FROM {table} t,
              LATERAL (SELECT (to_jsonb(t) - '{{last_audit,audit_hash}}'::text[])::text) r(row) WHERE tenant_id = '{}')",
            side.uuid("tenant", 1)
        )
    };
    let sql = format!(
        "SELECT concat({})",
        // The log may grow: it records attempts.
        TENANT_TABLES
            .iter()
            .filter(|table| **table != "audit_log")
            .map(one)
            .collect::<Vec<_>>()
            .join(", ")
    );
    sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_one(&mut inspector)
        .await
        .unwrap()
}
