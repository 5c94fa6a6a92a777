//! A filter is bounded before anything runs, whichever field takes it and however it comes, and what it asks for is paid.

mod chance;

use std::sync::Arc;

use dealgraph::{
    api::{Plan, limits::Limits},
    tools::app::Serving,
};
use serde_json::{Value, json};

use crate::{
    defaults::served::Served,
    harness::{Answer, Client, Schema, Who, World, test},
    live::Socket,
    plans,
};

const COMPANIES: &str =
    "query($filter: CompanyFilter) { companies(filter: $filter, first: 1) { totalCount } }";

/// So many empty conditions on related records.
fn relations(count: usize) -> Vec<Value> {
    vec![json!({ "opportunitiesSome": {} }); count]
}

/// So many levels, each an `or` with one arm.
fn levels(count: usize) -> Value {
    (1..count).fold(json!({}), |inner, _| json!({ "or": [inner] }))
}

/// What is refused, by the first filter that is too much and the last that is not.
fn bounds() -> [(&'static str, &'static str, &'static str, Value, Value); 6] {
    let condition = json!({ "name": { "neq": "x" } });
    let values = |count| json!({ "or": [{}, { "id": { "nin": vec!["company:x"; count] } }] });
    let related = |depth: usize| {
        (0..depth).fold(json!({}), |inner, level| match (depth - level) % 2 {
            1 => json!({ "contactsSome": inner }),
            _ => json!({ "company": inner }),
        })
    };
    [
        (
            "TOO_MANY_CONDITIONS",
            "101 conditions in a filter, at most 100",
            "filter.and",
            json!({ "and": vec![condition.clone(); 101] }),
            json!({ "and": vec![condition; 100] }),
        ),
        (
            "TOO_MANY_CONDITIONS",
            "101 conditions in a filter, at most 100",
            "filter.or",
            json!({ "or": vec![json!({}); 101] }),
            json!({ "or": vec![json!({}); 100] }),
        ),
        (
            "TOO_MANY_RELATIONS",
            "11 conditions on related records in a filter, at most 10",
            "filter",
            json!({ "opportunitiesNone": {}, "or": relations(10) }),
            json!({ "opportunitiesNone": {}, "or": relations(9) }),
        ),
        (
            "NESTED_TOO_DEEP",
            "4 levels of related records in a filter, at most 3",
            "filter",
            related(4),
            related(3),
        ),
        (
            "FILTER_TOO_DEEP",
            "11 levels in a filter, at most 10",
            "filter",
            levels(11),
            levels(10),
        ),
        // The refusal that docs/limits.md shows.
        (
            "TOO_MANY_VALUES",
            "101 values in a list of a filter, at most 100",
            "filter.or.1.id.nin",
            values(101),
            values(100),
        ),
    ]
}

fn assert_refused(answer: &Answer, (code, message, field): (&str, &str, &str)) {
    let error = &answer.body["errors"][0];
    assert_eq!(answer.code(), code, "{}", answer.body);
    let said = error["message"].as_str().unwrap_or_default();
    assert!(said.contains(message), "{said}");
    assert_eq!(error["extensions"]["field"], field, "{error}");
    assert!(error["locations"][0]["line"].is_number(), "{error}");
    assert!(
        answer.body.get("data").is_none_or(Value::is_null),
        "all or nothing"
    );
}

/// Nothing of it reaches the database.
async fn refused_unread(world: &World, client: &Client<'_>, sent: (&str, Value)) -> Answer {
    let (answer, statements) = world.statements.during(client.send(sent.0, sent.1)).await;
    let read: Vec<_> = statements
        .iter()
        .filter(|sql| sql.contains(" t "))
        .collect();
    assert!(read.is_empty(), "{read:?}");
    answer
}

#[test]
fn fifteen_hundred_nested_arms_of_relations_are_refused_unread() {
    test(async |world| {
        let arm =
            json!({ "opportunitiesSome": { "name": { "startsWith": "whoever has no deal" } } });
        let filter = json!({ "or": vec![json!({ "or": vec![arm; 50] }); 30] });
        assert!(filter.to_string().len() > 100_000, "as large as it was");
        let admin = world.a(Who::Admin);
        let sent = (COMPANIES, json!({ "filter": filter }));
        let answer = refused_unread(world, &admin, sent).await;
        let message = "1500 conditions on related records in a filter, at most 10";
        assert_refused(&answer, ("TOO_MANY_RELATIONS", message, "filter.or.0.or"));
    });
}

#[test]
fn fifty_relations_in_four_kilobytes_are_refused_unread() {
    test(async |world| {
        let arm = "{ opportunitiesSome: { status: { eq: WON }, amountMinor: { gte: 1 } } }";
        let document = format!(
            "{{ companies(filter: {{ and: [{}] }}) {{ totalCount }} }}",
            vec![arm; 50].join(" ")
        );
        let admin = world.a(Who::Admin);
        let answer = refused_unread(world, &admin, (&document, json!({}))).await;
        let message = "50 conditions on related records in a filter, at most 10";
        assert_refused(&answer, ("TOO_MANY_RELATIONS", message, "filter.and"));
    });
}

#[test]
fn each_bound_has_its_code_and_says_what_was_found_where() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        for (code, message, field, beyond, within) in bounds() {
            let sent = (COMPANIES, json!({ "filter": beyond }));
            let answer = refused_unread(world, &admin, sent).await;
            assert_refused(&answer, (code, message, field));
            let answer = admin.send(COMPANIES, json!({ "filter": within })).await;
            assert!(
                ["", "INVALID_ID"].contains(&answer.code()),
                "{code}: {}",
                answer.body
            );
        }
    });
}

#[test]
fn a_filter_is_counted_however_it_is_brought() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let written = |filter: &Value| {
            let text = filter.to_string();
            ["and", "or", "opportunitiesSome"]
                .iter()
                .fold(text, |text, name| {
                    text.replace(&format!("\"{name}\""), name)
                })
        };
        let arms = json!(relations(11));
        let (all, six) = (json!({ "or": arms }), json!({ "or": relations(6) }));
        let literal = written(&all);
        for (document, variables) in [
            (
                format!("{{ companies(filter: {literal}) {{ totalCount }} }}"),
                json!({}),
            ),
            (COMPANIES.to_owned(), json!({ "filter": all })),
            (
                format!(
                    "query($f: CompanyFilter = {literal}) {{ companies(filter: $f) {{ totalCount }} }}"
                ),
                json!({}),
            ),
            (
                "query($arms: [CompanyFilter!]) { companies(filter: { or: $arms }) { totalCount } }".to_owned(),
                json!({ "arms": arms }),
            ),
            (
                "query($f: CompanyFilter!) { companies(filter: { and: [$f, { not: $f }] }) { totalCount } }".to_owned(),
                json!({ "f": six }),
            ),
            (
                "query($f: CompanyFilter) { ...A } fragment A on Query { x: companies(filter: $f) { totalCount } }".to_owned(),
                json!({ "f": all }),
            ),
            (
                "query($f: CompanyFilter) { opportunities(first: 1) { nodes { company { subsidiaries(filter: $f) { totalCount } } } } }".to_owned(),
                json!({ "f": all }),
            ),
            (
                format!(
                    "mutation {{ companyArchive(input: {{ id: \"company:x\" }}) {{ company {{ subsidiaries(filter: {literal}) {{ totalCount }} }} }} }}"
                ),
                json!({}),
            ),
        ] {
            let answer = refused_unread(world, &admin, (&document, variables)).await;
            assert_eq!(answer.code(), "TOO_MANY_RELATIONS", "{document}: {}", answer.body);
        }
        // A variable that is not sent is no filter.
        assert_eq!(admin.send(COMPANIES, json!({})).await.code(), "");
    });
}

#[test]
fn a_subscription_is_refused_over_a_socket_and_as_a_stream() {
    test(async |world| {
        let document =
            "subscription($filter: CompanyFilter) { companyEvents(filter: $filter) { kind } }";
        let mut socket = Socket::open(&world.a(Who::Admin)).await;
        for (code, _, field, beyond, _) in bounds() {
            socket.ask("1", document, json!({ "filter": beyond })).await;
            let error = &socket.frame().await["payload"][0];
            let found = (&error["extensions"]["code"], &error["extensions"]["field"]);
            assert_eq!(found, (&json!(code), &json!(field)), "{error}");
        }
        let admin = world.a(Who::Admin);
        let request = admin.post().header("accept", "text/event-stream").json(
            &json!({ "query": document, "variables": { "filter": { "or": relations(11) } } }),
        );
        let answer = admin.send_request(request, document).await;
        assert_eq!(answer.code(), "TOO_MANY_RELATIONS");
    });
}

/// The documents that give an argument to a field of a type, reached from the top.
fn every_filter(schema: &Schema) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (root, kind) in [("Query", "query"), ("Subscription", "subscription")] {
        for field in schema.fields(root) {
            let Some(filter) = field
                .arguments
                .iter()
                .find(|argument| argument.of.name.ends_with("Filter"))
            else {
                continue;
            };
            let others: Vec<_> = field
                .arguments
                .iter()
                .filter(|argument| argument.of.is_required && argument.name == "pipelineId")
                .map(|argument| format!("{}: \"pipeline:x\", ", argument.name))
                .collect();
            let document = format!(
                "{kind}($filter: {}) {{ {}({}{}: $filter) {{ __typename }} }}",
                filter.of.name,
                field.name,
                others.concat(),
                filter.name
            );
            found.push((document, filter.of.name.clone()));
        }
    }
    found
}

#[test]
fn every_field_that_takes_a_filter_bounds_it() {
    test(async |world| {
        let (schema, admin) = (Schema::of_server(), world.a(Who::Admin));
        let mut socket = Socket::open(&admin).await;
        let all = every_filter(&schema);
        assert!(all.len() >= 18, "{all:#?}");
        for (document, filter) in all {
            let fields = schema.fields(&filter);
            let compared = fields
                .iter()
                .find(|field| {
                    let mut operators = schema.fields(&field.of.name).iter();
                    operators.any(|operator| operator.name == "in")
                })
                .expect("a comparator");
            let many = json!({ &compared.name: { "in": vec!["x"; 101] } });
            let variables = json!({ "filter": many });
            let code = match document.starts_with("subscription") {
                true => {
                    socket.ask("1", &document, variables).await;
                    socket.failure("1").await.0
                }
                false => admin.send(&document, variables).await.code().to_owned(),
            };
            assert_eq!(code, "TOO_MANY_VALUES", "{document}");
        }
    });
}

#[test]
fn a_plan_and_the_operator_set_the_bounds() {
    test(async |world| {
        let plans = r#"{ "small": { "filterConditions": 2, "filterRelations": 1, "filterRelationDepth": 1, "filterDepth": 2,
            "filterValues": 3 }, "large": { "filterRelations": 12, "filterValues": 200 } }"#;
        let serving = Serving {
            plans: Plan::parse_all(plans.as_bytes()).expect("plans"),
            ..Serving::default()
        };
        let limits = Limits {
            filter_depth: 4,
            ..Limits::default()
        };
        let tokens = Arc::clone(&world.tokens);
        let server = Served::open(&world.database, tokens, None, (limits, serving)).await;
        let ours = world.a(Who::Admin).token().map(str::to_owned);
        let code = async |filter: &Value| {
            let answer = server
                .send(ours.as_deref(), COMPANIES, &json!({ "filter": filter }))
                .await;
            let error = &answer["errors"][0]["extensions"];
            (error["code"].clone(), error["field"].clone())
        };
        let (none, name) = (Value::Null, json!({ "neq": "x" }));
        let three = json!({ "name": name, "industry": name, "country": name });
        let nested = json!({ "contactsSome": { "company": {} } });
        let both = json!({ "contactsSome": {}, "opportunitiesSome": {} });
        let four = json!({ "industry": { "in": ["1", "2", "3", "4"] } });
        let (eleven, long) = (
            json!({ "and": relations(11) }),
            json!({ "industry": { "in": vec!["x"; 101] } }),
        );
        for filter in [&three, &nested, &both, &four, &levels(4)] {
            assert_eq!(code(filter).await.0, none, "{filter}");
        }
        assert_eq!(code(&levels(5)).await.0, "FILTER_TOO_DEEP");
        assert_eq!(code(&eleven).await.0, "TOO_MANY_RELATIONS");
        assert_eq!(code(&long).await.0, "TOO_MANY_VALUES");
        plans::put(world, Some("small")).await.expect("a plan");
        for (filter, refused, field) in [
            (&three, "TOO_MANY_CONDITIONS", "filter"),
            (&nested, "FILTER_TOO_DEEP", "filter"),
            (&both, "TOO_MANY_RELATIONS", "filter"),
            (&four, "TOO_MANY_VALUES", "filter.industry.in"),
            (&levels(3), "FILTER_TOO_DEEP", "filter"),
        ] {
            assert_eq!(code(filter).await, (json!(refused), json!(field)));
        }
        plans::put(world, Some("large")).await.expect("a plan");
        assert_eq!(code(&eleven).await.0, none);
        assert_eq!(code(&long).await.0, none);
    });
}
