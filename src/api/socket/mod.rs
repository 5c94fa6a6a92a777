//! Subscriptions over WebSockets, by a handler of our own: the stock one waits for ever for the first message, takes
//! any number of operations, runs mutations over the socket, and never looks at when the token ends.
//!
//! A socket has to authenticate within 5 s, by a token in its first message and never in its address; then it may run a
//! bounded number of subscriptions. It is closed when its token expires, when its person may not stay, and when the
//! server shuts down. See `protocol.rs` for messages and codes.

mod frames;
mod handshake;
mod open;
mod protocol;
mod wake_gate;

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{FromRequestParts as _, ws::WebSocketUpgrade},
    http::request::Parts,
    response::{IntoResponse as _, Response},
};

use super::Api;
use crate::db::journal::Origin;
use handshake::Handshake;

/// What is read at a time, in bytes; the usual 128 kB are for few sockets with much to say. It is cleared before every
/// read, and held by every socket.
const BUFFER: usize = 1024;
/// How much may wait to be written; a message more than that breaks the socket.
const LARGEST_WAITING: usize = 32 * 1024 * 1024;

/// How soon the first message has to arrive.
const INIT_PATIENCE: Duration = Duration::from_secs(5);

/// Whether a request asks to become a WebSocket.
pub(super) fn is_upgrade(parts: &Parts) -> bool {
    let upgrade = parts.headers.get(axum::http::header::UPGRADE);
    upgrade.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Makes a WebSocket of a request.
pub(super) async fn upgrade(api: &Arc<Api>, parts: &mut Parts, origin: Origin) -> Response {
    let upgrade = match WebSocketUpgrade::from_request_parts(parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(refusal) => return refusal.into_response(),
    };
    let api = Arc::clone(api);
    let largest = api.limits().socket_message_bytes;
    upgrade
        .protocols([protocol::NAME])
        .read_buffer_size(BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(LARGEST_WAITING)
        .max_message_size(largest)
        .max_frame_size(largest)
        .on_upgrade(async move |socket| {
            // A server that shuts down waits for its sockets to be closed properly.
            let connections = api.connections().clone();
            let served = async {
                let handshake = Handshake::new(api, socket, origin);
                if let Some(open) = Box::pin(handshake.accept()).await {
                    open.run().await;
                }
            };
            connections.track_future(served).await;
        })
}
