//! A form, and those who post to it.

use reqwest::{Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};

use crate::harness::{Who, World};

/// The page that may post.
pub(super) const PAGE: &str = "https://shop.example";

/// A form of tenant A.
#[derive(Debug, Clone)]
pub(super) struct Form {
    pub(super) id: Value,
    pub(super) path: String,
}

/// What is answered.
#[derive(Debug, Clone)]
pub(super) struct Posted {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Posted {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(name)?;
        Some(value.to_str().expect("a text"))
    }

    pub(super) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }
}

impl Form {
    /// A form for a name, an address and more, of the page; with what the input says beside.
    pub(super) async fn make(world: &World, input: Value) -> Self {
        let mut all = json!({ "name": "Fair", "allowedOrigins": [PAGE], "mapping": [
            { "name": "name", "target": "FULL_NAME", "required": true },
            { "name": "email", "target": "EMAIL", "required": true },
            { "name": "phone", "target": "PHONE" },
            { "name": "company", "target": "COMPANY_NAME" },
            { "name": "message", "target": "NOTES", "maxLength": 500 },
        ] });
        for (name, value) in input.as_object().expect("an object") {
            all[name] = value.clone();
        }
        let document = "mutation($input: LeadFormCreateInput!) { leadFormCreate(input: $input) {
            leadForm { id path } userErrors { code field message } } }";
        let admin = world.a(Who::Admin);
        let made = admin.query_with(document, json!({ "input": all })).await;
        let made = &made["leadFormCreate"];
        assert_eq!(made["userErrors"], json!([]), "{made}");
        Self {
            id: made["leadForm"]["id"].clone(),
            path: made["leadForm"]["path"]
                .as_str()
                .expect("a path")
                .to_owned(),
        }
    }

    pub(super) fn request(
        &self,
        world: &World,
        method: Method,
        origin: Option<&str>,
    ) -> RequestBuilder {
        let request = world.to(method, &self.path);
        match origin {
            Some(origin) => request.header("origin", origin),
            None => request,
        }
    }

    pub(super) async fn preflight(&self, world: &World, origin: &str) -> Posted {
        let request = self.request(world, Method::OPTIONS, Some(origin));
        let request = request
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type");
        answered(request).await
    }

    pub(super) async fn post_json(
        &self,
        world: &World,
        origin: Option<&str>,
        posted: &Value,
    ) -> Posted {
        let request = self.request(world, Method::POST, origin).json(posted);
        answered(request).await
    }

    /// Posts a body of a type.
    pub(super) async fn post(
        &self,
        world: &World,
        kind: &str,
        body: impl Into<reqwest::Body>,
    ) -> Posted {
        let request = self.request(world, Method::POST, None);
        answered(request.header("content-type", kind).body(body)).await
    }

    /// What was posted to it, the newest first.
    pub(super) async fn submissions(&self, world: &World, who: Who) -> Vec<Value> {
        let document = "query($id: ID!) { leadFormSubmissions(first: 50, filter: { formId: { eq: $id } }) { nodes {
            id outcome reasonCode reasonField lead { id } consentText consentVersion pageUrl network extra } } }";
        let client = world.a(who);
        let found = client.query_with(document, json!({ "id": self.id })).await;
        let nodes = found["leadFormSubmissions"]["nodes"].as_array();
        nodes.cloned().expect("a list")
    }
}

pub(super) async fn answered(request: RequestBuilder) -> Posted {
    let response = request.send().await.expect("the server answers");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.expect("the answer ends");
    Posted {
        status,
        headers,
        body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
    }
}
