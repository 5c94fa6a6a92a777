//! Webhooks in: who sent a message is verified, it is stored before it is answered, once, and handled.

mod once;
mod sender;

use std::time::Duration;

use dealgraph::{base::ids::TenantId, organization::tenants::command::TenantCommand};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, raw_sql};

pub(crate) use self::sender::{Endpoint, Sent};
use self::sender::{hmac_sha1, hmac_sha256};
use crate::{
    harness::{A, B, Side, Who, World, global_id, test},
    tenants::operate,
};

/// How long a test waits for what should come.
const PATIENCE: Duration = Duration::from_secs(20);

const MESSAGES: &str = "query($filter: InboundMessageFilter) { inboundMessages(first: 100, filter: $filter) { nodes {
    id endpoint { id } messageId status contentType size body error { code message } jobId replays receivedAt processedAt } } }";

/// The messages of an endpoint that somebody sees.
async fn messages(world: &World, who: (Side, Who), endpoint: &Value) -> Vec<Value> {
    let filter = json!({ "filter": { "endpointId": { "eq": endpoint } } });
    let data = world
        .member(who.0, who.1)
        .query_with(MESSAGES, filter)
        .await;
    let nodes = data["inboundMessages"]["nodes"].as_array();
    nodes.cloned().expect("a list")
}

/// Waits until the messages of an endpoint are as they should be.
pub(crate) async fn until(
    world: &World,
    endpoint: &Value,
    fits: impl Fn(&[Value]) -> bool,
) -> Vec<Value> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let messages = messages(world, (A, Who::Admin), endpoint).await;
        if fits(&messages) {
            return messages;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "it never came: {messages:#?}"
        );
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

fn all_processed(messages: &[Value]) -> bool {
    !messages.is_empty()
        && messages
            .iter()
            .all(|message| message["status"] == "PROCESSED")
}

async fn arrange(world: &World, sql: impl Into<String>) -> u64 {
    let mut superuser = world.database.superuser().await;
    let done = raw_sql(AssertSqlSafe(sql.into()))
        .execute(&mut superuser)
        .await;
    done.expect("a test can arrange rows").rows_affected()
}

#[test]
fn a_message_that_is_verified_is_stored_handled_and_shown_to_who_runs_programs() {
    test(async |world| {
        let endpoint = Endpoint::standard(world).await;
        let sent = Sent::of("msg_1", "{\"type\":\"order.paid\"}");
        let answer = endpoint.send(world, &sent).await;
        assert_eq!((answer.status, answer.body.as_str()), (202, ""));
        let found = until(world, &endpoint.id, all_processed).await;
        assert_eq!(found.len(), 1);
        let message = &found[0];
        assert_eq!(message["messageId"], "msg_1");
        assert_eq!(message["body"], "{\"type\":\"order.paid\"}");
        assert_eq!(message["size"], 21);
        assert_eq!(message["contentType"], "application/json");
        assert_eq!(message["replays"], 0);
        assert!(
            message["jobId"]
                .as_str()
                .is_some_and(|id| id.starts_with("job:"))
        );
        // A role with masks sees that it came, and nothing of what is in it.
        let auditor = messages(world, (A, Who::Auditor), &endpoint.id).await;
        assert_eq!((auditor.len(), &auditor[0]["body"]), (1, &Value::Null));
        let by_node =
            "query($id: ID!) { node(id: $id) { ... on InboundMessage { messageId body } } }";
        for who in [
            Who::Manager,
            Who::Rep,
            Who::Analyst,
            Who::Viewer,
            Who::Closer,
        ] {
            assert_eq!(
                messages(world, (A, who), &endpoint.id).await,
                [json!(null); 0]
            );
            let client = world.a(who);
            let found = client.query_with(by_node, json!({ "id": message["id"] }));
            assert_eq!(found.await["node"], Value::Null, "{who:?}");
        }
        let of_b = world.b(Who::Admin);
        let found = of_b.query_with(by_node, json!({ "id": message["id"] }));
        assert_eq!(found.await["node"], Value::Null);
    });
}

#[test]
fn each_kind_takes_its_senders_messages_and_no_others() {
    test(async |world| {
        let body = "{\"a\":1}";
        let hmac = Endpoint::make(
            world,
            json!({ "verification": "HMAC_SHA256", "signatureHeader": "X-Hub-Signature-256", "signatureEncoding": "HEX",
                    "messageIdHeader": "X-GitHub-Delivery" }),
        )
        .await;
        let signature = hmac_sha256(&hmac.secret, body);
        for (signature, status) in [
            (format!("sha256={signature}"), 202),
            (signature.clone(), 200),
            (hmac_sha256("another secret", body), 401),
            (hmac_sha256(&hmac.secret, "{\"a\":2}"), 401),
            (String::new(), 401),
        ] {
            let request = world.to(Method::POST, &hmac.path).body(body);
            let request = request
                .header("x-hub-signature-256", &signature)
                .header("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958");
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status().as_u16(), status, "{signature}");
        }

        let basic = Endpoint::make(
            world,
            json!({ "verification": "BASIC", "username": "pipedrive" }),
        )
        .await;
        for (path, name, password, status) in [
            (basic.path.as_str(), "pipedrive", basic.secret.as_str(), 202),
            (&basic.path, "pipedrive", "another password", 401),
            (&basic.path, "other", &basic.secret, 401),
            // The ids alone are no address of it.
            (
                &basic.path[..basic.path.len() - 43],
                "pipedrive",
                &basic.secret,
                401,
            ),
        ] {
            let request = world.to(Method::POST, path).body(body);
            let answer = request.basic_auth(name, Some(password)).send().await;
            assert_eq!(
                answer.expect("an answer").status().as_u16(),
                status,
                "{name}"
            );
        }
        let shown = world.a(Who::Admin);
        let shown = shown.query_with(
            "query($id: ID!) { inboundEndpoint(id: $id) { path username } }",
            json!({ "id": basic.id }),
        );
        assert_eq!(
            shown.await["inboundEndpoint"],
            json!({ "path": null, "username": "pipedrive" })
        );

        let twilio = Endpoint::make(
            world,
            json!({ "verification": "TWILIO", "origin": "https://crm.example/", "secret": "0123456789abcdef0123456789abcdef" }),
        )
        .await;
        let posted = "From=%2B49151&Body=Hello+there";
        let signed = format!(
            "https://crm.example{}BodyHello thereFrom+49151",
            twilio.path
        );
        for (secret, status) in [(twilio.secret.as_str(), 202), ("another secret", 401)] {
            let request = world.to(Method::POST, &twilio.path).body(posted);
            let request = request
                .header("content-type", "application/x-www-form-urlencoded")
                .header("x-twilio-signature", hmac_sha1(secret, &signed));
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status().as_u16(), status);
        }
        for endpoint in [&hmac, &basic, &twilio] {
            assert_eq!(until(world, &endpoint.id, all_processed).await.len(), 1);
        }
    });
}

#[test]
fn to_who_is_not_the_sender_all_endpoints_look_alike() {
    test(async |world| {
        let endpoint = Endpoint::standard(world).await;
        let disabled = Endpoint::standard(world).await;
        let update =
            "mutation($input: InboundEndpointUpdateInput!) { inboundEndpointUpdate(input: $input) {
            inboundEndpoint { enabled disabledReason } userErrors { code } } }";
        let input = json!({ "input": { "id": disabled.id, "enabled": false, "disabledReason": "not needed" } });
        world.a(Who::Admin).query_with(update, input).await;
        let sent = Sent::of("msg_1", "{}");
        let forged = Sent {
            timestamp: sent.timestamp - 1,
            ..sent.clone()
        };
        let mut answers = vec![
            disabled.send(world, &sent).await,
            endpoint
                .send_signed(world, &forged, &endpoint.signature(&sent))
                .await,
            endpoint.send_signed(world, &sent, "").await,
            endpoint.send(world, &sent.at(-301)).await,
            endpoint.send(world, &sent.at(301)).await,
        ];
        // In the other tenant the same ids are no endpoint, and the path of one is not that of another.
        for path in [
            format!("/hooks/{}", "A".repeat(43)),
            "/hooks/x".to_owned(),
            disabled.path.clone(),
            endpoint.path_in(TenantId::new()),
        ] {
            let other = Endpoint {
                path,
                ..endpoint.clone()
            };
            answers.push(other.send(world, &sent).await);
        }
        for answer in &answers {
            assert_eq!(answer, &answers[0]);
            assert_eq!((answer.status, answer.body.as_str()), (401, ""));
        }
        assert_eq!(
            messages(world, (A, Who::Admin), &endpoint.id).await,
            [json!(null); 0]
        );
        assert_eq!(
            endpoint.send(world, &sent).await.status,
            202,
            "and the sender is heard"
        );
    });
}

#[test]
fn a_secret_is_replaced_while_both_are_taken() {
    test(async |world| {
        let old = Endpoint::standard(world).await;
        let rotated = old.rotate(world, 1).await;
        assert_ne!(old.secret, rotated.secret);
        assert_eq!(old.send(world, &Sent::of("by_old", "{}")).await.status, 202);
        assert_eq!(
            rotated.send(world, &Sent::of("by_new", "{}")).await.status,
            202
        );
        arrange(
            world,
            "UPDATE inbound_endpoints SET former_ends_at = now() - interval '1 s' WHERE former_ends_at IS NOT NULL",
        )
        .await;
        assert_eq!(old.send(world, &Sent::of("late", "{}")).await.status, 401);
        let last = rotated.rotate(world, 0).await;
        assert_eq!(
            rotated.send(world, &Sent::of("gone", "{}")).await.status,
            401
        );
        assert_eq!(last.send(world, &Sent::of("last", "{}")).await.status, 202);
    });
}

#[test]
fn what_is_too_large_or_no_post_is_refused_and_odd_bytes_are_kept_as_they_are() {
    test(async |world| {
        let endpoint = Endpoint::standard(world).await;
        let get = world.to(Method::GET, &endpoint.path).send().await;
        assert_eq!(get.expect("an answer").status().as_u16(), 405);
        let full = "x".repeat(256 * 1024);
        assert_eq!(
            endpoint.send(world, &Sent::of("full", &full)).await.status,
            202
        );
        let more = "x".repeat(256 * 1024 + 1);
        assert_eq!(
            endpoint.send(world, &Sent::of("more", &more)).await.status,
            413
        );
        let large = "x".repeat(1 << 20);
        assert_eq!(
            endpoint
                .send(world, &Sent::of("large", &large))
                .await
                .status,
            413
        );
        let odd = [b'{', 0xff, 0, b'}'];
        assert_eq!(endpoint.send_bytes(world, "odd", &odd).await.status, 202);
        assert_eq!(
            endpoint.send(world, &Sent::of("empty", "")).await.status,
            202
        );
        let found = until(world, &endpoint.id, |all| {
            all.len() == 3 && all_processed(all)
        })
        .await;
        let body = |name: &str| {
            let message = found.iter().find(|message| message["messageId"] == name);
            message.expect("it is there")["body"].clone()
        };
        assert_eq!(body("odd"), Value::Null, "no text");
        assert_eq!(body("empty"), "");
        assert_eq!(
            body("full").as_str().map(str::len),
            Some(20_000),
            "the begin of it"
        );
    });
}

#[test]
fn a_tenant_that_may_only_be_read_asks_senders_to_come_again() {
    test(async |world| {
        let endpoint = Endpoint::standard(world).await;
        let slug = "side-a0a0".to_owned();
        let suspend = TenantCommand::Suspend {
            slug,
            reason: "unpaid".to_owned(),
        };
        operate(world, suspend).await.expect("it is at work");
        let sent = Sent::of("msg_1", "{}");
        let answer = endpoint.send(world, &sent).await;
        assert_eq!(
            (answer.status, answer.retry_after.as_deref()),
            (503, Some("3600"))
        );
        let forged = endpoint.send_signed(world, &sent, "v1,AAAA").await;
        assert_eq!((forged.status, forged.retry_after), (401, None));
    });
}

#[test]
fn messages_are_handled_again_one_or_those_of_a_time() {
    test(async |world| {
        let endpoint = Endpoint::standard(world).await;
        for name in ["a", "b", "c"] {
            assert_eq!(
                endpoint.send(world, &Sent::of(name, "{}")).await.status,
                202
            );
        }
        let found = until(world, &endpoint.id, |all| {
            all.len() == 3 && all_processed(all)
        })
        .await;
        let one =
            "mutation($input: InboundMessageReplayInput!) { inboundMessageReplay(input: $input) {
            inboundMessage { status replays } userErrors { code } } }";
        let input = json!({ "input": { "id": found[0]["id"] } });
        let admin = world.a(Who::Admin);
        let again = admin.query_with(one, input.clone()).await;
        assert_eq!(
            again["inboundMessageReplay"],
            json!({ "inboundMessage": { "status": "RECEIVED", "replays": 1 }, "userErrors": [] })
        );
        until(world, &endpoint.id, all_processed).await;
        let many =
            "mutation($input: InboundMessagesReplayInput!) { inboundMessagesReplay(input: $input) {
            count nextFrom userErrors { code field } } }";
        let range = json!({ "input": { "endpointId": endpoint.id, "from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z" } });
        let again = admin.query_with(many, range.clone()).await;
        assert_eq!(
            again["inboundMessagesReplay"],
            json!({ "count": 3, "nextFrom": null, "userErrors": [] })
        );
        let found = until(world, &endpoint.id, all_processed).await;
        let mut replays: Vec<_> = found
            .iter()
            .map(|message| message["replays"].clone())
            .collect();
        replays.sort_by_key(Value::as_i64);
        assert_eq!(replays, [json!(1), json!(1), json!(2)]);
        // Neither another role nor another tenant.
        for client in [world.a(Who::Manager), world.b(Who::Admin)] {
            for (document, input) in [(one, &input), (many, &range)] {
                let answer = client.send(document, input.clone()).await;
                let text = answer.body.to_string();
                assert!(
                    text.contains("FORBIDDEN") || text.contains("NOT_FOUND"),
                    "{text}"
                );
            }
        }
        let turned = json!({ "input": { "endpointId": endpoint.id, "from": "2100-01-01T00:00:00Z", "to": "2020-01-01T00:00:00Z" } });
        let refused = admin.query_with(many, turned).await;
        assert_eq!(
            refused["inboundMessagesReplay"]["userErrors"][0]["code"],
            "OUT_OF_RANGE"
        );
    });
}

#[test]
fn messages_are_forgotten_after_their_days() {
    test(async |world| {
        let endpoint = Endpoint::standard(world).await;
        for name in ["old", "new"] {
            assert_eq!(
                endpoint.send(world, &Sent::of(name, "{}")).await.status,
                202
            );
        }
        until(world, &endpoint.id, |all| {
            all.len() == 2 && all_processed(all)
        })
        .await;
        arrange(
            world,
            "UPDATE inbound_messages SET received_at = now() - interval '31 days' WHERE message_id = 'old';
             UPDATE jobs SET due_at = now() WHERE kind = 'inbound.forget';
             UPDATE job_queues SET due_at = now()",
        )
        .await;
        let left = until(world, &endpoint.id, |all| all.len() == 1).await;
        assert_eq!(left[0]["messageId"], "new");
        let rest: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM jobs WHERE kind = 'inbound.forget' AND due_at > now() + interval '20 hours'",
        )
        .fetch_one(&mut world.database.superuser().await)
        .await
        .expect("they are counted");
        assert_eq!(rest, 1, "and it is looked again tomorrow");
    });
}

#[test]
fn endpoints_are_made_by_who_runs_programs_and_their_secrets_are_sealed() {
    test(async |world| {
        let create =
            "mutation($input: InboundEndpointCreateInput!) { inboundEndpointCreate(input: $input) {
            inboundEndpoint { id } secret userErrors { code field } } }";
        let input = json!({ "input": { "name": "Shop", "verification": "STANDARD_WEBHOOKS", "handler": "STORE_ONLY" } });
        for who in [
            Who::Manager,
            Who::Rep,
            Who::Analyst,
            Who::Viewer,
            Who::Closer,
        ] {
            let answer = world.a(who).send(create, input.clone()).await;
            let payload = &answer.body["data"]["inboundEndpointCreate"];
            assert_eq!(
                payload["userErrors"][0]["code"], "FORBIDDEN",
                "{who:?} {}",
                answer.body
            );
            assert_eq!(payload["secret"], Value::Null);
        }
        for (field, value, code) in [
            ("secret", json!("whsec_c2hvcnQ="), "INVALID_SECRET"),
            ("username", json!("x"), "NOT_APPLICABLE"),
            ("messageIdHeader", json!("x-id"), "NOT_APPLICABLE"),
            ("name", json!(" "), "BLANK"),
        ] {
            let mut wrong = input.clone();
            wrong["input"][field] = value;
            let answer = world.a(Who::Admin).send(create, wrong).await;
            let errors = &answer.body["data"]["inboundEndpointCreate"]["userErrors"];
            assert_eq!(
                (&errors[0]["code"], &errors[0]["field"]),
                (&json!(code), &json!(["input", field]))
            );
        }
        let endpoint = Endpoint::standard(world).await;
        let update = "mutation($input: InboundEndpointUpdateInput!) { inboundEndpointUpdate(input: $input) { userErrors { code } } }";
        let of_b = world.b(Who::Admin);
        let refused = of_b.query_with(
            update,
            json!({ "input": { "id": endpoint.id, "name": "Theirs" } }),
        );
        assert_eq!(
            refused.await["inboundEndpointUpdate"]["userErrors"][0]["code"],
            "NOT_FOUND"
        );
        let theirs = global_id("inboundEndpoint", B.uuid("inboundEndpoint", 1));
        let of_a = world.a(Who::Admin);
        let refused = of_a.query_with(update, json!({ "input": { "id": theirs, "name": "Ours" } }));
        assert_eq!(
            refused.await["inboundEndpointUpdate"]["userErrors"][0]["code"],
            "NOT_FOUND"
        );
        // That no secret is kept or logged in the clear, the world looks for itself at its end.
    });
}
