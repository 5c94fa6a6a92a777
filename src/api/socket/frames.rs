//! Frames of a socket: receiving them, and sending them for as long as the client reads.

use std::{pin::pin, time::Duration};

use axum::extract::ws::{CloseFrame, Message as Frame, WebSocket};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::timeout;

use super::protocol::{self, Close, Incoming};

/// How long a client may read nothing of what is sent.
const SEND_PATIENCE: Duration = Duration::from_secs(20);
/// How long the other end may take to close.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// How a socket ends.
pub(super) enum SocketEnd {
    /// By us, for a reason.
    Close(Close),
    /// The other end is gone or broken.
    Gone,
}

impl From<Close> for SocketEnd {
    fn from(close: Close) -> Self {
        Self::Close(close)
    }
}

/// Sends for as long as the client reads. Most is sent at once, and then no timer is set up for it.
pub(super) async fn patiently(
    sending: impl Future<Output = Result<(), axum::Error>>,
) -> Result<(), SocketEnd> {
    let mut sending = pin!(sending);
    let sent = match sending.as_mut().now_or_never() {
        Some(sent) => sent,
        None => timeout(SEND_PATIENCE, sending)
            .await
            .map_err(|_| SocketEnd::Gone)?,
    };
    sent.map_err(|_| SocketEnd::Gone)
}

/// The next message; none for frames that say nothing.
pub(super) async fn receive(socket: &mut WebSocket) -> Result<Option<Incoming>, SocketEnd> {
    let frame = socket.next().await;
    read(socket, frame).await
}

/// The message in a frame that was received, if there is one.
pub(super) async fn read(
    socket: &mut WebSocket,
    frame: Option<Result<Frame, axum::Error>>,
) -> Result<Option<Incoming>, SocketEnd> {
    match frame {
        None => Err(SocketEnd::Gone),
        Some(Ok(Frame::Text(text))) => Ok(Some(protocol::read(&text)?)),
        Some(Ok(Frame::Binary(_))) => {
            Err(Close::bad_message("expected text, not binary frames").into())
        }
        Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => Ok(None),
        Some(Ok(Frame::Close(_))) => {
            // The answer to it leaves when the socket is read on.
            _ = timeout(CLOSE_PATIENCE, socket.next()).await;
            Err(SocketEnd::Gone)
        }
        Some(Err(error)) => Err(broken(&error)),
    }
}

/// A frame that is too big closes with a reason; anything else that breaks the framing protocol just ends the socket.
fn broken(error: &axum::Error) -> SocketEnd {
    match error.to_string().contains("too long") || error.to_string().contains("too big") {
        true => Close::too_big().into(),
        false => SocketEnd::Gone,
    }
}

/// Sends the close frame, and waits a moment for the other end to answer it.
pub(super) async fn close(mut socket: WebSocket, why: Close) {
    let frame = CloseFrame {
        code: why.code,
        reason: why.reason.into(),
    };
    let closed = async {
        socket.send(Frame::Close(Some(frame))).await?;
        while let Some(Ok(_)) = socket.next().await {}
        Ok::<_, axum::Error>(())
    };
    _ = timeout(CLOSE_PATIENCE, closed).await;
}
