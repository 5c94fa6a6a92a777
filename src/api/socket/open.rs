//! The life of a socket whose client is known: what it asks to be told, and being told.

use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use axum::extract::ws::{Message as Frame, WebSocket};
use chrono::SecondsFormat;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _, future::BoxFuture};
use serde_json::{Map, Value as Json, json};
use tokio::task::AbortHandle;

use super::{
    frames::{End, close, patiently, read},
    protocol::{self, Close, Incoming},
    wake_gate::Bell,
};
use crate::{
    api::{
        Api,
        http::prepare_subscription,
        live::{
            Checked, Failure, Line, OperationId, Outbox, Parcel, Pass, Peer, Refused, Seat, Start,
            rights_changed,
        },
    },
    base::error::Error,
};

/// How often a sign of life is asked for.
const PING_EVERY: Duration = Duration::from_secs(20);
/// Without one for so long the client is gone.
const SILENCE: Duration = Duration::from_secs(45);
/// Clients come back within this after a restart, each at another moment.
const RETURN_WITHIN_MS: u64 = 5_000;

/// A socket whose client is known.
pub(super) struct Open {
    api: Arc<Api>,
    socket: WebSocket,
    peer: Peer,
    _pass: Pass,
    outbox: Arc<Outbox>,
    /// Mostly one or two, so that looking through them costs less than an index, which every event would have to fetch.
    operations: Vec<Operation>,
    /// Resolves when the client's rights may have changed.
    changed: BoxFuture<'static, ()>,
    /// All but the outbox stands behind it.
    bell: Bell,
}

/// What a socket has waited for.
enum Happened {
    /// There is something to send.
    Left(Parcel),
    /// A frame has arrived, or the socket has ended.
    Received(Option<Result<Frame, axum::Error>>),
    /// The client's rights may have changed.
    Changed,
    /// The server ends.
    Closing,
    /// It is time for a sign of life.
    Tick,
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

impl Open {
    pub(super) fn new(api: Arc<Api>, socket: WebSocket, (peer, pass): (Peer, Pass)) -> Self {
        Self {
            api,
            socket,
            changed: peer.changed(),
            bell: Bell::new(),
            peer,
            _pass: pass,
            outbox: Arc::default(),
            operations: Vec::new(),
        }
    }

    /// Serves it to its end.
    pub(super) async fn run(mut self: Box<Self>) {
        let end = self.serve().await;
        self.outbox.close();
        self.operations.clear();
        if let End::Close(why) = end {
            close(self.socket, why).await;
        }
    }

    async fn serve(&mut self) -> End {
        let closing = self.api.closing().clone();
        // Begun once: all sockets wait in one list for it, under one lock.
        let mut closing = pin!(closing.cancelled());
        let mut heard_at = Instant::now();
        // Sockets that were opened together need not be asked together.
        let first = tokio::time::Instant::now() + PING_EVERY.mul_f32(0.5 + fastrand::f32() / 2.0);
        let mut ping = tokio::time::interval_at(first, PING_EVERY);
        let mut has_sent = false;
        loop {
            // What waits to be sent comes first, since that is why most are woken, by the thousand. Whatever else has called
            // has its turn after that, and would wait for ever otherwise where something is always waiting to be sent.
            let comes_second = has_sent && self.bell.has_rung();
            let happened = poll_fn(|cx| {
                if !comes_second && let Poll::Ready(parcel) = self.outbox.poll_next(cx) {
                    return Poll::Ready(Happened::Left(parcel));
                }
                let other = self.bell.poll(cx, |cx| {
                    if let Poll::Ready(frame) = self.socket.poll_next_unpin(cx) {
                        return Poll::Ready(Happened::Received(frame));
                    }
                    if self.changed.poll_unpin(cx).is_ready() {
                        return Poll::Ready(Happened::Changed);
                    }
                    if closing.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(Happened::Closing);
                    }
                    ping.poll_tick(cx).map(|_| Happened::Tick)
                });
                match other {
                    Poll::Pending if comes_second => self.outbox.poll_next(cx).map(Happened::Left),
                    other => other,
                }
            });
            let happened = happened.await;
            has_sent = matches!(happened, Happened::Left(_));
            let served = match happened {
                Happened::Left(parcel) => self.deliver(parcel).await,
                Happened::Received(frame) => {
                    heard_at = Instant::now();
                    match read(&mut self.socket, frame).await {
                        Ok(Some(message)) => self.hear(message).await,
                        Ok(None) => Ok(()),
                        Err(end) => Err(end),
                    }
                }
                Happened::Changed => self.check(None).await.map(drop),
                Happened::Closing => Err(restarting().into()),
                Happened::Tick if heard_at.elapsed() > SILENCE => Err(End::Gone),
                Happened::Tick => self.send(Frame::Ping(axum::body::Bytes::new())).await,
            };
            if let Err(end) = served {
                return end;
            }
        }
    }

    async fn hear(&mut self, message: Incoming) -> Result<(), End> {
        match message {
            Incoming::Init(_) => Err(Close::too_many_inits().into()),
            Incoming::Pong => Ok(()),
            Incoming::Ping(payload) => self.say(protocol::pong(payload)).await,
            Incoming::Complete(id) => {
                self.operations.retain(|operation| *operation.id != *id);
                Ok(())
            }
            Incoming::Subscribe(id, payload) => self.subscribe(id, payload).await,
            Incoming::Refresh(token) => self.refresh(token).await,
        }
    }

    async fn subscribe(&mut self, id: String, payload: Map<String, Json>) -> Result<(), End> {
        let is_taken = |operation: &Operation| *operation.id == *id;
        if self.operations.iter().any(is_taken) {
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
        self.operations.push(Operation {
            id: operation,
            payload,
            state: State::Opening(opening),
        });
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
            let opened = match prepare_subscription(&api, &actor, (&payload, &start)).await {
                Ok(asked) => api.live().open(actor, &asked, (line.clone(), start)).await,
                Err(failure) => Err(Refused::from(failure)),
            };
            let parcel = Parcel::Opened(line.operation, Box::new(opened));
            line.outbox.put(parcel);
        });
        opening.abort_handle()
    }

    /// Goes on with an operation after an event. It becomes another one of the same name, so that what its first opening
    /// has left to say can't be taken for the word of this one.
    fn reopen(&mut self, id: &OperationId, seq: i64) {
        let Some(place) = self.place(id) else {
            return;
        };
        let again = OperationId::from(&**id);
        let payload = self.operations[place].payload.clone();
        let opening = self.open(&again, &payload, Start::After(seq));
        self.operations[place] = Operation {
            id: again,
            payload,
            state: State::Opening(opening),
        };
    }

    /// Where an operation is, unless it has ended: a later one of the same name is another.
    fn place(&self, id: &OperationId) -> Option<usize> {
        let is_it = |operation: &Operation| Arc::ptr_eq(&operation.id, id);
        self.operations.iter().position(is_it)
    }

    /// Sends what waits, as much as there is, in one go; less when something else has called.
    async fn deliver(&mut self, parcel: Parcel) -> Result<(), End> {
        let mut next = Some(parcel);
        while let Some(parcel) = next.take() {
            if let Some(text) = self.unpack(parcel).await? {
                patiently(self.socket.feed(Frame::Text(text.into()))).await?;
            }
            if !self.bell.has_rung() {
                next = self.outbox.take();
            }
        }
        patiently(self.socket.flush()).await
    }

    /// What a parcel is to the client. One for an operation that has ended is nothing.
    async fn unpack(&mut self, parcel: Parcel) -> Result<Option<String>, End> {
        let id = match &parcel {
            Parcel::Next(id, _)
            | Parcel::Failed(id, _)
            | Parcel::Recheck(id, ..)
            | Parcel::Opened(id, _) => id,
        };
        let Some(place) = self.place(id) else {
            return Ok(None);
        };
        match parcel {
            Parcel::Next(id, message) => Ok(Some(protocol::next(&id, &message.payload))),
            Parcel::Failed(id, failure) => {
                self.operations.swap_remove(place);
                Ok(Some(protocol::error(&id, json!([failure.to_json()]))))
            }
            Parcel::Opened(id, opened) => match *opened {
                Ok(seat) => {
                    self.operations[place].state = State::Open(seat);
                    Ok(None)
                }
                Err(refused) => {
                    self.operations.swap_remove(place);
                    Ok(Some(protocol::error(&id, refused.to_json())))
                }
            },
            Parcel::Recheck(id, seq, since) => {
                if self.check(Some(since)).await? == Checked::Same {
                    self.reopen(&id, seq);
                }
                Ok(None)
            }
        }
    }

    /// Finds out what the client may do now. With other rights than before, all it has was told by rights that are gone.
    async fn check(&mut self, since: Option<Instant>) -> Result<Checked, End> {
        let checked = self.peer.check(since).await.map_err(shut_out)?;
        self.watch_rights();
        if checked == Checked::Other {
            self.begin_anew().await?;
        }
        Ok(checked)
    }

    /// Waits for the rights of now to change.
    fn watch_rights(&mut self) {
        self.changed = self.peer.changed();
        self.bell.ring();
    }

    async fn begin_anew(&mut self) -> Result<(), End> {
        let failure = json!([rights_changed().to_json()]);
        for operation in std::mem::take(&mut self.operations) {
            self.say(protocol::error(&operation.id, failure.clone()))
                .await?;
        }
        Ok(())
    }

    async fn refresh(&mut self, token: String) -> Result<(), End> {
        let refreshed = self.peer.refresh(token).await;
        let told = match &refreshed {
            Ok(_) => json!({ "tokenExpiresAt": expiry(&self.peer) }),
            Err(error) => json!({ "error": Failure::from(error.clone()).to_json() }),
        };
        self.watch_rights();
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
        patiently(self.socket.send(frame)).await
    }
}

pub(super) fn shut_out(error: Error) -> End {
    match error {
        Error::Unauthenticated(why) => Close::forbidden(why).into(),
        _ => Close::try_later().into(),
    }
}

pub(super) fn restarting() -> Close {
    Close::restarting(fastrand::u64(..RETURN_WITHIN_MS))
}

pub(super) fn expiry(peer: &Peer) -> String {
    let expires_at = peer.actor().expires_at;
    expires_at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
