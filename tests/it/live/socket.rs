//! A client of graphql-transport-ws made of raw frames, so that a test sees every frame and every code.

use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, client_async, connect_async,
    tungstenite::{Message, client::IntoClientRequest as _, http::HeaderValue},
};

use crate::harness::{Client, Side, World};

/// Nothing takes as long as this, unless it never comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// How long a test listens for what must not come.
const SILENCE: Duration = Duration::from_millis(300);

/// A socket of a person.
pub(crate) struct Socket<'w> {
    frames: WebSocketStream<MaybeTlsStream<TcpStream>>,
    waiting: VecDeque<Value>,
    /// Operations that have received that they are live.
    live: HashSet<String>,
    world: Option<(&'w World, Side)>,
    sent: String,
}

impl<'w> Socket<'w> {
    /// A socket on which nothing was said yet.
    pub(crate) async fn raw(url: &str) -> Self {
        Self::raw_with(url, "graphql-transport-ws", None)
            .await
            .expect("the server takes sockets")
    }

    /// The same with another subprotocol or from another page; the status when it is refused.
    pub(crate) async fn raw_with(
        url: &str,
        protocol: &'static str,
        origin: Option<&'static str>,
    ) -> Result<Self, u16> {
        let mut request = url.into_client_request().expect("a request");
        let headers = request.headers_mut();
        if !protocol.is_empty() {
            headers.insert("sec-websocket-protocol", HeaderValue::from_static(protocol));
        }
        if let Some(origin) = origin {
            headers.insert("origin", HeaderValue::from_static(origin));
        }
        match connect_async(request).await {
            Ok((frames, _)) => Ok(Self {
                frames,
                waiting: VecDeque::new(),
                live: HashSet::new(),
                world: None,
                sent: String::new(),
            }),
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
                Err(response.status().as_u16())
            }
            // This client takes no answer without the subprotocol that it asked for.
            Err(tokio_tungstenite::tungstenite::Error::Protocol(_)) => Err(406),
            Err(error) => panic!("{error}"),
        }
    }

    /// A socket of a client of the world, acknowledged.
    pub(crate) async fn open(client: &Client<'w>) -> Self {
        let (world, side) = client.place();
        let mut socket = Self::raw(&world.socket_url()).await;
        socket.world = Some((world, side));
        socket.init(client.token().expect("a token")).await;
        socket
    }

    /// A socket whose client takes little at a time, so that what is not read soon waits at the server.
    pub(crate) async fn narrow(client: &Client<'w>) -> Self {
        let (world, side) = client.place();
        let url = world.socket_url();
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4_096).expect("a small buffer");
        let address = url.trim_start_matches("ws://").trim_end_matches("/graphql");
        let stream = socket.connect(address.parse().expect("an address")).await;
        let stream = MaybeTlsStream::Plain(stream.expect("the server listens"));
        let mut request = url.into_client_request().expect("a request");
        let protocol = HeaderValue::from_static("graphql-transport-ws");
        request
            .headers_mut()
            .insert("sec-websocket-protocol", protocol);
        let (frames, _) = client_async(request, stream).await.expect("a WebSocket");
        let mut socket = Self {
            frames,
            waiting: VecDeque::new(),
            live: HashSet::new(),
            world: Some((world, side)),
            sent: String::new(),
        };
        socket.init(client.token().expect("a token")).await;
        socket
    }

    /// A socket at any address by a token, acknowledged.
    pub(crate) async fn at(url: &str, token: &str) -> Self {
        let mut socket = Self::raw(url).await;
        socket.init(token).await;
        socket
    }

    async fn init(&mut self, token: &str) {
        let payload = json!({ "authorization": format!("Bearer {token}") });
        self.say(json!({ "type": "connection_init", "payload": payload }))
            .await;
        let ack = self.frame().await;
        assert_eq!(ack["type"], "connection_ack", "{ack}");
    }

    /// Sends a message.
    pub(crate) async fn say(&mut self, message: Value) {
        self.sent += &message.to_string();
        self.send(Message::Text(message.to_string().into())).await;
    }

    /// Sends a frame.
    pub(crate) async fn send(&mut self, frame: Message) {
        self.frames.send(frame).await.expect("the socket is open");
    }

    /// Subscribes, and waits until that is live.
    pub(crate) async fn subscribe(&mut self, id: &str, query: &str, variables: Value) -> Value {
        self.ask(id, query, variables).await;
        let first = self.event(id).await;
        assert_eq!(first["kind"], "SYNCED", "{first}");
        first
    }

    /// Subscribes.
    pub(crate) async fn ask(&mut self, id: &str, query: &str, variables: Value) {
        self.live.remove(id);
        let payload = json!({ "query": query, "variables": variables });
        self.say(json!({ "id": id, "type": "subscribe", "payload": payload }))
            .await;
    }

    /// The next event of a subscription; its pulse after the first one is passed over.
    pub(crate) async fn event(&mut self, id: &str) -> Value {
        loop {
            let event = self.next_event(id).await;
            if event["kind"] != "SYNCED" || self.live.insert(id.to_owned()) {
                return event;
            }
        }
    }

    /// The next event of a subscription, whatever it is: the value of its one field.
    pub(crate) async fn next_event(&mut self, id: &str) -> Value {
        let message = self.message(id).await;
        assert_eq!(message["type"], "next", "{message}");
        let payload = &message["payload"];
        assert!(payload.get("errors").is_none(), "{payload}");
        let data = payload["data"].as_object().expect("data");
        data.values().next().expect("one field").clone()
    }

    /// The next event of a subscription that is not only a sign of how far it is.
    pub(crate) async fn change(&mut self, id: &str) -> Value {
        loop {
            let event = self.event(id).await;
            if event["kind"] != "SYNCED" {
                return event;
            }
        }
    }

    /// The error that ends a subscription: its code, and where to resume.
    pub(crate) async fn failure(&mut self, id: &str) -> (String, Option<String>) {
        loop {
            let message = self.message(id).await;
            if message["type"] == "next" {
                continue;
            }
            assert_eq!(message["type"], "error", "{message}");
            let extensions = &message["payload"][0]["extensions"];
            let text = |value: &Value| value.as_str().map(str::to_owned);
            return (
                text(&extensions["code"]).unwrap_or_default(),
                text(&extensions["cursor"]),
            );
        }
    }

    /// The next message of an operation; those of others are kept.
    pub(crate) async fn message(&mut self, id: &str) -> Value {
        if let Some(at) = self.waiting.iter().position(|message| message["id"] == id) {
            return self.waiting.remove(at).expect("it is there");
        }
        loop {
            let message = self.frame().await;
            if message["id"] == id {
                return message;
            }
            self.waiting.push_back(message);
        }
    }

    /// The next message that is not of an operation.
    pub(crate) async fn frame(&mut self) -> Value {
        match self.next().await {
            Ok(message) => message,
            Err(close) => panic!("closed with {close:?}"),
        }
    }

    /// The code and the reason that the socket is closed with, whatever is said before.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Err(close) = self.next().await {
                return close;
            }
        }
    }

    /// Whether nothing more comes for a moment.
    pub(crate) async fn is_silent(&mut self) -> bool {
        if !self.waiting.iter().all(is_synced) {
            return false;
        }
        let said = async { while self.next().await.is_ok_and(|message| is_synced(&message)) {} };
        tokio::time::timeout(SILENCE, said).await.is_err()
    }

    async fn next(&mut self) -> Result<Value, (u16, String)> {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let frame = tokio::time::timeout_at(until, self.frames.next()).await;
            match frame.expect("something comes") {
                Some(Ok(Message::Text(text))) => {
                    if let Some((world, side)) = self.world {
                        world.refuse_leaks(side, &text, &self.sent);
                    }
                    return Ok(serde_json::from_str(&text).expect("messages are JSON"));
                }
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Err((frame.code.into(), frame.reason.to_string()));
                }
                Some(Ok(Message::Close(None)) | Err(_)) | None => {
                    return Err((1006, String::new()));
                }
                Some(Ok(_)) => {}
            }
        }
    }
}

/// Whether a message only says up to where all was sent.
fn is_synced(message: &Value) -> bool {
    let events = message["payload"]["data"].as_object();
    events.is_some_and(|events| events.values().all(|event| event["kind"] == "SYNCED"))
}
