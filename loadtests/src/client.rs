//! One kept HTTP connection, the way a browser or an app server holds it.
//!
//! goose's own client costs about 25 us of CPU per request, this one half of that. On a machine that the server
//! shares with its users, that half would be taken from the server.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, StatusCode,
    client::conn::http1::{SendRequest, handshake},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue},
    http::response::Parts,
};
use hyper_util::rt::TokioIo;
use memchr::memmem::Finder;
use tokio::net::TcpStream;

use crate::Outcome;

/// A request that is sent many times.
#[derive(Clone)]
pub(crate) struct Question {
    authorization: Option<HeaderValue>,
    forwarded_for: Option<HeaderValue>,
    request_id: Option<HeaderValue>,
    idempotency_key: Option<HeaderValue>,
    settings: Option<HeaderValue>,
    body: Bytes,
}

impl Question {
    /// One that says nothing of who asks.
    fn plain(document: &str, variables: &serde_json::Value) -> Self {
        let body = serde_json::json!({ "query": document, "variables": variables }).to_string();
        Self {
            authorization: None,
            forwarded_for: None,
            request_id: None,
            idempotency_key: None,
            settings: None,
            body: body.into(),
        }
    }

    pub(crate) fn new(token: &str, document: &str, variables: &serde_json::Value) -> Outcome<Self> {
        Ok(Self {
            authorization: Some(HeaderValue::try_from(format!("Bearer {token}"))?),
            ..Self::plain(document, variables)
        })
    }

    /// A request of a caller without a token, who comes from an address through a proxy.
    pub(crate) fn anonymous(
        address: &str,
        document: &str,
        variables: &serde_json::Value,
    ) -> Outcome<Self> {
        Ok(Self {
            forwarded_for: Some(HeaderValue::try_from(address)?),
            ..Self::plain(document, variables)
        })
    }

    /// One to PostGraphile, with the settings of Postgres that say who asks.
    pub(crate) fn of_settings(
        settings: &serde_json::Value,
        document: &str,
        variables: &serde_json::Value,
    ) -> Outcome<Self> {
        Ok(Self {
            settings: Some(HeaderValue::try_from(settings.to_string())?),
            ..Self::plain(document, variables)
        })
    }

    /// Another body by the same person.
    pub(crate) fn with_body(&self, body: String) -> Self {
        Self {
            body: body.into(),
            ..self.clone()
        }
    }

    /// The same request under a name, which the event log keeps.
    pub(crate) fn named(mut self, request_id: &str) -> Outcome<Self> {
        self.request_id = Some(HeaderValue::try_from(request_id)?);
        Ok(self)
    }

    /// The same request under a key by which it is done once, however often it is sent.
    pub(crate) fn keyed(mut self, key: &str) -> Outcome<Self> {
        self.idempotency_key = Some(HeaderValue::try_from(key)?);
        Ok(self)
    }
}

/// An open connection.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: HeaderValue,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self {
            sender,
            host: HeaderValue::try_from(address.to_string())?,
        })
    }

    /// Asks, reads the answer to its end and refuses one that is not good.
    pub(crate) async fn ask(&mut self, question: &Question) -> Outcome<Bytes> {
        let (status, body) = self.exchange(question).await?;
        if status == StatusCode::OK && is_good(&body) {
            return Ok(body);
        }
        let start: String = String::from_utf8_lossy(&body).chars().take(500).collect();
        Err(format!("the server answered {status}: {start}").into())
    }

    /// Asks and reads the answer to its end, whatever it is.
    pub(crate) async fn exchange(&mut self, question: &Question) -> Outcome<(StatusCode, Bytes)> {
        let (head, body) = self.exchange_all(question).await?;
        Ok((head.status, body))
    }

    /// The same with the answer's headers.
    pub(crate) async fn exchange_all(&mut self, question: &Question) -> Outcome<(Parts, Bytes)> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri("/graphql")
            .header(HOST, self.host.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(Full::new(question.body.clone()))?;
        let headers = request.headers_mut();
        if let Some(authorization) = &question.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        if let Some(address) = &question.forwarded_for {
            headers.insert("x-forwarded-for", address.clone());
        }
        if let Some(settings) = &question.settings {
            headers.insert("x-settings", settings.clone());
        }
        if let Some(id) = &question.request_id {
            headers.insert("x-request-id", id.clone());
        }
        if let Some(key) = &question.idempotency_key {
            headers.insert("idempotency-key", key.clone());
        }
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let (head, body) = response.into_parts();
        Ok((head, body.collect().await?.to_bytes()))
    }
}

/// Whether an answer has no errors. It is not parsed: that would cost as much as making it.
fn is_good(answer: &[u8]) -> bool {
    let has = |text: &str| Finder::new(text).find(answer).is_some();
    !has("\"errors\":[") && !has("\"userErrors\":[{")
}
