//! The life of one socket.

use std::{
    collections::HashMap,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::extract::ws::{CloseFrame, Message as Frame, WebSocket};
use chrono::SecondsFormat;
use futures_util::{SinkExt as _, StreamExt as _, future::BoxFuture};
use serde_json::{Map, Value as Json, json};
use tokio::{task::AbortHandle, time::timeout};

use super::{
    INIT_PATIENCE,
    protocol::{self, Close, Incoming},
};
use crate::{
    audit::Origin,
    error::Error,
    graphql::{
        Api,
        http::prepare_subscription,
        live::{
            Checked, Failure, Line, OperationId, Outbox, Parcel, Pass, Peer, Refused, Seat, Start,
            rights_changed,
        },
    },
};

/// How often a sign of life is asked for.
const PING_EVERY: Duration = Duration::from_secs(20);
/// Without one for so long the client is gone.
const SILENCE: Duration = Duration::from_secs(45);
/// How long a client may take nothing of what is sent.
const SEND_PATIENCE: Duration = Duration::from_secs(20);
/// How long the other end may take to close.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);
/// Clients come back within this after a restart, each at another moment.
const RETURN_WITHIN_MS: u64 = 5_000;

/// A socket that was just opened.
pub(super) struct Session {
    api: Arc<Api>,
    socket: WebSocket,
    origin: Origin,
}

/// How a socket ends.
enum End {
    /// By us, for a reason.
    Close(Close),
    /// The other end is gone or broken.
    Gone,
}

impl From<Close> for End {
    fn from(close: Close) -> Self {
        Self::Close(close)
    }
}

/// An operation of a client.
struct Operation {
    id: OperationId,
    /// What it asked for, to go on with it after an interruption.
    payload: Box<str>,
    state: State,
}

enum State {
    Opening(AbortHandle),
    Open(#[expect(dead_code, reason = "held for as long as the subscription lasts")] Seat),
}

impl Drop for Operation {
    fn drop(&mut self) {
        if let State::Opening(opening) = &self.state {
            opening.abort();
        }
    }
}

/// A socket whose client is known.
struct Open {
    api: Arc<Api>,
    socket: WebSocket,
    peer: Peer,
    _pass: Pass,
    outbox: Arc<Outbox>,
    operations: HashMap<Box<str>, Operation>,
}

impl Session {
    pub(super) fn new(api: Arc<Api>, socket: WebSocket, origin: Origin) -> Self {
        Self {
            api,
            socket,
            origin,
        }
    }

    /// Serves it to its end.
    pub(super) async fn run(mut self) {
        if self.socket.protocol().is_none() {
            return close(self.socket, Close::bad_subprotocol()).await;
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
        let (peer, pass) = match admitted {
            Ok(admitted) => admitted,
            Err(End::Close(why)) => return close(self.socket, why).await,
            Err(End::Gone) => return,
        };
        let mut open = Open {
            api: self.api,
            socket: self.socket,
            peer,
            _pass: pass,
            outbox: Arc::default(),
            operations: HashMap::new(),
        };
        let end = open.serve().await;
        open.outbox.close();
        open.operations.clear();
        if let End::Close(why) = end {
            close(open.socket, why).await;
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

impl Open {
    async fn serve(&mut self) -> End {
        let closing = self.api.closing().clone();
        // Begun once: all sockets wait in one list for it, under one lock.
        let mut closing = pin!(closing.cancelled());
        let mut changed = self.peer.changed();
        let mut heard_at = Instant::now();
        // Sockets that were opened together need not be asked together.
        let first = tokio::time::Instant::now() + PING_EVERY.mul_f32(0.5 + fastrand::f32() / 2.0);
        let mut ping = tokio::time::interval_at(first, PING_EVERY);
        loop {
            // What waits to be sent comes first, since that is why most are woken, by the thousand. It can't keep the client
            // from being heard for long: who is told more than the socket takes is told that it lags.
            let served = tokio::select! {
                biased;
                parcel = self.outbox.next() => self.deliver(parcel, &mut changed).await,
                received = receive(&mut self.socket) => {
                    heard_at = Instant::now();
                    match received {
                        Ok(Some(message)) => self.hear(message, &mut changed).await,
                        Ok(None) => Ok(()),
                        Err(end) => Err(end),
                    }
                }
                () = &mut changed => self.check(None, &mut changed).await.map(drop),
                () = &mut closing => Err(restarting().into()),
                _ = ping.tick() => {
                    if heard_at.elapsed() > SILENCE {
                        Err(End::Gone)
                    } else {
                        self.send(Frame::Ping(axum::body::Bytes::new())).await
                    }
                }
            };
            if let Err(end) = served {
                return end;
            }
        }
    }

    async fn hear(
        &mut self,
        message: Incoming,
        changed: &mut BoxFuture<'static, ()>,
    ) -> Result<(), End> {
        match message {
            Incoming::Init(_) => Err(Close::too_many_inits().into()),
            Incoming::Pong => Ok(()),
            Incoming::Ping(payload) => self.say(protocol::pong(payload)).await,
            Incoming::Complete(id) => {
                self.operations.remove(id.as_str());
                Ok(())
            }
            Incoming::Subscribe(id, payload) => self.subscribe(id, payload).await,
            Incoming::Refresh(token) => self.refresh(token, changed).await,
        }
    }

    async fn subscribe(&mut self, id: String, payload: Map<String, Json>) -> Result<(), End> {
        if self.operations.contains_key(id.as_str()) {
            return Err(Close::taken(&id).into());
        }
        let most = self.api.limits().subscriptions;
        if self.operations.len() >= most {
            let failure = Failure::new(
                "TOO_MANY_SUBSCRIPTIONS",
                format!("a connection has at most {most} subscriptions at a time"),
            );
            return self
                .say(protocol::error(&id, json!([failure.to_json()])))
                .await;
        }
        let payload = Json::Object(payload).to_string().into_boxed_str();
        let operation = OperationId::from(id.as_str());
        let opening = self.open(&operation, &payload, Start::Asked);
        let operation = Operation {
            id: operation,
            payload,
            state: State::Opening(opening),
        };
        self.operations.insert(id.into_boxed_str(), operation);
        Ok(())
    }

    /// Begins an operation beside the socket, which goes on serving the others meanwhile.
    fn open(&self, operation: &OperationId, payload: &str, start: Start) -> AbortHandle {
        let (api, actor) = (Arc::clone(&self.api), Arc::clone(self.peer.actor()));
        let line = Line {
            operation: Arc::clone(operation),
            outbox: Arc::clone(&self.outbox),
        };
        let payload = payload.to_owned();
        let opening = tokio::spawn(async move {
            let opened = match prepare_subscription(&api, &actor, &payload).await {
                Ok(request) => api.live().open(actor, request, (line.clone(), start)).await,
                Err(failure) => Err(Refused::from(failure)),
            };
            let parcel = Parcel::Opened(line.operation, Box::new(opened));
            line.outbox.put(parcel);
        });
        opening.abort_handle()
    }

    /// Goes on with an operation after an event. It becomes another one of the same name, so that what its first opening
    /// has left to say can't be taken for the word of this one.
    fn reopen(&mut self, id: &str, seq: i64) {
        let Some(operation) = self.operations.remove(id) else {
            return;
        };
        let again = OperationId::from(id);
        let opening = self.open(&again, &operation.payload, Start::After(seq));
        let operation = Operation {
            id: again,
            payload: operation.payload.clone(),
            state: State::Opening(opening),
        };
        self.operations.insert(id.into(), operation);
    }

    /// Sends what waits, as much as there is, in one go.
    async fn deliver(
        &mut self,
        parcel: Parcel,
        changed: &mut BoxFuture<'static, ()>,
    ) -> Result<(), End> {
        let mut next = Some(parcel);
        while let Some(parcel) = next.take() {
            if let Some(text) = self.unpack(parcel, changed).await? {
                let fed = timeout(SEND_PATIENCE, self.socket.feed(Frame::Text(text.into()))).await;
                fed.map_err(|_| End::Gone)?.map_err(|_| End::Gone)?;
            }
            next = self.outbox.take();
        }
        let flushed = timeout(SEND_PATIENCE, self.socket.flush()).await;
        flushed.map_err(|_| End::Gone)?.map_err(|_| End::Gone)
    }

    /// What a parcel is to the client. One for an operation that has ended is nothing.
    async fn unpack(
        &mut self,
        parcel: Parcel,
        changed: &mut BoxFuture<'static, ()>,
    ) -> Result<Option<String>, End> {
        let id = match &parcel {
            Parcel::Next(id, _)
            | Parcel::Failed(id, _)
            | Parcel::Recheck(id, ..)
            | Parcel::Opened(id, _) => id,
        };
        let known = self.operations.get_mut(&**id);
        let Some(operation) = known.filter(|operation| Arc::ptr_eq(&operation.id, id)) else {
            return Ok(None);
        };
        match parcel {
            Parcel::Next(id, message) => Ok(Some(protocol::next(&id, &message.payload))),
            Parcel::Failed(id, failure) => {
                self.operations.remove(&*id);
                Ok(Some(protocol::error(&id, json!([failure.to_json()]))))
            }
            Parcel::Opened(id, opened) => match *opened {
                Ok(seat) => {
                    operation.state = State::Open(seat);
                    Ok(None)
                }
                Err(refused) => {
                    self.operations.remove(&*id);
                    Ok(Some(protocol::error(&id, refused.to_json())))
                }
            },
            Parcel::Recheck(id, seq, since) => {
                if self.check(Some(since), changed).await? == Checked::Same {
                    self.reopen(&id, seq);
                }
                Ok(None)
            }
        }
    }

    /// Finds out what the client may do now. With other rights than before, all it has was told by rights that are gone.
    async fn check(
        &mut self,
        since: Option<Instant>,
        changed: &mut BoxFuture<'static, ()>,
    ) -> Result<Checked, End> {
        let checked = self.peer.check(since).await.map_err(shut_out)?;
        *changed = self.peer.changed();
        if checked == Checked::Other {
            self.begin_anew().await?;
        }
        Ok(checked)
    }

    async fn begin_anew(&mut self) -> Result<(), End> {
        let failure = json!([rights_changed().to_json()]);
        for (id, _) in std::mem::take(&mut self.operations) {
            self.say(protocol::error(&id, failure.clone())).await?;
        }
        Ok(())
    }

    async fn refresh(
        &mut self,
        token: String,
        changed: &mut BoxFuture<'static, ()>,
    ) -> Result<(), End> {
        let refreshed = self.peer.refresh(token).await;
        let told = match &refreshed {
            Ok(_) => json!({ "tokenExpiresAt": expiry(&self.peer) }),
            Err(error) => json!({ "error": Failure::from(error.clone()).to_json() }),
        };
        *changed = self.peer.changed();
        if let Ok(Checked::Other) = refreshed {
            self.begin_anew().await?;
        }
        self.say(protocol::pong(Some(json!({ "refreshToken": told }))))
            .await
    }

    async fn say(&mut self, text: String) -> Result<(), End> {
        self.send(Frame::Text(text.into())).await
    }

    async fn send(&mut self, frame: Frame) -> Result<(), End> {
        let sent = timeout(SEND_PATIENCE, self.socket.send(frame)).await;
        sent.map_err(|_| End::Gone)?.map_err(|_| End::Gone)
    }
}

/// The next message; none for frames that say nothing.
async fn receive(socket: &mut WebSocket) -> Result<Option<Incoming>, End> {
    match socket.next().await {
        None => Err(End::Gone),
        Some(Ok(Frame::Text(text))) => Ok(Some(protocol::read(&text)?)),
        Some(Ok(Frame::Binary(_))) => {
            Err(Close::bad_message("expected text, not binary frames").into())
        }
        Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => Ok(None),
        Some(Ok(Frame::Close(_))) => {
            // The answer to it leaves when the socket is read on.
            _ = timeout(CLOSE_PATIENCE, socket.next()).await;
            Err(End::Gone)
        }
        Some(Err(error)) => Err(broken(&error)),
    }
}

/// A message that is too big is told so; anything else that breaks the protocol of frames ends in a broken socket.
fn broken(error: &axum::Error) -> End {
    match error.to_string().contains("too long") || error.to_string().contains("too big") {
        true => Close::too_big().into(),
        false => End::Gone,
    }
}

fn shut_out(error: Error) -> End {
    match error {
        Error::Unauthenticated(why) => Close::forbidden(why).into(),
        _ => Close::try_later().into(),
    }
}

fn restarting() -> Close {
    Close::restarting(fastrand::u64(..RETURN_WITHIN_MS))
}

fn expiry(peer: &Peer) -> String {
    let expires_at = peer.actor().expires_at;
    expires_at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Says why, and waits a moment for the other end to have heard it.
async fn close(mut socket: WebSocket, why: Close) {
    let frame = CloseFrame {
        code: why.code,
        reason: why.reason.into(),
    };
    let said = async {
        socket.send(Frame::Close(Some(frame))).await?;
        while let Some(Ok(_)) = socket.next().await {}
        Ok::<_, axum::Error>(())
    };
    _ = timeout(CLOSE_PATIENCE, said).await;
}
