//! Requests are paid for in points: told always, given back where they were not needed, shared by all servers, and no
//! fault of Redis stands in anybody's way.

use std::{sync::Arc, time::Instant};

use dealgraph::{
    cache::Allowance,
    dev::redis::Redis,
    graphql::{
        Spend,
        limits::{Limits, Points},
    },
};
use serde_json::{Value, json};

use crate::{
    defaults::served::Served,
    events::open_data,
    harness::{A, Who, World, global_id, test},
    live::{Socket, act, rename},
};

const BOARD: &str = "{ opportunities(first: 50) { nodes { name owner { name } activities(first: 5) { nodes { subject } } } } }";
const LITTLE: &str = "{ viewer { id } }";

fn limits(person: u64, tenant: u64, spend: Spend) -> Limits {
    let slowly = |burst| Allowance {
        burst,
        per_second: 1,
    };
    Limits {
        points: Points {
            spend,
            of_person: slowly(person),
            of_tenant: slowly(tenant),
        },
        ..Limits::default()
    }
}

async fn served(world: &World, redis: Option<String>, limits: Limits) -> Served {
    Served::within(&world.database, Arc::clone(&world.tokens), redis, limits).await
}

fn cost(answer: &Value, part: &str) -> u64 {
    let cost = &answer["extensions"]["cost"][part];
    cost.as_u64()
        .unwrap_or_else(|| panic!("no {part} in {answer}"))
}

#[test]
fn every_answer_says_what_it_cost_and_what_is_left() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let answer = admin.send(BOARD, json!({})).await;
        let deals = answer.data()["opportunities"]["nodes"]
            .as_array()
            .map_or(0, Vec::len);
        assert_eq!(
            cost(&answer.body, "requested"),
            351,
            "as docs/limits.md has it"
        );
        let objects = answer.body["data"].to_string().matches('{').count() as u64;
        assert_eq!(cost(&answer.body, "actual"), objects + 1, "what it came to");
        assert!(deals > 0 && objects < 350);
        let (limit, remaining) = (cost(&answer.body, "limit"), cost(&answer.body, "remaining"));
        assert_eq!((limit, cost(&answer.body, "restoreRate")), (100_000, 5_000));
        let header = |name: &str| answer.headers[name].to_str().expect("text").to_owned();
        assert_eq!(header("ratelimit-limit"), limit.to_string());
        assert_eq!(header("ratelimit-remaining"), remaining.to_string());
        let until_full = (limit - remaining).div_ceil(5_000);
        assert_eq!(header("ratelimit-reset"), until_full.to_string());

        let whole = admin
            .send(
                "{ opportunities(first: 50) { nodes { name name owner { name } } } }",
                json!({}),
            )
            .await;
        let objects = whole.body["data"].to_string().matches('{').count() as u64;
        assert_eq!(
            cost(&whole.body, "actual"),
            objects + 1,
            "by the executor too"
        );
        let asked = "{ viewer { rateLimit { limit remaining restoreRate } tenant { rateLimit { limit } } } }";
        let told = &admin.query(asked).await["viewer"];
        assert_eq!(told["rateLimit"]["limit"], json!(100_000));
        assert_eq!(told["tenant"]["rateLimit"]["limit"], json!(1_000_000));

        let write = "mutation { companyCreate(input: { name: \"A\" }) { company { id } userErrors { code } } }";
        let written = admin.send(write, json!({})).await;
        assert!(
            cost(&written.body, "requested") >= 11,
            "a write costs more than its answer"
        );
        let nobody = world.stranger(None).send(LITTLE, json!({})).await;
        assert_eq!((nobody.status, nobody.body.get("extensions")), (401, None));
    });
}

#[test]
fn a_request_dearer_than_the_bucket_takes_all_of_it_and_gives_no_more_back() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let token = admin.token().expect("a token");
        let server = served(world, None, limits(60, 10_000, Spend::Enforce)).await;
        let (status, answer) = server.ask(token, BOARD).await;
        assert_eq!(status, 200, "{answer}");
        let (actual, left) = (cost(&answer, "actual"), cost(&answer, "remaining"));
        assert!(cost(&answer, "requested") > 60 && actual > 1, "{answer}");
        assert!(left <= 60_u64.saturating_sub(actual) + 1, "{answer}");
        assert_eq!(
            server.ask(token, BOARD).await.0,
            429,
            "it is not full again"
        );
        server.stop().await;
    });
}

#[test]
fn who_has_nothing_left_is_refused_and_nobody_else_is() {
    test(async |world| {
        let [ada, bob] = [Who::Admin, Who::Manager].map(|who| world.a(who));
        let (ada, bob) = (ada.token().expect("a token"), bob.token().expect("a token"));
        let server = served(world, None, limits(800, 10_000, Spend::Enforce)).await;
        let mut answered = 0;
        let refused = loop {
            let (status, answer) = server.ask(ada, BOARD).await;
            if status != 200 {
                break (status, answer);
            }
            answered += 1;
            assert!(answered < 100, "there is an end");
        };
        assert!(answered > 1, "what was not needed came back");
        assert_eq!(refused.0, 429);
        assert_eq!(refused.1["errors"][0]["extensions"]["code"], "RATE_LIMITED");
        assert_eq!(
            server.ask(ada, LITTLE).await.0,
            200,
            "less can be asked for"
        );
        assert_eq!(
            server.ask(bob, BOARD).await.0,
            200,
            "another has points of their own"
        );
        server.stop().await;

        let server = served(world, None, limits(100_000, 360, Spend::Enforce)).await;
        while server.ask(ada, BOARD).await.0 == 200 {}
        assert_eq!(
            server.ask(bob, BOARD).await.0,
            429,
            "the tenant has no more"
        );
        let other = world.b(Who::Admin);
        let other = other.token().expect("a token");
        assert_eq!(server.ask(other, BOARD).await.0, 200, "another tenant has");
        server.stop().await;

        let server = served(world, None, limits(400, 400, Spend::Measure)).await;
        let mut left = 400;
        for _ in 0..20 {
            let (status, answer) = server.ask(ada, BOARD).await;
            assert_eq!((status, cost(&answer, "limit")), (200, 400), "only told");
            left = cost(&answer, "remaining");
        }
        assert!(left < 351, "what was not taken does not come back: {left}");
        server.stop().await;
    });
}

#[test]
fn servers_share_the_points_and_go_on_by_themselves_without_redis() {
    test(async |world| {
        let data = open_data().await;
        let redis = Redis::start(&data, &|_| {}).await.expect("a Redis");
        let ada = world.a(Who::Admin);
        let ada = ada.token().expect("a token");
        let few = || limits(2_000, 1_000_000, Spend::Enforce);
        let one = served(world, Some(redis.url()), few()).await;
        let two = served(world, Some(redis.url()), few()).await;
        while one.ask(ada, BOARD).await.0 == 200 {}
        let mut more = 0;
        while two.ask(ada, BOARD).await.0 == 200 {
            more += 1;
            assert!(more < 20, "the second server has a bucket of its own");
        }
        redis.stop().await;
        let (status, answer) = two.ask(ada, LITTLE).await;
        assert!(status == 200 || status == 429, "{answer}");
        let bob = world.a(Who::Manager);
        let bob = bob.token().expect("a token");
        for _ in 0..3 {
            assert_eq!(
                one.ask(bob, BOARD).await.0,
                200,
                "without Redis each counts by itself"
            );
        }
        one.stop().await;
        two.stop().await;
    });
}

#[test]
fn a_subscription_pays_when_it_is_asked_for_and_not_for_being_interrupted() {
    test(async |world| {
        let document = "subscription { opportunityEvents { kind opportunity { activities(first: 20) { nodes { id } } } } }";
        let server = served(world, None, limits(100, 100_000, Spend::Enforce)).await;
        let began = Instant::now();
        let analyst = world.a(Who::Analyst);
        let token = analyst.token().expect("a token");
        let left = async || cost(&server.ask(token, LITTLE).await.1, "remaining");
        let mut socket = Socket::at(&server.socket_url(), token).await;
        socket.subscribe("1", document, json!({})).await;
        let before = left().await;
        let restored = began.elapsed().as_secs() + 1;
        assert!(
            (60..80 + restored).contains(&before),
            "{before} of 100 are left"
        );
        for round in 0..3 {
            // Whoever is in the tenant may have other rights by that.
            let input = json!({ "id": global_id("team", A.uuid("team", 1)), "name": format!("West {round}") });
            act(&world.a(Who::Admin), "teamUpdate", input).await;
            rename(&world.a(Who::Admin), 1, &format!("Round {round}")).await;
            assert_eq!(socket.change("1").await["kind"], "UPDATED");
        }
        let spent = before - left().await.min(before);
        assert!(spent < 20, "{spent} points for going on");

        let mut id = 1;
        let refused = loop {
            id += 1;
            socket.ask(&id.to_string(), document, json!({})).await;
            let answer = socket.message(&id.to_string()).await;
            if answer["type"] == "error" {
                break answer;
            }
            assert!(id < 6, "100 points are enough for four");
        };
        let extensions = &refused["payload"][0]["extensions"];
        assert_eq!(extensions["code"], "RATE_LIMITED", "{refused}");
        assert!(extensions["retryAfter"].as_u64() > Some(0), "{refused}");
        server.stop().await;
    });
}
