//! The projection executor answers what the full executor answers, for every field of every record and for every role;
//! and it is the one that answers, but for the fields named here.

use std::fmt::Write as _;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, raw_sql};

use crate::harness::{A, Field, Schema, Who, World, global_id, test};

/// The lists of records, with what each is a list of.
const LISTS: [(&str, &str); 7] = [
    ("companies", "Company"),
    ("contacts", "Contact"),
    ("leads", "Lead"),
    ("opportunities", "Opportunity"),
    ("activities", "Activity"),
    ("pipelines", "Pipeline"),
    ("products", "Product"),
];

/// Whole records are read with these columns; no single field follows from both.
pub(crate) const WHOLE: &str = "t.created_by, t.updated_at";

/// Under this key the executor itself asks for types, and the projection executor leaves it to it.
const TO_THE_EXECUTOR: &str = "__typeOf: __typename";

/// An answer to which the executor was made to take part, without what that added.
fn by_the_executor_alone(mut answer: Value) -> Value {
    fn take(value: &mut Value) -> usize {
        match value {
            Value::Array(items) => items.iter_mut().map(take).sum(),
            Value::Object(fields) => {
                let taken = usize::from(fields.remove("__typeOf").is_some());
                taken + fields.values_mut().map(take).sum::<usize>()
            }
            _ => 0,
        }
    }
    let has_rows = |list: &Value| list.pointer("/nodes/0").is_some() || list.get("nodes").is_none();
    let lists = answer.as_object().expect("an answer");
    let has_rows = lists.values().any(has_rows);
    assert!(
        take(&mut answer) > 0 || !has_rows,
        "the executor took no part: {answer}"
    );
    answer
}

/// Gives records values where the world leaves them empty.
async fn arrange(world: &World) {
    let tenant = A.uuid("tenant", 1);
    let sql = format!(
        "UPDATE opportunities SET amount_minor = 123456, amount_currency = 'EUR', probability = 55, probability_manual = true,
            tags = ARRAY['a \"b\"', 'ü', ''], next_action_at = '2026-03-01T10:00:00.25Z', next_action_kind = 'CALL',
            next_action_details = E'line\n\ttwo', expected_close_on = '2026-04-30', source = 'web', lost_note = 'no'
            WHERE tenant_id = '{tenant}' AND abs(hashtext(opportunity_id::text)) % 2 = 0;
         UPDATE companies SET employee_count = 7, annual_revenue_minor = 9007199254740991, annual_revenue_currency = 'USD',
            founded_year = 1999, phone = '+49 30 1', city = 'Köln', tags = ARRAY['x'] WHERE tenant_id = '{tenant}';
         UPDATE contacts SET warmness_score = 61, last_contacted_at = '2026-01-01T00:00:00Z' WHERE tenant_id = '{tenant}';
         UPDATE leads SET phone = '1', estimated_amount_minor = 5, estimated_amount_currency = 'CHF' WHERE tenant_id = '{tenant}';"
    );
    raw_sql(AssertSqlSafe(sql))
        .execute(&mut world.database.superuser().await)
        .await
        .expect("the superuser writes");
}

/// A field with so much of what is below it.
fn selection(schema: &Schema, field: &Field, depth: usize) -> Option<String> {
    if field
        .arguments
        .iter()
        .any(|argument| argument.of.is_required)
    {
        return None;
    }
    if schema.is_leaf(&field.of.name) {
        return Some(field.name.clone());
    }
    let depth = depth.checked_sub(1)?;
    let of = &field.of.name;
    let inner = match of.strip_suffix("Connection") {
        Some(node) => {
            let rows = inner(schema, node, depth);
            format!(
                "__typename pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} nodes {{ {rows} }} \
                 edges {{ __typename cursor node {{ id }} }} totalCount totalCountIsEstimate"
            )
        }
        None => inner(schema, of, depth),
    };
    let pages = if field.argument("first").is_some() {
        "(first: 2)"
    } else {
        ""
    };
    Some(format!("{}{pages} {{ {inner} }}", field.name))
}

fn inner(schema: &Schema, of: &str, depth: usize) -> String {
    let mut text = String::from("__typename");
    for field in schema.fields(of) {
        // Below a record only what follows from columns, so that one field at a time is judged.
        let is_plain = schema.is_leaf(&field.of.name) || depth > 0;
        let apart = ["phone", "membership", "apiKey"];
        let stays = of == "Company" || !apart.contains(&field.name.as_str());
        if let Some(selected) = selection(schema, field, depth).filter(|_| is_plain && stays) {
            _ = write!(text, " {selected}");
        }
    }
    text
}

#[test]
fn every_field_is_answered_as_by_the_executor_and_most_without_it() {
    test(async |world| {
        arrange(world).await;
        let schema = Schema::of_server();
        let mut by_the_executor = String::new();
        for (list, of) in LISTS {
            for field in schema.fields(of) {
                let Some(selected) = selection(&schema, field, 1) else {
                    continue;
                };
                let document = |again: &str| {
                    format!(
                        "{{ {list}(first: 7, includeArchived: true) {{ __typename pageInfo {{ endCursor hasNextPage }} totalCount \
                         nodes {{ __typename {again} one: {selected} id }} edges {{ cursor node {{ {selected} }} }} }} }}"
                    )
                };
                for who in Who::ROLES {
                    let client = world.a(who);
                    let (quick, statements) = world
                        .statements
                        .during(client.send(&document(""), json!({})))
                        .await;
                    let (slow, whole) = world
                        .statements
                        .during(client.send(&document(TO_THE_EXECUTOR), json!({})))
                        .await;
                    assert_eq!(
                        quick.data(),
                        by_the_executor_alone(slow.data()),
                        "{} of {of} for {who:?}",
                        field.name
                    );
                    let is_whole = |sql: &String| sql.contains(WHOLE);
                    assert!(
                        whole.iter().any(is_whole),
                        "the executor reads whole records"
                    );
                    if who == Who::Admin && statements.iter().any(is_whole) {
                        _ = writeln!(by_the_executor, "{of}.{}", field.name);
                    }
                }
            }
        }
        insta::assert_snapshot!(by_the_executor, @r"
        Contact.contactMethods
        Contact.phone
        Opportunity.collaborators
        Opportunity.contactRoles
        Opportunity.stageHistory
        Activity.targets
        ");
    });
}

#[test]
fn links_and_lists_nest_as_deep_as_a_document_may() {
    test(async |world| {
        arrange(world).await;
        let schema = Schema::of_server();
        for (list, of) in LISTS {
            for field in schema.fields(of) {
                let Some(selected) = selection(&schema, field, 2) else {
                    continue;
                };
                let document = |again: &str| {
                    format!(
                        "{{ {list}(first: 3, orderBy: []) {{ nodes {{ __typename {again} {selected} }} }} }}"
                    )
                };
                for who in [Who::Admin, Who::Rep, Who::Closer] {
                    let client = world.a(who);
                    let quick = client.query(&document("")).await;
                    let slow = client.query(&document(TO_THE_EXECUTOR)).await;
                    let slow = by_the_executor_alone(slow);
                    assert_eq!(quick, slow, "{} of {of} for {who:?}", field.name);
                }
            }
        }
    });
}

#[test]
fn one_record_is_answered_as_by_the_executor() {
    test(async |world| {
        arrange(world).await;
        for (kind, of) in [
            ("company", "Company"),
            ("contact", "Contact"),
            ("lead", "Lead"),
            ("opportunity", "Opportunity"),
            ("activity", "Activity"),
            ("pipeline", "Pipeline"),
            ("stage", "Stage"),
            ("product", "Product"),
        ] {
            let fields = inner(&Schema::of_server(), of, 0);
            for id in [A.uuid(kind, 1), A.uuid(kind, 2), uuid::Uuid::nil()] {
                let id = global_id(kind, id);
                let document =
                    |again: &str| format!("{{ {kind}(id: \"{id}\") {{ {again} {fields} }} }}");
                for who in Who::ROLES {
                    let client = world.a(who);
                    let quick = client.query(&document("")).await;
                    let slow = client.query(&document(TO_THE_EXECUTOR)).await;
                    let slow = match slow[kind].is_null() {
                        true => slow,
                        false => by_the_executor_alone(slow),
                    };
                    assert_eq!(quick, slow, "{kind} for {who:?}");
                }
            }
        }
    });
}

#[test]
fn fragments_aliases_variables_and_directives_are_understood() {
    test(async |world| {
        let document = "query($first: Int!, $more: Boolean!) {
            opportunities(first: $first, orderBy: [{ field: AMOUNT, direction: DESC }, { field: NAME }]) {
                pageInfo { endCursor }
                deals: nodes { ...deal ... on Opportunity { title: name } ... { version } owner @include(if: $more) { name } }
                edges @skip(if: $more) { cursor }
            }
        }
        fragment deal on Opportunity { id again: id activities(first: $first, filter: { kind: { in: [CALL, NOTE] } }) { nodes { kind } } }";
        let admin = world.a(Who::Admin);
        for more in [true, false] {
            let variables = json!({ "first": 2, "more": more });
            let (data, statements) = world
                .statements
                .during(admin.query_with(document, variables.clone()))
                .await;
            assert!(statements.iter().all(|sql| !sql.contains(WHOLE)));
            let slow = document.replace("...deal ", &format!("{TO_THE_EXECUTOR} ...deal "));
            let slow = admin.query_with(&slow, variables).await;
            assert_eq!(data, by_the_executor_alone(slow));
            let list = &data["opportunities"];
            assert_eq!(list["deals"][0]["owner"].is_object(), more);
            assert_eq!(list["edges"].is_array(), !more);
            assert_eq!(list["deals"][0]["id"], list["deals"][0]["again"]);
        }
        let next = "query($after: String) { opportunities(first: 1, after: $after) { edges { cursor node { id } } pageInfo { hasNextPage endCursor } } }";
        let (mut after, mut seen) = (Value::Null, Vec::new());
        loop {
            let data = admin.query_with(next, json!({ "after": after })).await;
            let page = &data["opportunities"];
            seen.push(page["edges"][0]["node"]["id"].clone());
            assert_eq!(page["edges"][0]["cursor"], page["pageInfo"]["endCursor"]);
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == json!(false) {
                break;
            }
        }
        let all = admin
            .query("{ opportunities(first: 100) { nodes { id } } }")
            .await;
        let all = all["opportunities"]["nodes"].as_array().expect("nodes");
        assert_eq!(
            seen,
            all.iter()
                .map(|node| node["id"].clone())
                .collect::<Vec<_>>()
        );
    });
}

#[test]
fn what_is_wrong_is_refused_as_by_the_executor() {
    test(async |world| {
        for who in [Who::Admin, Who::Auditor] {
            let client = world.a(who);
            for arguments in [
                "first: 101",
                "first: -1",
                "first: 1, last: 1",
                "after: \"x\"",
                "filter: { ownerId: { eq: \"user:1\" } }",
                "orderBy: [{ field: AMOUNT }]",
            ] {
                for (open, close) in [("", ""), ("companies(first: 2) { nodes {", "} }")] {
                    let document = |again: &str| {
                        format!(
                            "{{ {open} {again} opportunities({arguments}) {{ nodes {{ {again} id }} }} {close} }}"
                        )
                    };
                    let quick = client.send(&document(""), json!({})).await;
                    let slow = client.send(&document(TO_THE_EXECUTOR), json!({})).await;
                    let messages = |answer: &Value| answer.pointer("/errors/0/message").cloned();
                    assert_eq!(
                        messages(&quick.body),
                        messages(&slow.body),
                        "{arguments} for {who:?}"
                    );
                }
            }
        }
    });
}

#[test]
fn null_is_refused_where_there_is_a_default_instead() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let id = global_id("company", A.uuid("company", 1));
        // What no column holds sends a document to the executor.
        for slow in ["", "nodes { contactMethods { id } }"] {
            let document = format!(
                "query($archived: Boolean) {{ company(id: \"{id}\") {{ contacts(includeArchived: $archived) {{ totalCount {slow} }} }} }}"
            );
            let answer = admin.send(&document, json!({ "archived": null })).await;
            assert_eq!(
                answer.body["data"],
                json!({ "company": null }),
                "{document}"
            );
            assert_eq!(answer.code(), "BAD_USER_INPUT");
            let unsent = admin.query(&document).await;
            assert_eq!(unsent["company"]["contacts"]["totalCount"], 1);
        }
    });
}
