//! Subscribing over a WebSocket: any number of operations on one connection.

use std::{net::SocketAddr, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use nix::sys::socket::{setsockopt, sockopt::TcpMaxSeg};
use serde_json::{Value as Json, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest as _, http::HeaderValue},
};

use super::line::{Frame, Wanted};
use crate::{Outcome, soak::readers::EARLY};

const PATIENCE: Duration = Duration::from_secs(8);
/// So little is taken in by who reads slowly, in bytes.
const NARROW: u32 = 4 * 1024;
/// So little comes at a time to them. Without it the kernel keeps megabytes for who does not read.
const SEGMENT: u32 = 536;

pub(super) struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    pub(super) async fn open(address: SocketAddr, token: &str, is_narrow: bool) -> Outcome<Self> {
        let opened = tokio::time::timeout(PATIENCE, Self::greet(address, token, is_narrow));
        opened
            .await
            .map_err(|_| "the socket did not open in time")?
    }

    async fn greet(address: SocketAddr, token: &str, is_narrow: bool) -> Outcome<Self> {
        let socket = TcpSocket::new_v4()?;
        if is_narrow {
            socket.set_recv_buffer_size(NARROW)?;
            setsockopt(&socket, TcpMaxSeg, &SEGMENT)?;
        }
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        let mut request = format!("ws://{address}/graphql").into_client_request()?;
        let protocol = HeaderValue::from_static("graphql-transport-ws");
        request
            .headers_mut()
            .insert("sec-websocket-protocol", protocol);
        let (socket, _) = client_async(request, stream).await?;
        let mut socket = Self(socket);
        let payload = json!({ "authorization": format!("Bearer {token}") });
        socket
            .say(json!({ "type": "connection_init", "payload": payload }))
            .await?;
        match socket.hear().await {
            Frame::Other => Ok(socket),
            Frame::Closed(why) => Err(why.into()),
            other => Err(format!("expected connection_ack, got {other:?}").into()),
        }
    }

    pub(super) async fn subscribe(&mut self, wanted: &Wanted) -> Outcome<()> {
        let payload = json!({ "query": wanted.document, "variables": wanted.variables });
        let id = wanted.operation.to_string();
        self.say(json!({ "type": "subscribe", "id": id, "payload": payload }))
            .await
    }

    pub(super) async fn hear(&mut self) -> Frame {
        match self.0.next().await {
            None => Frame::Closed("cut".to_owned()),
            Some(Err(_)) => Frame::Closed("cut".to_owned()),
            Some(Ok(Message::Close(frame))) => Frame::Closed(match frame {
                Some(frame) if frame.reason.contains(EARLY) => EARLY.to_owned(),
                Some(frame) => format!("closed with {}", u16::from(frame.code)),
                None => "closed".to_owned(),
            }),
            Some(Ok(Message::Text(text))) => read(&text),
            Some(Ok(_)) => Frame::Other,
        }
    }

    async fn say(&mut self, message: Json) -> Outcome<()> {
        Ok(self.0.send(Message::text(message.to_string())).await?)
    }
}

fn read(text: &str) -> Frame {
    let Ok(mut message) = serde_json::from_str::<Json>(text) else {
        return Frame::Closed(format!("not JSON: {text}"));
    };
    let id = message["id"]
        .as_str()
        .and_then(|id| id.parse().ok())
        .unwrap_or_default();
    match message["type"].as_str() {
        Some("next") => Frame::Next(id, message["payload"].take()),
        Some("error") => Frame::Failed(id, message["payload"][0].take()),
        Some("complete") => Frame::Failed(id, json!({ "message": "it was completed" })),
        _ => Frame::Other,
    }
}
