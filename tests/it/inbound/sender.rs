//! A service that sends messages to an endpoint.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use dealgraph::{
    base::ids::{InboundEndpointId, TenantId},
    organization::inbound::EndpointAddress,
    platform::standard_webhooks::{SigningKey, sign},
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::harness::{Who, World};

/// An endpoint of tenant A, as its sender knows it.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) id: Value,
    pub(crate) path: String,
    pub(crate) secret: String,
}

/// A message of Standard Webhooks.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) id: String,
    pub(crate) timestamp: i64,
    pub(crate) body: String,
}

/// What a sender learns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Learned {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) retry_after: Option<String>,
    /// The names of all headers.
    pub(crate) headers: Vec<String>,
}

impl Sent {
    pub(crate) fn of(id: &str, body: &str) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let since = since.expect("it is later than 1970").as_secs();
        Self {
            id: id.to_owned(),
            timestamp: i64::try_from(since).expect("a time"),
            body: body.to_owned(),
        }
    }

    /// The same, so many seconds later.
    pub(crate) fn at(&self, later: i64) -> Self {
        Self {
            timestamp: self.timestamp + later,
            ..self.clone()
        }
    }
}

impl Endpoint {
    pub(crate) async fn standard(world: &World) -> Self {
        Self::make(world, json!({ "verification": "STANDARD_WEBHOOKS" })).await
    }

    pub(crate) async fn make(world: &World, mut input: Value) -> Self {
        input["name"] = json!("Shop");
        if input["handler"].is_null() {
            input["handler"] = json!("STORE_ONLY");
        }
        let document =
            "mutation($input: InboundEndpointCreateInput!) { inboundEndpointCreate(input: $input) {
            inboundEndpoint { id path } path secret userErrors { code field message } } }";
        let admin = world.a(Who::Admin);
        let made = admin.query_with(document, json!({ "input": input })).await;
        let made = &made["inboundEndpointCreate"];
        assert_eq!(made["userErrors"], json!([]), "{made}");
        let path = made["path"].as_str().expect("a path").to_owned();
        match &made["inboundEndpoint"]["path"] {
            Value::Null => world.secrets.add(&path),
            shown => assert_eq!(shown, &made["path"]),
        }
        Self {
            id: made["inboundEndpoint"]["id"].clone(),
            path,
            secret: made["secret"].as_str().expect("a secret").to_owned(),
        }
    }

    /// Gives it another secret.
    pub(crate) async fn rotate(&self, world: &World, hours: i32) -> Self {
        let document =
            "mutation($input: InboundEndpointRotateInput!) { inboundEndpointRotate(input: $input) {
            secret path userErrors { code } } }";
        let input = json!({ "input": { "id": self.id, "overlapHours": hours } });
        let rotated = world.a(Who::Admin).query_with(document, input).await;
        let rotated = &rotated["inboundEndpointRotate"];
        assert_eq!(
            (&rotated["userErrors"], &rotated["path"]),
            (&json!([]), &Value::Null)
        );
        Self {
            secret: rotated["secret"].as_str().expect("a secret").to_owned(),
            ..self.clone()
        }
    }

    /// Where the endpoint of the same id would be in another tenant.
    pub(crate) fn path_in(&self, tenant: TenantId) -> String {
        let id: InboundEndpointId = self.id.as_str().expect("an id").parse().expect("an id");
        EndpointAddress::open(tenant, id).path()
    }

    pub(crate) fn signature(&self, sent: &Sent) -> String {
        let key = SigningKey::parse(&self.secret).expect("a key");
        sign(&[key], &sent.id, sent.timestamp, sent.body.as_bytes())
    }

    /// The request of a message.
    pub(crate) fn request(
        &self,
        to: RequestBuilder,
        sent: &Sent,
        signature: &str,
    ) -> RequestBuilder {
        to.header("webhook-id", &sent.id)
            .header("webhook-timestamp", sent.timestamp)
            .header("webhook-signature", signature)
            .header("content-type", "application/json")
            .body(sent.body.clone())
    }

    pub(crate) async fn send(&self, world: &World, sent: &Sent) -> Learned {
        self.send_signed(world, sent, &self.signature(sent)).await
    }

    pub(crate) async fn send_signed(&self, world: &World, sent: &Sent, signature: &str) -> Learned {
        let to = world.to(Method::POST, &self.path);
        learn(self.request(to, sent, signature)).await
    }

    /// Sends a body that is no text.
    pub(crate) async fn send_bytes(&self, world: &World, id: &str, body: &[u8]) -> Learned {
        let sent = Sent::of(id, "");
        let key = SigningKey::parse(&self.secret).expect("a key");
        let signature = sign(&[key], &sent.id, sent.timestamp, body);
        let to = world.to(Method::POST, &self.path);
        learn(self.request(to, &sent, &signature).body(body.to_vec())).await
    }
}

async fn learn(request: RequestBuilder) -> Learned {
    let response = request.send().await.expect("the server answers");
    let headers = response.headers();
    let retry_after = headers.get("retry-after");
    let retry_after = retry_after.map(|value| value.to_str().expect("a text").to_owned());
    let mut names: Vec<_> = headers.keys().map(ToString::to_string).collect();
    names.sort();
    Learned {
        status: response.status().as_u16(),
        retry_after,
        headers: names,
        body: response.text().await.expect("the answer ends"),
    }
}

pub(crate) fn hmac_sha256(secret: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, text.as_bytes());
    let digits = tag.as_ref().iter();
    digits.map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn hmac_sha1(secret: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    STANDARD.encode(hmac::sign(&key, text.as_bytes()))
}
