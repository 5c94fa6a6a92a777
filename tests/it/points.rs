//! Requests are paid for in points: reported always, given back where they were not needed, shared by all servers, and no
//! fault of Redis stands in anybody's way.

use std::{sync::Arc, time::Instant};

use dealgraph::{
    api::{
        Spend,
        limits::{Limits, Points},
    },
    platform::redis::Allowance,
    tools::dev::redis::Redis,
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
            471,
            "as docs/limits.md has it"
        );
        let objects = answer.body["data"].to_string().matches('{').count() as u64;
        assert_eq!(
            cost(&answer.body, "actual"),
            objects + 1 + 3 * 40,
            "what it came to, and two lists and a link"
        );
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
            objects + 1 + 2 * 40,
            "by the executor too"
        );
        let asked = "{ viewer { rateLimit { limit remaining restoreRate } tenant { rateLimit { limit } } } }";
        let viewer = &admin.query(asked).await["viewer"];
        assert_eq!(viewer["rateLimit"]["limit"], json!(100_000));
        assert_eq!(viewer["tenant"]["rateLimit"]["limit"], json!(1_000_000));

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

        let server = served(world, None, limits(100_000, 480, Spend::Enforce)).await;
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

        let server = served(world, None, limits(520, 520, Spend::Measure)).await;
        let mut left = 520;
        for _ in 0..20 {
            let (status, answer) = server.ask(ada, BOARD).await;
            assert_eq!(
                (status, cost(&answer, "limit")),
                (200, 520),
                "only measured"
            );
            left = cost(&answer, "remaining");
        }
        assert!(left < 471, "what was not taken does not come back: {left}");
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
        let server = served(world, None, limits(420, 100_000, Spend::Enforce)).await;
        let began = Instant::now();
        let analyst = world.a(Who::Analyst);
        let token = analyst.token().expect("a token");
        let left = async || cost(&server.ask(token, LITTLE).await.1, "remaining");
        let mut socket = Socket::at(&server.socket_url(), token).await;
        socket.subscribe("1", document, json!({})).await;
        let before = left().await;
        let restored = began.elapsed().as_secs() + 1;
        assert!(
            (300..320 + restored).contains(&before),
            "{before} of 420 are left"
        );
        for round in 0..3 {
            // Members of the tenant may have other rights by that.
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
            assert!(id < 6, "420 points are enough for four");
        };
        let extensions = &refused["payload"][0]["extensions"];
        assert_eq!(extensions["code"], "RATE_LIMITED", "{refused}");
        assert!(extensions["retryAfter"].as_u64() > Some(0), "{refused}");
        server.stop().await;
    });
}

#[test]
fn coming_back_is_paid_for_like_coming() {
    test(async |world| {
        // Twelve times 103 points, and what comes back meanwhile is less than once more.
        let document = "subscription { opportunityEvents { kind opportunity { activities(first: 20) { nodes { id } } } } }";
        let server = served(world, None, limits(12 * 103, 100_000, Spend::Enforce)).await;
        let analyst = world.a(Who::Analyst);
        let token = analyst.token().expect("a token");
        let cursor = world.a(Who::Admin).query("{ eventCursor }").await["eventCursor"].clone();
        let mut open = Vec::new();
        let mut refused = 0;
        let http = reqwest::Client::new();
        for _ in 0..20 {
            let answer = http
                .post(server.url())
                .json(&json!({ "query": document }))
                .header("accept", "text/event-stream")
                .header("last-event-id", cursor.as_str().expect("a cursor"))
                .bearer_auth(token)
                .send()
                .await
                .expect("the server answers");
            match answer.status().as_u16() {
                200 => open.push(answer),
                429 => {
                    assert!(answer.headers().contains_key("retry-after"));
                    let error: Value = answer.json().await.expect("JSON");
                    assert_eq!(error["errors"][0]["extensions"]["code"], "RATE_LIMITED");
                    refused += 1;
                }
                status => panic!("{status}"),
            }
        }
        assert_eq!((open.len(), refused), (12, 8));
        drop(open);
        server.stop().await;
    });
}

#[test]
fn what_was_missed_is_paid_for_event_by_event() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let cursor = admin.query("{ eventCursor }").await["eventCursor"].clone();
        for round in 0..60 {
            rename(&admin, 1, &format!("Round {round}")).await;
        }
        let document = "subscription($after: EventCursor, $filter: OpportunityFilter) {
            opportunityEvents(after: $after, filter: $filter) { kind version opportunity { name } } }";
        let server = served(world, None, limits(90, 100_000, Spend::Enforce)).await;
        let analyst = world.a(Who::Analyst);
        let mut socket = Socket::at(&server.socket_url(), analyst.token().expect("a token")).await;
        socket.ask("1", document, json!({ "after": cursor })).await;
        let mut received = Vec::new();
        let error = loop {
            let message = socket.message("1").await;
            if message["type"] == "error" {
                break message["payload"][0]["extensions"].clone();
            }
            let version = message["payload"]["data"]["opportunityEvents"]["version"].as_u64();
            received.push(version.expect("a version"));
        };
        assert!(
            (10..40).contains(&received.len()),
            "{received:?} are delivered for 90 points"
        );
        assert_eq!(error["code"], "RATE_LIMITED");
        assert!(error["retryAfter"].as_u64() > Some(0), "{error}");
        server.stop().await;

        // From there on it goes on, with nothing lost and nothing twice.
        let mut socket = Socket::open(&analyst).await;
        let rest = json!({ "after": error["cursor"] });
        socket.ask("1", document, rest).await;
        while received.len() < 60 {
            let version = socket.change("1").await["version"].as_u64();
            received.push(version.expect("a version"));
        }
        assert!(
            received.is_sorted_by(|one, next| one + 1 == *next),
            "{received:?}"
        );

        // What is read and not delivered costs its part too.
        let server = served(world, None, limits(280, 100_000, Spend::Enforce)).await;
        let token = analyst.token().expect("a token");
        let left = async || cost(&server.ask(token, LITTLE).await.1, "remaining");
        let mut socket = Socket::at(&server.socket_url(), token).await;
        let nothing =
            json!({ "after": cursor, "filter": { "name": { "eq": "None is called so" } } });
        socket.subscribe("1", document, nothing).await;
        let left = left().await;
        assert!((100..150).contains(&left), "{left} of 280 are left");
        server.stop().await;
    });
}

#[test]
fn a_board_by_stage_costs_as_much_as_there_are_stages() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let board = "{ pipelines(first: 1) { nodes { id stages { nodes { name opportunities(first: 100) { nodes { id } } } } } } }";
        let answer = admin.send(board, json!({})).await;
        let pipeline = answer.data()["pipelines"]["nodes"][0].clone();
        let most = async || {
            let all = admin.query("{ pipelines(first: 100, includeArchived: true) { nodes { stages { nodes { id } } } } }").await;
            let pipelines = all["pipelines"]["nodes"].as_array().expect("nodes");
            let stages =
                |pipeline: &Value| pipeline["stages"]["nodes"].as_array().map_or(0, Vec::len);
            pipelines.iter().map(stages).max().unwrap_or(0) as u64
        };
        let before = most().await;
        // Each of the three lists costs 40 beside its objects.
        assert_eq!(cost(&answer.body, "requested"), 2 + 3 * 40 + before * 101);

        // Within a limit that just takes it, and not with a stage more.
        let exactly = usize::try_from(1 + before * 101).expect("a number");
        let within = Limits {
            nodes: exactly,
            ..Limits::default()
        };
        let server = served(world, None, within).await;
        let token = admin.token().expect("a token");
        let (status, body) = server.ask(token, board).await;
        assert_eq!(status, 200, "{body}");
        for n in 0..=before {
            let input = json!({ "pipelineId": pipeline["id"], "name": format!("One more {n}"), "kind": "OPEN", "probability": 10 });
            act(&admin, "stageCreate", input).await;
        }
        let after = most().await;
        assert!(after > before);
        let (_, body) = server.ask(token, board).await;
        assert_eq!(
            body["errors"][0]["extensions"]["code"], "TOO_MANY_NODES",
            "{body}"
        );
        let answer = admin.send(board, json!({})).await;
        assert_eq!(cost(&answer.body, "requested"), 2 + 3 * 40 + after * 101);
        server.stop().await;
    });
}
