//! Who may set endpoints up, what they are sent, and where nothing is sent to.

use serde_json::{Value, json};

use dealgraph::base::ids::Typed as _;

use super::{
    Setting,
    receiver::{Receiver, Reply},
    token,
};
use crate::harness::{A, B, Who, test};

#[test]
fn endpoints_are_for_who_connects_systems_and_of_one_tenant() {
    test(async |world| {
        let setting = Setting::begin(world).await;
        let receiver = Receiver::start().await;
        let (endpoint, _) = setting
            .endpoint(&receiver, json!([{ "topic": "LEAD" }]))
            .await;
        let input = json!({ "name": "Mine", "url": receiver.url(), "subscriptions": [{ "topic": "LEAD" }] });
        for who in [Who::Rep, Who::Viewer, Who::Manager] {
            let refused = setting
                .call(
                    (A, who),
                    "webhookEndpointCreate",
                    "webhookEndpoint { id } secret",
                    input.clone(),
                )
                .await;
            assert_eq!(refused["userErrors"][0]["code"], "FORBIDDEN", "{who:?}");
            assert_eq!(refused["secret"], Value::Null);
        }
        for (caller, verb, input) in [
            (
                (B, Who::Admin),
                "webhookEndpointUpdate",
                json!({ "id": endpoint, "name": "Theirs" }),
            ),
            (
                (B, Who::Admin),
                "webhookEndpointDelete",
                json!({ "id": endpoint }),
            ),
            (
                (B, Who::Admin),
                "webhookEndpointPing",
                json!({ "webhookEndpointId": endpoint }),
            ),
            (
                (A, Who::Rep),
                "webhookEndpointUpdate",
                json!({ "id": endpoint, "name": "Theirs" }),
            ),
            (
                (A, Who::Rep),
                "webhookEndpointRotateSecret",
                json!({ "id": endpoint }),
            ),
        ] {
            let refused = setting.call(caller, verb, "__typename", input).await;
            let code = refused["userErrors"][0]["code"].as_str().expect("a code");
            assert!(
                ["NOT_FOUND", "FORBIDDEN"].contains(&code),
                "{verb}: {refused}"
            );
        }
        for caller in [(B, Who::Admin), (A, Who::Rep)] {
            let token = token(world, caller.0, caller.1);
            let document =
                "query($id: ID!) { webhookEndpoint(id: $id) { url } node(id: $id) { __typename } }";
            let seen = setting
                .server
                .send(Some(&token), document, &json!({ "id": endpoint }))
                .await;
            assert_eq!(
                seen["data"],
                json!({ "webhookEndpoint": null, "node": null }),
                "{seen}"
            );
        }
        setting.end().await;
    });
}

#[test]
fn nothing_is_sent_to_addresses_of_the_inside_and_no_document_that_is_none() {
    test(async |world| {
        let setting = Setting::begin(world).await;
        let make = async |url: &str, subscription: Value| {
            let input = json!({ "name": "Inside", "url": url, "subscriptions": [subscription] });
            let made = setting
                .call(
                    (A, Who::Admin),
                    "webhookEndpointCreate",
                    "webhookEndpoint { id }",
                    input,
                )
                .await;
            let error = made["userErrors"][0].clone();
            let code = error["code"].as_str().unwrap_or_default().to_owned();
            let path = error["field"].as_array().cloned().unwrap_or_default();
            let path: Vec<_> = path.iter().skip(1).filter_map(Value::as_str).collect();
            (code, path.join("."))
        };
        let topic = json!({ "topic": "LEAD" });
        for url in [
            "https://169.254.169.254/latest",
            "https://10.0.0.1/",
            "https://[::ffff:10.0.0.1]/",
            "https://0x0a000001/",
            "http://hooks.example/",
            "ftp://hooks.example/",
            "https://user:secret@hooks.example/",
            "nonsense",
            "",
        ] {
            let (code, field) = make(url, topic.clone()).await;
            assert!(
                ["ADDRESS_REFUSED", "INVALID_URL"].contains(&code.as_str()),
                "{url}: {code}"
            );
            assert_eq!(field, "url");
        }
        let good = "https://hooks.example/x";
        for (subscription, code, field) in [
            (json!({}), "INVALID_SUBSCRIPTION", "subscriptions.0.topic"),
            (
                json!({ "topic": "LEAD", "document": "subscription { leadEvents { kind } }" }),
                "INVALID_SUBSCRIPTION",
                "subscriptions.0.topic",
            ),
            (
                json!({ "topic": "LEAD", "filter": { "nonsense": 1 } }),
                "INVALID_DOCUMENT",
                "subscriptions.0.document",
            ),
            (
                json!({ "document": "{ leads { nodes { id } } }" }),
                "INVALID_DOCUMENT",
                "subscriptions.0.document",
            ),
            (
                json!({ "document": "subscription { leadEvents { nonsense } }" }),
                "INVALID_DOCUMENT",
                "subscriptions.0.document",
            ),
            (
                json!({ "document": "subscription { pipelineStats(pipelineId: \"pipeline:01980000-0000-7000-8000-000000000001\") { __typename } }" }),
                "INVALID_DOCUMENT",
                "subscriptions.0.document",
            ),
            (
                json!({ "topic": "LEAD", "kinds": ["SYNCED"] }),
                "INVALID_SUBSCRIPTION",
                "subscriptions.0.kinds",
            ),
        ] {
            let made = make(good, subscription.clone()).await;
            assert_eq!(made, (code.to_owned(), field.to_owned()), "{subscription}");
        }
        assert_eq!(make(good, topic).await, (String::new(), String::new()));
        setting.end().await;
    });
}

#[test]
fn it_is_sent_what_whoever_changed_it_last_may_see_and_nothing_once_they_are_gone() {
    test(async |world| {
        let setting = Setting::begin(world).await;
        let receiver = Receiver::start().await;
        let (endpoint, _) = setting
            .endpoint(&receiver, json!([{ "topic": "OPPORTUNITY" }]))
            .await;
        setting.rename(1, "Seen by the admin").await;
        let whole = receiver.have(1).await[0].body["data"]["opportunity"].clone();
        assert!(whole["amount"].is_object(), "{whole}");
        // One who connects systems and is shown no amounts changes its name: from now on they answer for it.
        masked(&setting).await;
        let rename = json!({ "id": endpoint, "name": "Renamed" });
        let of = "webhookEndpoint { runsAs { user { id } } }";
        let renamed = setting
            .call((A, Who::Auditor), "webhookEndpointUpdate", of, rename)
            .await;
        assert_eq!(renamed["userErrors"], json!([]));
        setting.rename(1, "Seen by the auditor").await;
        let masked = receiver.have(2).await[1].body["data"]["opportunity"].clone();
        assert_eq!(masked["amount"], Value::Null, "{masked}");
        assert_eq!(masked["name"], "Seen by the auditor");

        setting
            .arrange(&format!(
                "UPDATE memberships SET status = 'SUSPENDED' WHERE tenant_id = '{}' AND user_id = '{}';
                 INSERT INTO access_changes (change_id, tenant_id) VALUES (gen_random_uuid(), '{0}')",
                A.uuid("tenant", 1),
                A.user(Who::Auditor).uuid()
            ))
            .await;
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        setting.rename(1, "Seen by nobody").await;
        let standing = setting
            .until(&endpoint, |standing| standing["enabled"] == false)
            .await;
        assert_eq!(standing["disabledReason"], "OWNER_GONE");
        receiver.only(2).await;
        setting.end().await;
    });
}

#[test]
fn whoever_turns_an_endpoint_to_themselves_gets_nothing_that_was_worked_out_for_others() {
    test(async |world| {
        let setting = Setting::begin(world).await;
        let (theirs, mine) = (Receiver::start().await, Receiver::start().await);
        let (endpoint, _) = setting
            .endpoint(&theirs, json!([{ "topic": "OPPORTUNITY" }]))
            .await;
        theirs.reply([Reply::of(503)]);
        setting.rename(1, "Not arrived yet").await;
        setting
            .until(&endpoint, |standing| standing["health"]["failures"] == 1)
            .await;
        let sent = setting.deliveries(&endpoint).await;
        let whole = "query($id: ID!) { webhookDelivery(id: $id) { body attempts { response } } }";
        let shown = setting.ask(whole, json!({ "id": sent[0]["id"] })).await;
        assert!(shown["webhookDelivery"]["body"]["data"]["opportunity"]["amount"].is_object());
        let auditor = masked(&setting).await;
        let seen = json!({ "query": whole, "variables": { "id": sent[0]["id"] } });
        let seen = setting.server.post(Some(&auditor), &seen).await;
        assert_eq!(
            seen["data"]["webhookDelivery"],
            json!({ "body": null, "attempts": [{ "response": null }] }),
            "{seen}"
        );
        let turn = json!({ "id": endpoint, "url": mine.url() });
        let turned = setting
            .call(
                (A, Who::Auditor),
                "webhookEndpointUpdate",
                "__typename",
                turn,
            )
            .await;
        assert_eq!(turned["userErrors"], json!([]));
        setting.let_pass("10 s").await;
        let arrived = mine.only(1).await[0].body["data"]["opportunity"].clone();
        assert_eq!(
            (&arrived["name"], &arrived["amount"]),
            (&json!("Not arrived yet"), &Value::Null)
        );
        setting.end().await;
    });
}

/// Lets the auditor connect systems, and keeps amounts from them; their token, once that holds.
async fn masked(setting: &Setting<'_>) -> String {
    setting
        .arrange(&format!(
            "UPDATE roles SET masks = '{{amounts}}', permissions = ARRAY['integrations:write', 'opportunities:read:all',
                 'companies:read:all', 'contacts:read:all', 'users:read'] WHERE role_id = '{}';
             INSERT INTO access_changes (change_id, tenant_id) VALUES (gen_random_uuid(), '{}')",
            A.uuid("role", 2),
            A.uuid("tenant", 1)
        ))
        .await;
    let auditor = token(setting.world, A, Who::Auditor);
    let document = json!({ "query": "{ viewer { masks } }" });
    for _ in 0..100 {
        let seen = setting.server.post(Some(&auditor), &document).await;
        if seen["data"]["viewer"]["masks"] == json!(["AMOUNTS"]) {
            return auditor;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the auditor is shown amounts still");
}
