//! The begin of a socket: who is there, and whether they may stay.

use std::sync::Arc;

use axum::extract::ws::{Message as Frame, WebSocket};
use tokio::time::timeout;

use super::{
    INIT_PATIENCE,
    frames::{End, close, receive},
    open::{Open, expiry, restarting, shut_out},
    protocol::{self, Close, Incoming},
};
use crate::{
    api::{
        Api,
        live::{Pass, Peer},
    },
    db::journal::Origin,
};

/// A socket that was just opened.
pub(super) struct Session {
    api: Arc<Api>,
    socket: WebSocket,
    origin: Origin,
}

impl Session {
    pub(super) fn new(api: Arc<Api>, socket: WebSocket, origin: Origin) -> Self {
        Self {
            api,
            socket,
            origin,
        }
    }

    /// Finds out who is there; closes it if they may not stay.
    ///
    /// What comes of it is boxed, so that a socket that stays open for hours keeps no room for having been opened.
    pub(super) async fn welcome(mut self) -> Option<Box<Open>> {
        if self.socket.protocol().is_none() {
            close(self.socket, Close::bad_subprotocol()).await;
            return None;
        }
        let closing = self.api.closing().clone();
        let greeted = timeout(INIT_PATIENCE, self.greet());
        let greeted = match closing.run_until_cancelled(greeted).await {
            None => Err(End::Close(restarting())),
            Some(greeted) => greeted.unwrap_or(Err(End::Close(Close::init_timeout()))),
        };
        let admitted = match greeted {
            Ok(token) => self.admit(token).await,
            Err(end) => Err(end),
        };
        match admitted {
            Ok(admitted) => Some(Box::new(Open::new(self.api, self.socket, admitted))),
            Err(End::Close(why)) => {
                close(self.socket, why).await;
                None
            }
            Err(End::Gone) => None,
        }
    }

    /// Waits for the first message; answers the token in it.
    async fn greet(&mut self) -> Result<Option<String>, End> {
        loop {
            match receive(&mut self.socket).await? {
                None => {}
                Some(Incoming::Init(token)) => return Ok(token),
                Some(Incoming::Ping(payload)) => {
                    let pong = Frame::Text(protocol::pong(payload).into());
                    self.socket.send(pong).await.map_err(|_| End::Gone)?;
                }
                Some(Incoming::Pong) => {}
                Some(_) => return Err(Close::unauthorized().into()),
            }
        }
    }

    async fn admit(&mut self, token: Option<String>) -> Result<(Peer, Pass), End> {
        let Some(token) = token else {
            let why = "send an access token as { \"authorization\": \"Bearer …\" } in the payload of connection_init";
            return Err(Close::forbidden(why).into());
        };
        let access = Arc::clone(self.api.access());
        let peer = Peer::admit(access, token, self.origin.clone()).await;
        let peer = peer.map_err(shut_out)?;
        let pass = self.api.admit(peer.actor());
        let pass = pass.map_err(|failure| Close::too_many(failure.message))?;
        let ack = Frame::Text(protocol::ack(&expiry(&peer)).into());
        self.socket.send(ack).await.map_err(|_| End::Gone)?;
        Ok((peer, pass))
    }
}
