//! The handshake of a socket: who the client is, and whether it may stay.

use std::sync::Arc;

use axum::extract::ws::{Message as Frame, WebSocket};
use tokio::time::timeout;

use super::{
    INIT_PATIENCE,
    frames::{SocketEnd, close, receive},
    open::{OpenSocket, expiry, rejected, restarting},
    protocol::{self, Close, Incoming},
};
use crate::{
    api::{
        Api,
        live::{ConnectionPermit, Peer},
    },
    db::journal::Origin,
};

/// A socket that was just opened.
pub(super) struct Handshake {
    api: Arc<Api>,
    socket: WebSocket,
    origin: Origin,
}

impl Handshake {
    pub(super) fn new(api: Arc<Api>, socket: WebSocket, origin: Origin) -> Self {
        Self {
            api,
            socket,
            origin,
        }
    }

    /// Authenticates the client, or closes the socket.
    ///
    /// The result is boxed, so that a socket that stays open for hours keeps no memory of its handshake.
    pub(super) async fn accept(mut self) -> Option<Box<OpenSocket>> {
        if self.socket.protocol().is_none() {
            close(self.socket, Close::bad_subprotocol()).await;
            return None;
        }
        let api = Arc::clone(&self.api);
        let init = tokio::select! {
            init = timeout(INIT_PATIENCE, self.read_init()) => {
                init.unwrap_or(Err(SocketEnd::Close(Close::init_timeout())))
            }
            () = api.leaving() => Err(SocketEnd::Close(restarting())),
        };
        let admitted = match init {
            Ok(token) => self.admit(token).await,
            Err(end) => Err(end),
        };
        match admitted {
            Ok((peer, permit)) => Some(Box::new(OpenSocket::new(
                self.api,
                self.socket,
                peer,
                permit,
            ))),
            Err(SocketEnd::Close(why)) => {
                close(self.socket, why).await;
                None
            }
            Err(SocketEnd::Gone) => None,
        }
    }

    /// Waits for `connection_init`; answers the token in it.
    async fn read_init(&mut self) -> Result<Option<String>, SocketEnd> {
        loop {
            match receive(&mut self.socket).await? {
                None => {}
                Some(Incoming::Init(token)) => return Ok(token),
                Some(Incoming::Ping(payload)) => {
                    let pong = Frame::Text(protocol::pong(payload).into());
                    self.socket.send(pong).await.map_err(|_| SocketEnd::Gone)?;
                }
                Some(Incoming::Pong) => {}
                Some(_) => return Err(Close::unauthorized().into()),
            }
        }
    }

    async fn admit(
        &mut self,
        token: Option<String>,
    ) -> Result<(Peer, ConnectionPermit), SocketEnd> {
        let Some(token) = token else {
            let why = "send an access token as { \"authorization\": \"Bearer …\" } in the payload of connection_init";
            return Err(Close::forbidden(why).into());
        };
        let access = Arc::clone(self.api.access());
        let peer = Peer::admit(access, token, self.origin.clone()).await;
        let peer = peer.map_err(rejected)?;
        let permit = self.api.admit(peer.actor());
        let permit = permit.map_err(|failure| Close::too_many(failure.message))?;
        let ack = Frame::Text(protocol::ack(&expiry(&peer)).into());
        self.socket.send(ack).await.map_err(|_| SocketEnd::Gone)?;
        Ok((peer, permit))
    }
}
