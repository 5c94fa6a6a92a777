//! A server elsewhere: it keeps what it is sent and answers as the test says.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use dealgraph::platform::standard_webhooks::{SigningKey, verify};
use serde_json::Value;
use tokio::net::TcpListener;

/// How long something is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Something that was received.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) headers: HeaderMap,
    pub(super) bytes: Bytes,
    pub(super) body: Value,
}

impl Received {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().expect("text")
    }

    pub(super) fn id(&self) -> &str {
        self.header("webhook-id")
    }

    pub(super) fn kind(&self) -> &str {
        self.body["type"].as_str().expect("a type")
    }

    /// Whether a secret has signed it, just now.
    pub(super) fn is_signed_by(&self, secret: &str) -> bool {
        let key = SigningKey::parse(secret).expect("a secret");
        let [id, timestamp, signature] =
            ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| self.header(name));
        let now = dealgraph::base::clock::Clock::system().now();
        verify(&[key], id, timestamp, signature, &self.bytes, now).is_ok()
    }
}

/// What is answered.
#[derive(Debug, Clone, Default)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) after: Duration,
    pub(super) retry_after: Option<&'static str>,
}

impl Reply {
    pub(super) fn of(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }
}

#[derive(Default)]
struct Shared {
    received: Mutex<Vec<Received>>,
    replies: Mutex<VecDeque<Reply>>,
}

/// The server.
pub(super) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Receiver {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let app = Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, shared }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Has the next requests be answered otherwise than by 204.
    pub(super) fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        self.shared
            .replies
            .lock()
            .expect("unpoisoned")
            .extend(replies);
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().expect("unpoisoned").clone()
    }

    /// What it has received, once that is so much.
    pub(super) async fn have(&self, count: usize) -> Vec<Received> {
        let began = std::time::Instant::now();
        loop {
            let received = self.received();
            if received.len() >= count {
                return received;
            }
            let kinds: Vec<_> = received.iter().map(Received::kind).collect();
            assert!(began.elapsed() < PATIENCE, "{count}, and it has {kinds:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it has received, if that stays so for a while.
    pub(super) async fn only(&self, count: usize) -> Vec<Received> {
        self.have(count).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        let received = self.received();
        let kinds: Vec<_> = received.iter().map(Received::kind).collect();
        assert_eq!(received.len(), count, "{kinds:?}");
        received
    }
}

async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, bytes: Bytes) -> Response {
    let body = serde_json::from_slice(&bytes).unwrap_or_default();
    let received = Received {
        headers,
        bytes,
        body,
    };
    shared.received.lock().expect("unpoisoned").push(received);
    let reply = shared.replies.lock().expect("unpoisoned").pop_front();
    let Some(reply) = reply else {
        return StatusCode::NO_CONTENT.into_response();
    };
    tokio::time::sleep(reply.after).await;
    let status = StatusCode::from_u16(reply.status).expect("a status");
    let mut response = (status, format!("it is {status}")).into_response();
    if let Some(pause) = reply.retry_after {
        let value = pause.parse().expect("a header");
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}
