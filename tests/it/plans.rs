//! Limits by plan: the operator puts a tenant on one, and from then on its requests are held against the plan's limits,
//! all others' against the usual ones.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use dealgraph::{
    api::{Plan, limits::Limits},
    organization::tenants::command::TenantCommand,
    tools::app::Serving,
};
use serde_json::{Value, json};

use crate::{
    defaults::served::Served,
    harness::{Who, World, test},
    tenants::{operate, slug},
};

const PLANS: &str = r#"{
    "small": {
        "bodyBytes": 700, "tokens": 60, "depth": 5, "aliases": 2, "rootFields": 2, "directives": 1,
        "pageRows": 30, "nodes": 100, "personPoints": 300, "personPointsPerSecond": 1
    },
    "large": { "depth": 14, "nodes": 20000 }
}"#;

/// What is refused on the small plan and answered on the usual one, with its code.
const TOO_MUCH: [(&str, &str); 7] = [
    (
        "SELECTED_TOO_DEEP",
        "{ companies(first: 1) { nodes { opportunities(first: 1) { nodes { stage { name } } } } } }",
    ),
    (
        "TOO_MANY_ALIASES",
        "{ a: viewer { id } b: viewer { id } ...on Query { c: __typename } }",
    ),
    (
        "TOO_MANY_ROOT_FIELDS",
        "{ __typename viewer { id } roles { nodes { id } } }",
    ),
    (
        "TOO_MANY_DIRECTIVES",
        "{ viewer { id @skip(if: false) tenant { id @include(if: true) } } }",
    ),
    ("PAGE_TOO_LARGE", "{ contacts(first: 31) { nodes { id } } }"),
    (
        "TOO_MANY_NODES",
        "{ contacts(first: 30) { nodes { company { id } activities(first: 3) { nodes { id } } } } }",
    ),
    (
        "TOO_MANY_TOKENS",
        "{ viewer { id id id id id id id id id id id id id id id id id id id id id id id id id id id id id id id id id \
         id id id id id id id id id id id id id id id id id id id id id id id id id id } }",
    ),
];
/// Deeper than the usual limit.
const DEEP: &str = "{ companies(first: 1) { nodes { opportunities(first: 1) { nodes { company { \
    opportunities(first: 1) { nodes { company { opportunities(first: 1) { nodes { company { owner { id \
    } } } } } } } } } } } } }";

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"]
        .as_str()
        .unwrap_or("none")
}

async fn serving(world: &World) -> Served {
    let serving = Serving {
        plans: Plan::parse_all(PLANS.as_bytes()).expect("plans"),
        ..Serving::default()
    };
    let tokens = Arc::clone(&world.tokens);
    Served::open(&world.database, tokens, None, (Limits::default(), serving)).await
}

/// Puts the tenant on a plan; servers hear of it within a second.
pub(crate) async fn put(world: &World, plan: Option<&str>) -> Result<String, String> {
    let (slug, plan) = (slug(world).await, plan.map(str::to_owned));
    let said = operate(world, TenantCommand::SetPlan { slug, plan }).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    said
}

#[test]
fn a_plan_decides_what_its_tenant_may_ask_for_and_nobody_else() {
    test(async |world| {
        let server = serving(world).await;
        let (ours, theirs) = (world.a(Who::Admin), world.b(Who::Admin));
        let (ours, theirs) = (ours.token().expect("a token"), theirs.token());
        for (refusal, document) in TOO_MUCH {
            let (status, answer) = server.ask(ours, document).await;
            assert_eq!(
                (status, code(&answer)),
                (200, "none"),
                "{refusal}: {answer}"
            );
        }
        let said = put(world, Some("small")).await.expect("a plan");
        assert!(said.ends_with(": small\n"), "{said}");
        for (refusal, document) in TOO_MUCH {
            let (status, answer) = server.ask(ours, document).await;
            assert_eq!((status, code(&answer)), (400, refusal), "{document}");
            let answer = server.send(theirs, document, &json!({})).await;
            assert_eq!(code(&answer), "none", "{refusal} for another tenant");
        }
        let long =
            json!({ "query": "{ viewer { id } }", "variables": { "unused": "x".repeat(800) } });
        assert_eq!(
            code(&server.post(Some(ours), &long).await),
            "BODY_TOO_LARGE"
        );
        assert_eq!(code(&server.post(theirs, &long).await), "none");

        let document = "{ viewer { rateLimit { limit } tenant { plan } } }";
        let small = &server.send(Some(ours), document, &json!({})).await["data"]["viewer"];
        assert_eq!(
            (&small["rateLimit"]["limit"], &small["tenant"]["plan"]),
            (&json!(300), &json!("small"))
        );
        let usual = &server.send(theirs, document, &json!({})).await["data"]["viewer"];
        assert_eq!(
            (&usual["rateLimit"]["limit"], &usual["tenant"]["plan"]),
            (&json!(100_000), &Value::Null)
        );
        server.stop().await;
    });
}

#[test]
fn a_plan_can_allow_more_than_is_usual_and_one_that_no_server_knows_changes_nothing() {
    test(async |world| {
        let server = serving(world).await;
        let admin = world.a(Who::Admin);
        let token = admin.token().expect("a token");
        assert_eq!(code(&server.ask(token, DEEP).await.1), "SELECTED_TOO_DEEP");
        put(world, Some("large")).await.expect("a plan");
        assert_eq!(code(&server.ask(token, DEEP).await.1), "none");
        for plan in [Some("gone"), None] {
            put(world, plan).await.expect("a plan");
            assert_eq!(code(&server.ask(token, DEEP).await.1), "SELECTED_TOO_DEEP");
        }
        for nonsense in ["", "Large", "1st", "a plan", &"x".repeat(41)] {
            let refused = put(world, Some(nonsense)).await;
            let said = refused.expect_err("it is no name");
            assert_eq!(said, "INVALID_PLAN", "{nonsense:?}");
        }
        server.stop().await;
    });
}

#[test]
fn a_subscription_pays_for_its_opening_and_keeps_the_limits_of_its_plan() {
    test(async |world| {
        let server = serving(world).await;
        put(world, Some("small")).await.expect("a plan");
        let admin = world.a(Who::Admin);
        let token = admin.token().expect("a token");
        let left = async || {
            let asked = "{ viewer { rateLimit { remaining } } }";
            let answer = server.send(Some(token), asked, &json!({})).await;
            answer["data"]["viewer"]["rateLimit"]["remaining"]
                .as_i64()
                .expect("a number")
        };
        let large =
            "subscription { contactEvents { contact { activities(first: 31) { nodes { id } } } } }";
        let (status, answer) = server.stream(token, large).await;
        assert_eq!((status, code(&answer)), (400, "PAGE_TOO_LARGE"), "{answer}");

        let document =
            "subscription { contactEvents { contact { activities(first: 30) { nodes { id } } } } }";
        let (before, began) = (left().await, Instant::now());
        assert_eq!(server.stream(token, document).await.0, 200);
        let paid = before - left().await;
        let restored = began.elapsed().as_secs() as i64 + 1;
        // Thirty activities, and the two reads of a contact and its list.
        assert!((110 - restored..140).contains(&paid), "{paid} points");
        let mut opened = 1;
        let refused = loop {
            let (status, answer) = server.stream(token, document).await;
            match status {
                200 if opened < 100 => opened += 1,
                _ => break (status, answer),
            }
        };
        assert_eq!((refused.0, code(&refused.1)), (429, "RATE_LIMITED"));
        assert!(opened < 10, "300 points are enough for {opened}");
        server.stop().await;
    });
}
