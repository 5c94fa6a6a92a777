//! One socket that subscribes, and what comes out of it.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use memchr::memmem;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Message, client::IntoClientRequest as _, http::HeaderValue, protocol::WebSocketConfig,
    },
};

use crate::Outcome;

/// The subprotocol.
pub(super) const PROTOCOL: &str = "graphql-transport-ws";
const CURSOR: &str = "\"cursor\":\"";

pub(super) type Frames = WebSocketStream<TcpStream>;

/// Buffers for a socket that is one of ten thousand.
pub(super) fn small_buffers() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
}

/// Opens a socket and subscribes; live when this returns. Pings are answered by the listener that has it then, which
/// has to be within three quarters of a minute.
pub(super) async fn open(address: SocketAddr, token: &str, document: &str) -> Outcome<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut request = format!("ws://{address}/graphql").into_client_request()?;
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", HeaderValue::from_static(PROTOCOL));
    let (mut frames, _) = client_async_with_config(request, stream, Some(small_buffers())).await?;

    let bearer = format!("Bearer {token}");
    let init = json!({ "type": "connection_init", "payload": { "authorization": bearer } });
    frames.send(Message::text(init.to_string())).await?;
    expect(&mut frames, "\"connection_ack\"").await?;
    let subscribe = json!({ "id": "1", "type": "subscribe", "payload": { "query": document } });
    frames.send(Message::text(subscribe.to_string())).await?;
    expect(&mut frames, "\"SYNCED\"").await?;
    Ok(frames.into_inner())
}

async fn expect(frames: &mut Frames, what: &str) -> Outcome<()> {
    while let Some(message) = frames.next().await {
        match message? {
            Message::Text(text) if text.contains(what) => return Ok(()),
            Message::Ping(_) | Message::Pong(_) => {}
            other => return Err(format!("{what} was expected and {other} came").into()),
        }
    }
    Err(format!("{what} was expected and the socket ended").into())
}

/// The number of the event that a message is about. It is not parsed: that would take longer than all else.
pub(super) fn event(text: &str) -> Result<Option<i64>, String> {
    let has = |part: &str| memmem::find(text.as_bytes(), part.as_bytes());
    if has("\"kind\":\"SYNCED\"").is_some() {
        return Ok(None);
    }
    let number = || {
        let cursor = text[has(CURSOR)? + CURSOR.len()..].split('"').next()?;
        cursor.rsplit_once('.')?.1.parse().ok()
    };
    match number() {
        Some(seq) if has("\"errors\"").is_none() => Ok(Some(seq)),
        _ => Err(text.to_owned()),
    }
}

/// The same message about another event, as long as it was.
pub(super) fn renumbered(message: &str, seq: i64) -> Option<String> {
    let from = message.find(CURSOR)? + CURSOR.len();
    let end = from + message[from..].find('"')?;
    let dot = from + message[from..end].rfind('.')?;
    let width = end - dot - 1;
    Some(format!(
        "{}.{seq:0width$}{}",
        &message[..dot],
        &message[end..]
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = r#"{"id":"1","type":"next","payload":{"data":{"e":{"kind":"MOVED","cursor":"00ff.1234","x":"."}}}}"#;

    #[test]
    fn events_are_told_from_announcements_and_errors() {
        let of = |text: &str| event(text);
        assert_eq!(of(MESSAGE), Ok(Some(1234)));
        assert_eq!(of(&MESSAGE.replace("MOVED", "SYNCED")), Ok(None));
        assert!(of(r#"{"id":"1","type":"error","payload":[]}"#).is_err());
    }

    #[test]
    fn a_message_keeps_its_length() {
        let other = renumbered(MESSAGE, 7).unwrap();
        assert_eq!(event(&other), Ok(Some(7)));
        assert_eq!(other.len(), MESSAGE.len());
    }
}
