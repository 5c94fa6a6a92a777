//! Webhooks: what happens is sent, signed, in order, until it has arrived, and to nobody more than they may see.

mod failing;
mod libraries;
mod receiver;
mod rights;
mod watched;

use dealgraph::base::ids::OpportunityId;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, raw_sql};

use self::receiver::{Receiver, Reply};
use crate::{
    defaults::served::Served,
    harness::{A, Side, Who, World, test},
};

/// A server that sends, and a person who sets it up.
struct Setting<'w> {
    world: &'w World,
    server: Served,
}

impl<'w> Setting<'w> {
    async fn begin(world: &'w World) -> Self {
        let tokens = std::sync::Arc::clone(&world.tokens);
        let server = Served::over(&world.database, tokens, None).await;
        Self { world, server }
    }

    async fn end(self) {
        self.server.stop().await;
    }

    /// What a mutation's payload is, by whom.
    async fn call(&self, (side, who): (Side, Who), verb: &str, of: &str, input: Value) -> Value {
        let token = token(self.world, side, who);
        let input_type = match verb {
            "webhookEndpointCreate" => "WebhookEndpointCreateInput",
            "webhookEndpointUpdate" => "WebhookEndpointUpdateInput",
            "webhookEndpointRotateSecret" => "WebhookEndpointRotateInput",
            "webhookEndpointDelete" => "WebhookEndpointRefInput",
            "webhookEndpointPing" => "WebhookEndpointRefInput",
            "webhookEndpointReplay" => "WebhookEndpointReplayInput",
            "webhookDeliveryResend" => "WebhookDeliveryRefInput",
            "webhookDeliveryResendRange" => "WebhookDeliveryResendRangeInput",
            "opportunityUpdate" => "OpportunityUpdateInput",
            "leadUpdate" => "LeadUpdateInput",
            other => panic!("{other}"),
        };
        let document = format!(
            "mutation($input: {input_type}!) {{ {verb}(input: $input) {{ {of} userErrors {{ code field message }} }} }}"
        );
        let variables = json!({ "input": input });
        let answer = self.server.send(Some(&token), &document, &variables).await;
        assert!(answer.get("errors").is_none(), "{answer}");
        answer["data"][verb].clone()
    }

    async fn admin(&self, verb: &str, of: &str, input: Value) -> Value {
        let payload = self.call((A, Who::Admin), verb, of, input).await;
        assert_eq!(payload["userErrors"], json!([]), "{verb}");
        payload
    }

    /// Sets up an endpoint; its id and its secret.
    async fn endpoint(&self, receiver: &Receiver, subscriptions: Value) -> (Value, String) {
        let input =
            json!({ "name": "Billing", "url": receiver.url(), "subscriptions": subscriptions });
        let of = "webhookEndpoint { id } secret";
        let made = self.admin("webhookEndpointCreate", of, input).await;
        let secret = made["secret"].as_str().expect("a secret").to_owned();
        (made["webhookEndpoint"]["id"].clone(), secret)
    }

    async fn rename(&self, deal: u32, name: &str) {
        let id: OpportunityId = A.id(deal);
        let input = json!({ "id": id.to_string(), "name": name });
        self.admin("opportunityUpdate", "opportunity { id }", input)
            .await;
    }

    async fn ask(&self, document: &str, variables: Value) -> Value {
        let token = token(self.world, A, Who::Admin);
        let answer = self.server.send(Some(&token), document, &variables).await;
        assert!(answer.get("errors").is_none(), "{answer}");
        answer["data"].clone()
    }

    /// The deliveries of an endpoint, the first first.
    async fn deliveries(&self, endpoint: &Value) -> Vec<Value> {
        let document = "query($id: ID!) { webhookDeliveries(first: 50, filter: { webhookEndpointId: { eq: $id } },
            orderBy: [{ field: CREATED_AT, direction: ASC }]) { nodes { id messageId type recordId status attemptCount
            responseStatus errorCode dueAt attempts { number outcome responseStatus errorCode response tookMs } } } }";
        let answer = self.ask(document, json!({ "id": endpoint })).await;
        let nodes = answer["webhookDeliveries"]["nodes"].as_array();
        nodes.expect("a list").clone()
    }

    /// An endpoint as it stands.
    async fn standing(&self, endpoint: &Value) -> Value {
        let document = "query($id: ID!) { webhookEndpoint(id: $id) { enabled disabledReason version
            health { failures failingSince restsUntil deliveredAt pending behind } } }";
        let answer = self.ask(document, json!({ "id": endpoint })).await;
        answer["webhookEndpoint"].clone()
    }

    /// Waits until an endpoint stands as wanted.
    async fn until(&self, endpoint: &Value, is_so: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..600 {
            let standing = self.standing(endpoint).await;
            if is_so(&standing) {
                return standing;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("{}", self.standing(endpoint).await);
    }

    /// Lets so much time pass, as far as what is to be sent again goes.
    async fn let_pass(&self, time: &str) {
        // What is being noted would not be moved.
        let running =
            "SELECT count(*) FROM jobs WHERE kind = 'webhooks.send' AND status = 'RUNNING'";
        let mut superuser = self.world.database.superuser().await;
        let began = std::time::Instant::now();
        while sqlx::query_scalar::<_, i64>(running)
            .fetch_one(&mut superuser)
            .await
            .expect("jobs can be counted")
            > 0
        {
            assert!(
                began.elapsed() < std::time::Duration::from_secs(60),
                "it runs still"
            );
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        self.arrange(&format!(
            "UPDATE webhook_deliveries SET due_at = due_at - interval '{time}' WHERE due_at IS NOT NULL;
             UPDATE webhook_endpoint_health SET rests_until = rests_until - interval '{time}',
                 failing_since = failing_since - interval '{time}';
             UPDATE jobs SET due_at = due_at - interval '{time}' WHERE kind = 'webhooks.send' AND status = 'QUEUED';
             UPDATE job_queues SET due_at = now() WHERE due_at < 'infinity'"
        ))
        .await;
    }

    async fn arrange(&self, sql: &str) {
        let mut superuser = self.world.database.superuser().await;
        let done = raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut superuser);
        done.await.expect("a test can arrange rows");
    }
}

fn token(world: &World, side: Side, who: Who) -> String {
    let client = world.member(side, who);
    client.token().expect("members have tokens").to_owned()
}

#[test]
fn what_happens_is_sent_signed_once_and_in_order() {
    test(async |world| {
        let setting = Setting::begin(world).await;
        let receiver = Receiver::start().await;
        let (endpoint, secret) = setting
            .endpoint(&receiver, json!([{ "topic": "OPPORTUNITY" }]))
            .await;
        for n in 0..5 {
            setting.rename(1, &format!("Renamed {n}")).await;
            setting.rename(2, &format!("Other {n}")).await;
        }
        let received = receiver.only(10).await;
        let id = A.id::<OpportunityId>(1).to_string();
        let of_one = received
            .iter()
            .filter(|one| one.body["data"]["recordId"] == id.as_str());
        let names: Vec<_> = of_one
            .clone()
            .map(|one| one.body["data"]["changes"][0]["after"].clone())
            .collect();
        assert_eq!(
            names,
            (0..5)
                .map(|n| json!(format!("Renamed {n}")))
                .collect::<Vec<_>>()
        );
        let ids: std::collections::BTreeSet<_> = received.iter().map(|one| one.id()).collect();
        assert_eq!(ids.len(), 10);
        for one in &received {
            assert!(one.is_signed_by(&secret));
            assert_eq!(one.header("content-type"), "application/json");
            assert_eq!(one.kind(), "opportunity.updated");
            assert_eq!(one.body["apiVersion"], "2026-11");
            assert_eq!(one.body["tenantId"], A.tenant().to_string().as_str());
            assert_eq!(one.body["data"]["cursor"], one.body["cursor"]);
            assert!(one.body["data"]["opportunity"]["stage"]["name"].is_string());
            assert_eq!(
                one.body["data"]["by"]["user"]["id"],
                A.user(Who::Admin).to_string().as_str()
            );
        }
        let log = setting.deliveries(&endpoint).await;
        assert_eq!(log.len(), 10);
        for delivery in &log {
            assert_eq!(
                (&delivery["status"], &delivery["attemptCount"]),
                (&json!("DELIVERED"), &json!(1))
            );
            assert_eq!(delivery["attempts"][0]["responseStatus"], 204);
            let sent = delivery["messageId"].as_str().expect("an id");
            assert!(ids.contains(sent));
        }
        let standing = setting.standing(&endpoint).await;
        assert_eq!(standing["health"]["pending"], 0);
        assert_eq!(standing["health"]["behind"], 0);
        assert!(standing["health"]["deliveredAt"].is_string());
        setting.end().await;
    });
}

#[test]
fn only_what_is_subscribed_to_is_sent_in_the_form_that_was_asked_for() {
    test(async |world| {
        let setting = Setting::begin(world).await;
        let receiver = Receiver::start().await;
        let own = "subscription($name: String!) { opportunityEvents(filter: { name: { startsWith: $name } }) {
            what: kind opportunity { title: name } } }";
        setting
            .endpoint(
                &receiver,
                json!([
                    { "document": own, "variables": { "name": "wanted" }, "kinds": ["ENTERED_VIEW", "UPDATED"] },
                    { "topic": "LEAD", "filter": { "status": { "eq": "NEW" } }, "kinds": ["ARCHIVED"] },
                ]),
            )
            .await;
        setting.rename(1, "Unwanted").await;
        setting.rename(1, "Wanted").await;
        setting.rename(1, "Wanted still").await;
        setting.rename(1, "Left").await;
        let received = receiver.only(2).await;
        let bodies: Vec<_> = received
            .iter()
            .map(|one| one.body["data"].clone())
            .collect();
        assert_eq!(bodies[0]["what"], "ENTERED_VIEW");
        assert_eq!(bodies[1]["what"], "UPDATED");
        assert_eq!(received[0].kind(), "opportunity.entered_view");
        setting.end().await;
    });
}

#[test]
fn a_new_secret_signs_beside_the_old_one_until_its_time_is_over() {
    test(async |world| {
        let setting = Setting::begin(world).await;
        let receiver = Receiver::start().await;
        let (endpoint, old) = setting
            .endpoint(&receiver, json!([{ "topic": "OPPORTUNITY" }]))
            .await;
        let input = json!({ "id": endpoint, "overlapHours": 1 });
        let rotated = setting
            .admin(
                "webhookEndpointRotateSecret",
                "secret webhookEndpoint { hint previousUntil }",
                input,
            )
            .await;
        let new = rotated["secret"].as_str().expect("a secret").to_owned();
        assert_ne!(old, new);
        let hint = rotated["webhookEndpoint"]["hint"].as_str().expect("a hint");
        assert!(new.contains(hint.trim_start_matches('…')));
        setting.rename(1, "While both sign").await;
        let both = &receiver.have(1).await[0];
        assert!(both.is_signed_by(&old) && both.is_signed_by(&new));
        setting
            .arrange("UPDATE webhook_endpoints SET previous_until = now() - interval '1 s' WHERE previous_until IS NOT NULL")
            .await;
        setting.rename(1, "With the new one").await;
        let one = &receiver.have(2).await[1];
        assert!(!one.is_signed_by(&old) && one.is_signed_by(&new));
        setting.end().await;
    });
}

#[test]
fn what_was_sent_can_be_sent_again_and_what_was_not_is_followed_again() {
    test(async |world| {
        let setting = Setting::begin(world).await;
        let receiver = Receiver::start().await;
        let (endpoint, _) = setting
            .endpoint(&receiver, json!([{ "topic": "OPPORTUNITY" }]))
            .await;
        let ping = setting
            .admin(
                "webhookEndpointPing",
                "webhookDelivery { id type }",
                json!({ "id": endpoint }),
            )
            .await;
        assert_eq!(ping["webhookDelivery"]["type"], "ping");
        assert_eq!(receiver.have(1).await[0].kind(), "ping");
        setting.rename(1, "Once").await;
        let once = receiver.have(2).await[1].clone();
        let log = setting.deliveries(&endpoint).await;
        let input = json!({ "id": log[1]["id"] });
        setting
            .admin("webhookDeliveryResend", "webhookDelivery { status }", input)
            .await;
        let twice = receiver.have(3).await[2].clone();
        assert_eq!((once.id(), &once.bytes), (twice.id(), &twice.bytes));
        let cursor = once.body["cursor"].clone();

        // What happens while it is disabled is not sent, until it is followed again.
        let enabled = |enabled: bool| json!({ "id": endpoint, "enabled": enabled });
        setting
            .admin(
                "webhookEndpointUpdate",
                "webhookEndpoint { id }",
                enabled(false),
            )
            .await;
        let refused = setting
            .call(
                (A, Who::Admin),
                "webhookEndpointPing",
                "webhookDelivery { id }",
                json!({ "id": endpoint }),
            )
            .await;
        assert_eq!(refused["userErrors"][0]["code"], "NOT_ENABLED");
        setting.rename(1, "Unheard").await;
        setting
            .admin(
                "webhookEndpointUpdate",
                "webhookEndpoint { id }",
                enabled(true),
            )
            .await;
        setting.rename(1, "Heard").await;
        let heard = receiver.only(4).await;
        assert_eq!(heard[3].body["data"]["changes"][0]["after"], "Heard");
        let input = json!({ "id": endpoint, "after": cursor });
        setting
            .admin("webhookEndpointReplay", "webhookEndpoint { id }", input)
            .await;
        let unheard = receiver.only(5).await;
        assert_eq!(unheard[4].body["data"]["changes"][0]["after"], "Unheard");

        // All of some time, and only what failed.
        let range = |only_failed: bool| {
            json!({ "webhookEndpointId": endpoint, "from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z",
                    "onlyFailed": only_failed })
        };
        let none = setting
            .admin("webhookDeliveryResendRange", "resent", range(true))
            .await;
        assert_eq!(none["resent"], 0);
        let all = setting
            .admin("webhookDeliveryResendRange", "resent", range(false))
            .await;
        assert_eq!(all["resent"], 4);
        receiver.only(9).await;
        setting.end().await;
    });
}

#[test]
fn a_receiver_that_writes_back_does_not_answer_itself() {
    test(async |world| {
        let setting = Setting::begin(world).await;
        let receiver = Receiver::start().await;
        let input = json!({ "name": "Echo", "url": receiver.url(), "skipsOwn": true,
                            "subscriptions": [{ "topic": "OPPORTUNITY" }] });
        setting
            .admin("webhookEndpointCreate", "webhookEndpoint { id }", input)
            .await;
        setting.rename(1, "By the receiver").await;
        let input =
            json!({ "id": A.id::<OpportunityId>(1).to_string(), "name": "By somebody else" });
        setting
            .call(
                (A, Who::Manager),
                "opportunityUpdate",
                "opportunity { id }",
                input,
            )
            .await;
        let received = receiver.only(1).await;
        assert_eq!(
            received[0].body["data"]["changes"][0]["after"],
            "By somebody else"
        );
        receiver.reply([Reply::of(200)]);
        setting.end().await;
    });
}
