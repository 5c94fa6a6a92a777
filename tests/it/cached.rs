//! The response cache: the same for all who see the same, for nobody else, never older than the question, and no fault of
//! Redis makes them so. All other tests run against a server that keeps all it can as well.

use std::{collections::HashMap, sync::Arc};

use chrono::DateTime;
use dealgraph::{
    access::{Actor, Membership, RecordKind, Rights, Role, Sensitive, Subject},
    tools::dev::redis::Redis,
};
use fastrand::Rng;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, raw_sql};

use crate::{
    defaults::served::Served,
    events::open_data,
    harness::{A, Answer, B, Client, Who, World, global_id, test},
    live::{
        rule::{MEMBERS, TABLES, shown, shuffle, team},
        seed,
    },
};

/// What all of it follows from records.
const DOCUMENTS: [&str; 9] = [
    "{ opportunities(first: 50) { nodes { id name amount { amountMinor } stage { name } owner { name } can { update delete } } } }",
    "{ companies(first: 50) { totalCount nodes { id name contacts(first: 5) { nodes { id email } } opportunities { totalCount } } } }",
    "{ contacts(first: 50, filter: { company: { name: { startsWith: \"A\" } } }) { nodes { id name phone company { name } } } }",
    "{ leads(first: 50) { nodes { id name email estimatedAmount { amountMinor } owner { id name } } } }",
    "{ activities(first: 50) { nodes { id subject targets { __typename } owner { name } } } }",
    "{ pipelines(first: 2) { nodes { name stages { nodes { name opportunities(first: 5) { nodes { id boardPosition } } } } } } }",
    "{ teams { nodes { name parent { name } } } }",
    "{ eventCursor opportunities(first: 5) { nodes { id version } } }",
    "{ products(first: 50) { nodes { id name unitPrice { amountMinor } can { update delete } } } }",
];

fn status(answer: &Answer) -> &str {
    let status = answer.headers.get("cache-status");
    status.map_or("", |status| status.to_str().expect("text"))
}

fn rename(n: u32, name: &str) -> String {
    let id = global_id("opportunity", A.uuid("opportunity", n));
    format!(
        "mutation {{ opportunityUpdate(input: {{ id: \"{id}\", name: \"{name}\" }}) {{ opportunity {{ version }} userErrors {{ code }} }} }}"
    )
}

#[test]
fn an_answer_is_kept_for_those_who_see_the_same_and_for_nobody_else() {
    test(async |world| {
        for document in DOCUMENTS {
            let mut first_of_all = true;
            for who in Who::ROLES {
                let client = world.a(who);
                let first = client.send(document, json!({})).await;
                let (second, statements) = world
                    .statements
                    .during(client.send(document, json!({})))
                    .await;
                let anew = client.ask_anew(document).await;
                assert_eq!(status(&anew), "Dealgraph; fwd=request");
                assert_eq!((first.data(), second.data()), (anew.data(), anew.data()));
                assert_eq!(status(&second), "Dealgraph; hit", "{document} for {who:?}");
                let counters = statements.iter().all(|sql| sql.contains("FROM tenant_seq"));
                assert!(counters, "asked again: {statements:?}");
                if first_of_all {
                    assert_eq!(status(&first), "Dealgraph; fwd=uri-miss; stored");
                }
                first_of_all = false;
            }
            let other = world.b(Who::Admin).send(document, json!({})).await;
            assert_eq!(
                status(&other),
                "Dealgraph; fwd=uri-miss; stored",
                "{document}"
            );
        }
    });
}

#[test]
fn a_hit_costs_a_point_and_says_what_it_is_when_asked() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let body = json!({ "query": DOCUMENTS[0], "extensions": { "cache": true } });
        let send = async || {
            let sent = body.to_string();
            let answer = admin.send_request(admin.post().json(&body), &sent).await;
            answer.body["extensions"].clone()
        };
        let (miss, hit) = (send().await, send().await);
        // As docs/caching.md shows it.
        let cache_status = |status, age| json!({ "status": status, "reason": null, "age": age });
        assert_eq!(miss["cache"], cache_status("MISS", Value::Null));
        assert_eq!(hit["cache"], cache_status("HIT", json!(0)));
        assert!(miss["cost"]["actual"].as_u64() > Some(1));
        assert_eq!(hit["cost"]["actual"], 1);
        let quiet = admin.send(DOCUMENTS[0], json!({})).await;
        assert!(quiet.body["extensions"].get("cache").is_none());
        let viewer = admin.send("{ viewer { id } }", json!({})).await;
        assert_eq!(
            status(&viewer),
            "Dealgraph; fwd=bypass; detail=DEPENDENCIES"
        );
        let write = admin.send(&rename(1, "Written"), json!({})).await;
        assert_eq!(status(&write), "", "only queries have to do with it");
    });
}

#[test]
fn what_is_asked_a_hundred_times_at_once_is_worked_out_once() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let document = "{ companies(first: 50) { totalCount nodes { id name } } }";
        let asks = (0..100).map(|_| admin.send(document, json!({})));
        let (answers, statements) = world.statements.during(join_all(asks)).await;
        let lists = statements
            .iter()
            .filter(|sql| sql.contains("FROM companies t"));
        assert_eq!(lists.count(), 2, "a page and its count: {statements:?}");
        let first = answers[0].data();
        assert!(answers.iter().all(|answer| answer.data() == first));
        let made = answers
            .iter()
            .filter(|answer| status(answer).ends_with("stored"));
        assert_eq!(made.count(), 1);
    });
}

#[test]
fn attempts_on_others_records_are_noted_each_time() {
    test(async |world| {
        let id = global_id("company", B.uuid("company", 1));
        let document =
            format!("{{ companies(filter: {{ id: {{ eq: \"{id}\" }} }}) {{ nodes {{ id }} }} }}");
        let manager = world.a(Who::Manager);
        for _ in 0..2 {
            let answer = manager.send(&document, json!({})).await;
            assert_eq!(status(&answer), "Dealgraph; fwd=uri-miss", "not kept");
        }
    });
}

async fn get(client: &Client<'_>, document: &str, known: Option<&str>) -> Answer {
    let (world, _) = client.place();
    let mut url = url::Url::parse(&world.socket_url().replace("ws:", "http:")).expect("an address");
    url.query_pairs_mut().append_pair("query", document);
    let mut request = reqwest::Client::new().get(url);
    if let Some(tag) = known {
        request = request.header("if-none-match", tag);
    }
    client.send_request(request, document).await
}

#[test]
fn what_a_client_has_is_not_sent_again() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let header = |answer: &Answer, name: &str| {
            let value = answer.headers.get(name);
            value.map(|value| value.to_str().expect("text").to_owned())
        };
        let first = get(&admin, DOCUMENTS[0], None).await;
        let tag = header(&first, "etag").expect("a tag");
        assert_eq!(
            header(&first, "cache-control").as_deref(),
            Some("private, no-cache")
        );
        assert_eq!(
            header(&first, "vary").as_deref(),
            Some("authorization, accept, accept-encoding")
        );
        let again = get(&admin, DOCUMENTS[0], Some(&tag)).await;
        assert_eq!((again.status, &again.body), (304, &json!("")));
        assert_eq!(header(&again, "etag").as_deref(), Some(&*tag));
        let analyst = get(&world.a(Who::Rep), DOCUMENTS[0], Some(&tag)).await;
        assert_eq!(analyst.status, 200, "who sees something else is sent it");
        admin.query(&rename(1, "Another name")).await;
        let changed = get(&admin, DOCUMENTS[0], Some(&tag)).await;
        assert_eq!(changed.status, 200);
        assert_ne!(header(&changed, "etag"), Some(tag));
        let wrong = get(&admin, "{ nothing }", None).await;
        assert_eq!(header(&wrong, "etag"), None);
        assert_eq!(header(&wrong, "cache-control").as_deref(), Some("no-store"));
        let posted = admin.send(DOCUMENTS[0], json!({})).await;
        assert_eq!(
            header(&posted, "cache-control").as_deref(),
            Some("no-store")
        );
    });
}

#[test]
fn all_of_a_visibility_class_are_shown_the_same_by_postgres() {
    test(async |world: &World| {
        let seed = seed();
        let mut rng = Rng::with_seed(seed);
        let mut superuser = world.database.superuser().await;
        let ends = DateTime::from_timestamp(4_000_000_000, 0).expect("a year before 2100");
        let mut pairs = 0;
        for round in 0..8 {
            shuffle(&mut rng, &mut superuser).await;
            let mut seen: HashMap<String, (Arc<Actor>, Vec<_>)> = HashMap::new();
            // A few sets of permissions, or hardly two people would be of one class.
            let sets: Vec<Vec<String>> = (0..12).map(|_| readable(&mut rng)).collect();
            for _ in 0..80 {
                let permissions = &sets[rng.usize(..sets.len())];
                let masks: &[Sensitive] = match rng.bool() {
                    true => &[Sensitive::Amounts],
                    false => &[],
                };
                let membership = Membership {
                    rights: Arc::new(
                        Rights::parse(permissions, masks).expect("permissions to read"),
                    ),
                    ..Membership::of(A.tenant(), Role::Custom, team(&mut rng))
                };
                let user = A.user(MEMBERS[rng.usize(..MEMBERS.len())]);
                let actor = Arc::new(Actor::new(Subject::Person(user, None), membership, ends));
                let mut rows = Vec::new();
                for table in TABLES.map(|(kind, id)| (kind.word(), id)) {
                    rows.push(shown(&world.db, &actor, table).await);
                }
                let class = actor.reading_class().text().to_owned();
                match seen.get(&class) {
                    None => {
                        seen.insert(class, (actor, rows));
                    }
                    Some((other, known)) => {
                        pairs += usize::from(other.subject != actor.subject);
                        assert_eq!(
                            *known, rows,
                            "SEED={seed} round {round}: {other:?} and {actor:?}"
                        );
                    }
                }
            }
        }
        assert!(pairs > 20, "there are people of one class: {pairs}");
    });
}

/// Permissions to read some tables, each in some scope.
fn readable(rng: &mut Rng) -> Vec<String> {
    let scoped = |(kind, _): &(RecordKind, _)| {
        let scope = ["none", "all", "all", "all", "all", "own", "team"][rng.usize(..7)];
        (scope != "none").then(|| format!("{}:read:{scope}", kind.word()))
    };
    TABLES.iter().filter_map(scoped).collect()
}

/// Both servers' answers and those of the database.
async fn hold(servers: [&Served; 2], token: &str, document: &str) {
    let (truth, _) = servers[0].cached(token, document, "no-store").await;
    for server in servers {
        let (answer, status) = server.cached(token, document, "max-age=0").await;
        assert_eq!(answer, truth, "{status} {document}");
    }
}

#[test]
fn a_write_at_one_server_is_read_at_the_other_whatever_becomes_of_redis() {
    test(async |world| {
        let data = open_data().await;
        let mut redis = Some(Redis::start(&data, &|_| {}).await.expect("a Redis"));
        let url = redis.as_ref().map(Redis::url);
        let serve = || Served::caching(&world.database, Arc::clone(&world.tokens), url.clone());
        let (one, two) = (serve().await, serve().await);
        let admin = world.a(Who::Admin);
        let token = admin.token().expect("a token");

        let (first, status) = one.cached(token, DOCUMENTS[1], "max-age=0").await;
        assert!(status.ends_with("stored"), "{status}");
        // Left in Redis without anybody waiting for it.
        let shared = async {
            loop {
                let (again, status) = two.cached(token, DOCUMENTS[1], "max-age=0").await;
                assert_eq!(first, again);
                two.cached(token, &rename(9, "No such deal"), "no-store")
                    .await;
                if status == "Dealgraph; hit" {
                    return;
                }
                one.cached(token, DOCUMENTS[1], "no-cache").await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), shared)
            .await
            .expect("the other server finds it");

        for round in 0..60_u32 {
            match round {
                15 => everything(&url, "FLUSHALL").await,
                // Full: it refuses to write.
                25 => everything(&url, "CONFIG SET maxmemory 1").await,
                35 => everything(&url, "CONFIG SET maxmemory 0").await,
                40 => redis.take().expect("it runs").stop().await,
                50 => redis = Some(Redis::start(&data, &|_| {}).await.expect("it starts again")),
                _ => {}
            }
            let (writer, reader) = if round % 2 == 0 {
                (&one, &two)
            } else {
                (&two, &one)
            };
            let name = format!("Round {round}");
            writer
                .cached(token, &rename(1 + round % 3, &name), "no-store")
                .await;
            let (answer, status) = reader.cached(token, DOCUMENTS[0], "max-age=0").await;
            assert!(answer.to_string().contains(&name), "{status} {answer}");
            hold(
                [&one, &two],
                token,
                DOCUMENTS[round as usize % DOCUMENTS.len()],
            )
            .await;
        }
        one.stop().await;
        two.stop().await;
        if let Some(redis) = redis {
            redis.stop().await;
        }
        // Each server has come upon what the other kept of an earlier state, and on a Redis that was away.
        assert_eq!(world.logs.errors(), [""; 0]);
    });
}

#[test]
fn who_says_so_is_answered_with_what_was_true_a_moment_ago_and_nobody_else_is() {
    test(async |world| {
        let serve = || Served::caching(&world.database, Arc::clone(&world.tokens), None);
        let (one, two) = (serve().await, serve().await);
        let [admin, rep] = [Who::Admin, Who::Rep].map(|who| world.a(who));
        let (token, other) = (admin.token().expect("a token"), rep.token().expect("one"));
        let ask = async |token: &str, how: &str| {
            let (answer, status) = one.cached(token, DOCUMENTS[0], how).await;
            (answer.to_string().contains("Not yet seen"), status)
        };
        let kept = (false, "Dealgraph; hit".to_owned());
        ask(token, "max-age=60").await;
        two.cached(token, &rename(1, "Not yet seen"), "no-store")
            .await;
        assert_eq!(
            ask(token, "max-age=60").await,
            kept,
            "it was true a moment ago"
        );
        let body = json!({ "query": DOCUMENTS[0], "extensions": { "cache": true } });
        let answer = one.post(Some(token), &body).await;
        assert_eq!(answer["extensions"]["cache"]["status"], "MISS", "{answer}");
        assert!(ask(token, "max-age=0").await.0, "now is now");
        // What is known of the tenant is newer by now, for all members of it.
        assert!(ask(token, "max-age=60").await.0);

        ask(other, "max-age=60").await;
        two.cached(token, &rename(1, "Seen"), "no-store").await;
        let (answer, _) = one.cached(other, DOCUMENTS[0], "max-age=60").await;
        let (truth, _) = one.cached(other, DOCUMENTS[0], "no-store").await;
        let ids = |answer: &Value| -> Vec<Value> {
            let nodes = answer["opportunities"]["nodes"].as_array();
            nodes.map_or(Vec::new(), |nodes| {
                nodes.iter().map(|node| node["id"].clone()).collect()
            })
        };
        assert_eq!(ids(&answer), ids(&truth), "by one's own rights");
        one.stop().await;
        two.stop().await;
    });
}

async fn everything(url: &Option<String>, command: &str) {
    let client = redis::Client::open(url.as_deref().expect("a Redis")).expect("its address");
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("it answers");
    let mut words = command.split(' ');
    let mut command = redis::cmd(words.next().expect("a command"));
    words.for_each(|word| {
        command.arg(word);
    });
    () = command
        .query_async(&mut connection)
        .await
        .expect("it obeys");
}

#[test]
fn what_others_write_into_redis_is_not_believed() {
    test(async |world| {
        let data = open_data().await;
        let redis = Redis::start(&data, &|_| {}).await.expect("a Redis");
        let serve = || {
            Served::caching(
                &world.database,
                Arc::clone(&world.tokens),
                Some(redis.url()),
            )
        };
        let token = world.a(Who::Admin);
        let token = token.token().expect("a token");
        let one = serve().await;
        let (truth, _) = one.cached(token, DOCUMENTS[0], "max-age=0").await;
        let client = redis::Client::open(redis.url()).expect("its address");
        let mut connection = client
            .get_multiplexed_async_connection()
            .await
            .expect("it answers");
        let keys = async |connection: &mut redis::aio::MultiplexedConnection| -> Vec<Vec<u8>> {
            let mut keys = redis::cmd("KEYS");
            keys.arg("dealgraph:answer:*")
                .query_async(connection)
                .await
                .expect("it obeys")
        };
        let mut found = Vec::new();
        while found.is_empty() {
            found = keys(&mut connection).await;
        }
        let name = truth["opportunities"]["nodes"][0]["name"]
            .as_str()
            .expect("a name");
        for key in found {
            let kept: Vec<u8> = redis::cmd("GET")
                .arg(&key)
                .query_async(&mut connection)
                .await
                .expect("it obeys");
            let reads = |text: &str| kept.windows(text.len()).any(|part| part == text.as_bytes());
            assert!(!reads(name), "what is kept in Redis can be read there");
            let mut changed = kept;
            *changed.last_mut().expect("some bytes") ^= 1;
            () = redis::cmd("SET")
                .arg(&key)
                .arg(changed)
                .query_async(&mut connection)
                .await
                .expect("it obeys");
        }
        let two = serve().await;
        let (answer, status) = two.cached(token, DOCUMENTS[0], "max-age=0").await;
        assert_eq!(
            (answer, status.as_str()),
            (truth, "Dealgraph; fwd=uri-miss; stored")
        );
        let alarms = world.logs.errors();
        assert_eq!(alarms.len(), 1, "{alarms:?}");
        assert!(
            alarms[0].contains("a cached entry can't be decrypted"),
            "{alarms:?}"
        );
        one.stop().await;
        two.stop().await;
        redis.stop().await;
    });
}

#[test]
fn what_is_done_by_a_system_login_counts_as_a_change() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let owners = "{ opportunities(first: 50) { nodes { id owner { id name } } } }";
        admin.query(owners).await;
        let renamed = "mutation { viewerUpdate(input: { name: \"Ada the Second\" }) { account { name } userErrors { code } } }";
        let answer: Value = admin.query(renamed).await;
        assert_eq!(answer["viewerUpdate"]["userErrors"], json!([]), "{answer}");
        assert_eq!(
            admin.query(owners).await,
            admin.ask_anew(owners).await.data()
        );
        // A change past the product is not seen until the answer ages; this is what distinguishes the test from one that
        // never hits.
        let sql = format!(
            "UPDATE opportunities SET name = 'past it' WHERE tenant_id = '{}'",
            A.uuid("tenant", 1)
        );
        admin.query(DOCUMENTS[0]).await;
        raw_sql(AssertSqlSafe(sql))
            .execute(&mut world.database.superuser().await)
            .await
            .expect("the superuser writes");
        assert_ne!(
            admin.query(DOCUMENTS[0]).await,
            admin.ask_anew(DOCUMENTS[0]).await.data()
        );
    });
}
