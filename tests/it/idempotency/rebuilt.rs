//! A server that dies between its commit and the keeping of its answer: the next request under the key gets the answer,
//! made anew from the record, and nothing is written. For every mutation of the schema.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use dealgraph::api::http::WITHOUT_KEY;
use serde_json::{Value, json};

use super::{Caller, arrange, code, contacts, servers, token};
use crate::{
    budgets::{Mutations, completed},
    defaults::child::{Child, PATIENCE},
    harness::{A, Schema, Who, World, global_id, test},
};

/// As a server leaves it that has died: the claim is over, and there is no answer.
const DIED: &str = "UPDATE idempotency_keys SET answer = NULL, claimed_until = now() - interval '1 s' \
                    WHERE answer IS NOT NULL";

/// What hands something out once, or sends a mail: its answer can't be had a second time.
const LOST: [&str; 11] = [
    "apiKeyCreate",
    "apiKeyRotate",
    "inboundEndpointCreate",
    "inboundEndpointRotate",
    "inboundMessagesReplay",
    "integrationAuthorize",
    "invitationResend",
    "memberInvite",
    "webhookDeliveryResendRange",
    "webhookEndpointCreate",
    "webhookEndpointRotateSecret",
];

/// Those that [`Mutations`] does not have.
fn of_admins() -> Vec<(&'static str, Value)> {
    let team = json!(global_id("team", A.uuid("team", 100)));
    let guest = json!(global_id("invitation", A.uuid("invitation", 1)));
    let job = json!(global_id("job", A.uuid("job", 1)));
    let endpoint = json!(global_id("inboundEndpoint", A.uuid("inboundEndpoint", 1)));
    let message = json!(global_id("inboundMessage", A.uuid("inboundMessage", 1)));
    let account = json!(global_id("integration", A.uuid("integration", 1)));
    let hook = json!(global_id("webhookEndpoint", A.uuid("webhookEndpoint", 1)));
    let delivery = json!(global_id("webhookDelivery", A.uuid("webhookDelivery", 1)));
    let rep = json!(A.user(Who::OtherRep).to_string());
    let successor = json!(A.user(Who::Admin).to_string());
    vec![
        ("teamCreate", json!({ "id": team, "name": "Made" })),
        ("teamUpdate", json!({ "id": team, "name": "Made anew" })),
        ("teamDelete", json!({ "id": team })),
        (
            "memberInvite",
            json!({ "email": "made@a.example", "role": "VIEWER" }),
        ),
        ("invitationResend", json!({ "id": guest })),
        ("invitationRevoke", json!({ "id": guest })),
        (
            "membershipUpdate",
            json!({ "userId": rep, "title": "Closer" }),
        ),
        ("membershipSuspend", json!({ "userId": rep })),
        ("membershipResume", json!({ "userId": rep })),
        (
            "membershipRemove",
            json!({ "userId": rep, "successorId": successor }),
        ),
        ("tenantUpdate", json!({ "locale": "de-CH" })),
        ("jobCancel", json!({ "id": job })),
        ("jobRetry", json!({ "id": job })),
        // Before anybody else answers for the endpoint.
        ("webhookDeliveryResend", json!({ "id": delivery })),
        (
            "inboundEndpointCreate",
            json!({ "name": "Made", "verification": "STANDARD_WEBHOOKS", "handler": "STORE_ONLY" }),
        ),
        (
            "inboundEndpointUpdate",
            json!({ "id": endpoint, "name": "Made anew" }),
        ),
        ("inboundEndpointRotate", json!({ "id": endpoint })),
        (
            "leadFormCreate",
            json!({ "name": "Made", "mapping": [{ "name": "name", "target": "FULL_NAME" }], "duplicates": "CREATE" }),
        ),
        (
            "leadFormUpdate",
            json!({ "id": global_id("leadForm", A.uuid("leadForm", 1)), "name": "Made anew" }),
        ),
        (
            "integrationUpdate",
            json!({ "id": account, "name": "Made anew" }),
        ),
        ("integrationSync", json!({ "id": account })),
        ("integrationPause", json!({ "id": account })),
        ("integrationResume", json!({ "id": account })),
        ("integrationDisconnect", json!({ "id": account })),
        (
            "integrationConnect",
            json!({ "provider": "plain", "apiKey": "made-by-a-test" }),
        ),
        (
            "integrationAuthorize",
            json!({ "provider": "rolodex", "redirectUri": "https://crm.example/back" }),
        ),
        (
            "integrationAuthorizeFinish",
            json!({ "state": "STATE", "code": "CODE" }),
        ),
        ("inboundMessageReplay", json!({ "id": message })),
        (
            "inboundMessagesReplay",
            json!({ "endpointId": endpoint, "from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z" }),
        ),
        (
            "webhookEndpointCreate",
            json!({ "name": "Made", "url": "https://hooks.example/made", "subscriptions": [{ "topic": "LEAD" }] }),
        ),
        (
            "webhookEndpointUpdate",
            json!({ "id": hook, "name": "Made anew" }),
        ),
        ("webhookEndpointPing", json!({ "id": hook })),
        (
            "webhookEndpointReplay",
            json!({ "id": hook, "after": "CURSOR" }),
        ),
        ("webhookEndpointRotateSecret", json!({ "id": hook })),
        (
            "webhookDeliveryResendRange",
            json!({ "webhookEndpointId": hook, "from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z" }),
        ),
        ("webhookEndpointDelete", json!({ "id": hook })),
    ]
}

/// A mutation's document, which asks for all that its payload has of the record itself.
fn document(schema: &Schema, name: &str) -> String {
    let mutation = schema.fields("Mutation").iter();
    let mutation = mutation
        .clone()
        .find(|field| field.name == name)
        .expect("it is in the schema");
    let input = &mutation.argument("input").expect("it has an input").of.name;
    let mut shown = String::new();
    for field in schema.fields(&mutation.of.name) {
        let leaves = schema.fields(&field.of.name).iter();
        let leaves = leaves.filter(|leaf| schema.is_leaf(&leaf.of.name));
        let leaves: Vec<_> = leaves.map(|leaf| leaf.name.as_str()).collect();
        shown += &match leaves.as_slice() {
            [] => format!("{} ", field.name),
            leaves => format!("{} {{ {} }} ", field.name, leaves.join(" ")),
        };
    }
    format!("mutation($input: {input}!) {{ {name}(input: $input) {{ {shown} }} }}")
}

async fn written(world: &World) -> (i64, i64) {
    let mut superuser = world.database.superuser().await;
    let sql = "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM audit_log)";
    let count = sqlx::query_as(sql).fetch_one(&mut superuser).await;
    count.expect("they are counted")
}

#[test]
fn every_mutation_whose_server_died_is_answered_by_another_one_and_not_done_again() {
    test(async |world: &World| {
        let schema = Schema::of_server();
        let (here, there) = servers(world).await;
        let admin = token(world, A, Who::Admin);
        let [first, second] = [&here, &there].map(|server| Caller {
            server,
            token: admin.clone(),
        });
        let client = world.a(Who::Admin);
        let (mut rebuilt, mut lost) = (BTreeSet::new(), BTreeSet::new());
        for (name, input) in Mutations::new().all().into_iter().chain(of_admins()) {
            let input = completed(&client, name, input).await;
            let body = json!({ "query": document(&schema, name), "variables": { "input": input } });
            let (status, is_replayed, answer) = first.send(name, &body).await;
            assert_eq!((status, is_replayed), (200, false), "{name}: {answer}");
            let payload = &answer["data"][name];
            assert_eq!(payload["userErrors"], json!([]), "{name}: {answer}");
            arrange(world, DIED).await;
            let before = written(world).await;
            let (status, is_replayed, again) = second.send(name, &body).await;
            if status == 409 {
                assert_eq!(code(&again), "IDEMPOTENCY_ANSWER_LOST", "{name}: {again}");
                // And once more: nothing keeps the key from those who come after.
                let (status, _, again) = first.send(name, &body).await;
                assert_eq!(
                    (status, code(&again)),
                    (409, "IDEMPOTENCY_ANSWER_LOST"),
                    "{name}: {again}"
                );
                lost.insert(name);
            } else {
                assert_eq!((status, is_replayed), (200, true), "{name}: {again}");
                assert_eq!(again["data"], answer["data"], "{name}");
                rebuilt.insert(name);
            }
            assert_eq!(written(world).await, before, "{name} was done again");
        }
        assert_eq!(lost, BTreeSet::from(LOST));
        let all = schema.fields("Mutation").iter();
        let all = all.map(|field| field.name.as_str());
        let keyed: BTreeSet<_> = all.filter(|name| !WITHOUT_KEY.contains(name)).collect();
        let tried: BTreeSet<_> = rebuilt.union(&lost).copied().collect();
        assert_eq!(tried, keyed, "add it to the mutations that are tried here");
        here.stop().await;
        there.stop().await;
    });
}

#[test]
fn a_rebuilt_answer_shows_the_record_as_it_is_says_so_and_is_kept() {
    test(async |world: &World| {
        let (here, there) = servers(world).await;
        let caller = |server| Caller {
            server,
            token: token(world, A, Who::Admin),
        };
        let (here_is, there_is) = (caller(&here), caller(&there));
        let name = |answer: &Value| answer["data"]["contactCreate"]["contact"]["lastName"].clone();
        here_is.create("k", "First").await;
        arrange(world, DIED).await;
        let rename = "UPDATE contacts SET last_name = 'Renamed' WHERE last_name = 'First'";
        arrange(world, rename).await;
        let (status, headers, answer) = there_is.ask("k", &there_is.creation("First")).await;
        assert_eq!((status, name(&answer)), (200, json!("Renamed")), "{answer}");
        assert_eq!(headers["idempotency-replayed"], "true");
        assert_eq!(headers["idempotency-rebuilt"], "true");
        // From here on it is the answer.
        let rename = "UPDATE contacts SET last_name = 'Again' WHERE last_name = 'Renamed'";
        arrange(world, rename).await;
        let (status, headers, kept) = here_is.ask("k", &here_is.creation("First")).await;
        assert_eq!((status, &kept["data"]), (200, &answer["data"]), "{kept}");
        assert_eq!(headers["idempotency-rebuilt"], "true");
        // One that was kept by the server that wrote says nothing of it.
        here_is.create("other", "Other").await;
        let (_, headers, _) = there_is.ask("other", &there_is.creation("Other")).await;
        assert!(headers.get("idempotency-rebuilt").is_none());
        // Of a record that is gone there is nothing to show.
        arrange(world, DIED).await;
        arrange(world, "DELETE FROM contacts WHERE last_name = 'Other'").await;
        let (status, _, gone) = there_is.create("other", "Other").await;
        assert_eq!(
            (status, code(&gone)),
            (409, "IDEMPOTENCY_ANSWER_LOST"),
            "{gone}"
        );
        let message = gone["errors"][0]["message"].as_str().unwrap_or_default();
        assert!(message.contains("contact "), "{message}");
        assert_eq!(contacts(world, "Other").await, 0);
        here.stop().await;
        there.stop().await;
    });
}

#[test]
fn what_the_database_did_not_answer_at_its_commit_is_found_out_by_what_is_committed() {
    test(async |world: &World| {
        let (here, there) = servers(world).await;
        let caller = Caller {
            server: &here,
            token: token(world, A, Who::Admin),
        };
        // Postgres ends the session when it is to commit, so that nobody knows whether it has.
        for sql in [
            "CREATE FUNCTION public.hang_up() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'",
            "CREATE CONSTRAINT TRIGGER hang_up AFTER INSERT ON contacts DEFERRABLE INITIALLY DEFERRED \
             FOR EACH ROW WHEN (NEW.last_name = 'Doubtful') EXECUTE FUNCTION public.hang_up()",
        ] {
            arrange(world, sql).await;
        }
        let (status, _, answer) = caller.create("doubt", "Doubtful").await;
        assert_eq!(code(&answer), "UNAVAILABLE", "{status} {answer}");
        arrange(world, "DROP TRIGGER hang_up ON contacts").await;
        let (status, is_replayed, answer) = caller.create("doubt", "Doubtful").await;
        assert_eq!((status, is_replayed), (200, false), "{answer}");
        assert_eq!(contacts(world, "Doubtful").await, 1);
        here.stop().await;
        there.stop().await;
    });
}

#[test]
fn a_server_that_is_killed_before_it_has_answered_is_answered_for_by_another_one() {
    test(async |world: &World| {
        let dying = Child::serve(world, &[]).await;
        let (here, there) = servers(world).await;
        let caller = Caller {
            server: &here,
            token: token(world, A, Who::Admin),
        };
        // What it wrote is committed, and the answer is never kept.
        for sql in [
            "CREATE FUNCTION public.hold_up() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN PERFORM pg_sleep(60); RETURN NEW; END'",
            "CREATE TRIGGER hold_up BEFORE UPDATE ON idempotency_keys FOR EACH ROW \
             WHEN (NEW.answer IS NOT NULL) EXECUTE FUNCTION public.hold_up()",
        ] {
            arrange(world, sql).await;
        }
        let body = caller.creation("Killed");
        let request = dying.http().post(dying.url()).json(&body);
        let request = request.header("idempotency-key", "killed");
        tokio::select! {
            reply = dying.send(request) => panic!("it was answered {reply:?}"),
            () = sleeps(world) => {}
        }
        dying.kill().await;
        arrange(world, "DROP TRIGGER hold_up ON idempotency_keys").await;
        assert_eq!(contacts(world, "Killed").await, 1);
        // The claim of the one that died lasts as long as it might have worked.
        let until = tokio::time::Instant::now() + PATIENCE;
        let (status, is_replayed, answer) = loop {
            let answered = caller.send("killed", &body).await;
            if answered.0 != 409 || tokio::time::Instant::now() > until {
                break answered;
            }
            assert_eq!(code(&answered.2), "IDEMPOTENCY_IN_PROGRESS");
            tokio::time::sleep(Duration::from_millis(250)).await;
        };
        assert_eq!((status, is_replayed), (200, true), "{answer}");
        let contact = &answer["data"]["contactCreate"]["contact"];
        assert_eq!(contact["lastName"], "Killed", "{answer}");
        assert_eq!(contacts(world, "Killed").await, 1);
        here.stop().await;
        there.stop().await;
    });
}

/// Waits until Postgres sleeps in the middle of a statement of this database.
async fn sleeps(world: &World) {
    let mut superuser = world.database.superuser().await;
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()";
    loop {
        let count: i64 = sqlx::query_scalar(sql)
            .fetch_one(&mut superuser)
            .await
            .expect("a count");
        if count > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn many_who_come_after_one_that_died_get_one_answer() {
    test(async |world: &World| {
        let (here, there) = servers(world).await;
        let callers = [&here, &there].map(|server| Caller {
            server,
            token: token(world, A, Who::Admin),
        });
        let (_, _, answer) = callers[0].create("crowd", "Crowd").await;
        arrange(world, DIED).await;
        let sent = (0..12).map(|n| callers[n % 2].create("crowd", "Crowd"));
        let mut codes = BTreeMap::<u16, usize>::new();
        for (status, _, again) in futures_util::future::join_all(sent).await {
            match status {
                200 => assert_eq!(again["data"], answer["data"]),
                _ => assert_eq!(code(&again), "IDEMPOTENCY_IN_PROGRESS", "{again}"),
            }
            *codes.entry(status).or_default() += 1;
        }
        assert!(codes.contains_key(&200), "{codes:?}");
        assert_eq!(contacts(world, "Crowd").await, 1);
        here.stop().await;
        there.stop().await;
    });
}
