//! A socket whose client is authenticated: its operations, and what is delivered for them.

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
    frames::{SocketEnd, close, patiently, read},
    protocol::{self, Close, Incoming},
    wake_gate::WakeGate,
};
use crate::{
    api::{
        Api,
        http::prepare_subscription,
        live::{
            ConnectionPermit, Delivery, Failure, OperationId, Peer, Recipient, Refused,
            RightsCheck, SendQueue, Start, SubscriptionHandle, rights_changed,
        },
    },
    base::error::Error,
};

/// How often the client is pinged.
const PING_EVERY: Duration = Duration::from_secs(20);
/// A client that was silent for this long is gone.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(45);
/// Clients reconnect within this after a restart, each at another moment.
const RETURN_WITHIN_MS: u64 = 5_000;

/// A socket whose client is authenticated.
pub(super) struct OpenSocket {
    api: Arc<Api>,
    socket: WebSocket,
    peer: Peer,
    _permit: ConnectionPermit,
    queue: Arc<SendQueue>,
    /// Mostly one or two: scanning them costs less than an index, which every event would have to fetch.
    operations: Vec<ClientOperation>,
    /// Resolves when the client's rights may have changed.
    changed: BoxFuture<'static, ()>,
    /// Guards all that the socket waits for but the queue.
    wake_gate: WakeGate,
}

/// What a socket waits for.
enum SocketEvent {
    /// There is something to send.
    Deliver(Delivery),
    /// A frame has arrived, or the socket has ended.
    Received(Option<Result<Frame, axum::Error>>),
    /// The client's rights may have changed.
    RightsChanged,
    /// The server shuts down.
    ShuttingDown,
    /// A ping is due.
    PingDue,
}

/// An operation of a client.
struct ClientOperation {
    id: OperationId,
    /// Its payload, to resume it after an interruption.
    payload: Box<str>,
    state: OperationState,
}

enum OperationState {
    Opening(AbortHandle),
    Open(
        #[expect(dead_code, reason = "held for as long as the subscription lasts")]
        SubscriptionHandle,
    ),
}

impl Drop for ClientOperation {
    fn drop(&mut self) {
        if let OperationState::Opening(opening) = &self.state {
            opening.abort();
        }
    }
}

impl OpenSocket {
    pub(super) fn new(
        api: Arc<Api>,
        socket: WebSocket,
        peer: Peer,
        permit: ConnectionPermit,
    ) -> Self {
        Self {
            api,
            socket,
            changed: peer.changed(),
            wake_gate: WakeGate::new(),
            peer,
            _permit: permit,
            queue: Arc::default(),
            operations: Vec::new(),
        }
    }

    /// Serves it to its end.
    pub(super) async fn run(mut self: Box<Self>) {
        let end = self.serve().await;
        self.queue.close();
        self.operations.clear();
        if let SocketEnd::Close(why) = end {
            close(self.socket, why).await;
        }
    }

    async fn serve(&mut self) -> SocketEnd {
        let api = Arc::clone(&self.api);
        // Made once: all sockets wait for it in one list, under one lock.
        let mut leaving = pin!(api.leaving());
        let mut heard_at = Instant::now();
        // Sockets that were opened together need not be pinged together.
        let first = tokio::time::Instant::now() + PING_EVERY.mul_f32(0.5 + fastrand::f32() / 2.0);
        let mut ping = tokio::time::interval_at(first, PING_EVERY);
        let mut has_sent = false;
        loop {
            // Deliveries come first, since an event wakes sockets by the thousand for them. After one, whatever else
            // has woken the socket goes first, or a queue that is never empty would starve it.
            let yields = has_sent && self.wake_gate.is_woken();
            let event = poll_fn(|cx| {
                if !yields && let Poll::Ready(delivery) = self.queue.poll_next(cx) {
                    return Poll::Ready(SocketEvent::Deliver(delivery));
                }
                let other = self.wake_gate.poll(cx, |cx| {
                    if let Poll::Ready(frame) = self.socket.poll_next_unpin(cx) {
                        return Poll::Ready(SocketEvent::Received(frame));
                    }
                    if self.changed.poll_unpin(cx).is_ready() {
                        return Poll::Ready(SocketEvent::RightsChanged);
                    }
                    if leaving.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(SocketEvent::ShuttingDown);
                    }
                    ping.poll_tick(cx).map(|_| SocketEvent::PingDue)
                });
                match other {
                    Poll::Pending if yields => self.queue.poll_next(cx).map(SocketEvent::Deliver),
                    other => other,
                }
            });
            let event = event.await;
            has_sent = matches!(event, SocketEvent::Deliver(_));
            let served = match event {
                SocketEvent::Deliver(delivery) => self.deliver(delivery).await,
                SocketEvent::Received(frame) => {
                    heard_at = Instant::now();
                    match read(&mut self.socket, frame).await {
                        Ok(Some(message)) => self.receive(message).await,
                        Ok(None) => Ok(()),
                        Err(end) => Err(end),
                    }
                }
                SocketEvent::RightsChanged => self.check_rights(None).await.map(drop),
                SocketEvent::ShuttingDown => Err(restarting().into()),
                SocketEvent::PingDue if heard_at.elapsed() > CLIENT_TIMEOUT => Err(SocketEnd::Gone),
                SocketEvent::PingDue => self.send(Frame::Ping(axum::body::Bytes::new())).await,
            };
            if let Err(end) = served {
                return end;
            }
        }
    }

    async fn receive(&mut self, message: Incoming) -> Result<(), SocketEnd> {
        match message {
            Incoming::Init(_) => Err(Close::too_many_inits().into()),
            Incoming::Pong => Ok(()),
            Incoming::Ping(payload) => self.send_text(protocol::pong(payload)).await,
            Incoming::Complete(id) => {
                self.operations.retain(|operation| *operation.id != *id);
                Ok(())
            }
            Incoming::Subscribe(id, payload) => self.subscribe(id, payload).await,
            Incoming::Refresh(token) => self.refresh(token).await,
        }
    }

    async fn subscribe(&mut self, id: String, payload: Map<String, Json>) -> Result<(), SocketEnd> {
        let is_taken = |operation: &ClientOperation| *operation.id == *id;
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
                .send_text(protocol::error(&id, json!([failure.to_json()])))
                .await;
        }
        let payload = Json::Object(payload).to_string().into_boxed_str();
        let operation = OperationId::from(id.as_str());
        let opening = self.open(&operation, &payload, Start::Requested);
        self.operations.push(ClientOperation {
            id: operation,
            payload,
            state: OperationState::Opening(opening),
        });
        Ok(())
    }

    /// Opens an operation in a task of its own, while the socket serves the others.
    fn open(&self, operation: &OperationId, payload: &str, start: Start) -> AbortHandle {
        let (api, actor) = (Arc::clone(&self.api), Arc::clone(self.peer.actor()));
        let recipient = Recipient {
            operation: Arc::clone(operation),
            queue: Arc::clone(&self.queue),
        };
        let payload = payload.to_owned();
        let opening = tokio::spawn(async move {
            let opened = match prepare_subscription(&api, &actor, &payload, &start).await {
                Ok(request) => {
                    api.live()
                        .open(actor, &request, recipient.clone(), start)
                        .await
                }
                Err(failure) => Err(Refused::from(failure)),
            };
            let delivery = Delivery::Opened(recipient.operation, Box::new(opened));
            recipient.queue.put(delivery);
        });
        opening.abort_handle()
    }

    /// Resumes an operation after an event. It becomes another operation with the same id, so that a late delivery of
    /// the first opening can't be taken for one of this.
    fn reopen(&mut self, id: &OperationId, seq: i64) {
        let Some(position) = self.position(id) else {
            return;
        };
        let again = OperationId::from(&**id);
        let payload = self.operations[position].payload.clone();
        let opening = self.open(&again, &payload, Start::AfterEvent(seq));
        self.operations[position] = ClientOperation {
            id: again,
            payload,
            state: OperationState::Opening(opening),
        };
    }

    /// The index of an operation, unless it has ended: a later one with the same id is another.
    fn position(&self, id: &OperationId) -> Option<usize> {
        let is_it = |operation: &ClientOperation| Arc::ptr_eq(&operation.id, id);
        self.operations.iter().position(is_it)
    }

    /// Sends what waits in one flush; less when something else has woken the socket.
    async fn deliver(&mut self, delivery: Delivery) -> Result<(), SocketEnd> {
        let mut next = Some(delivery);
        while let Some(delivery) = next.take() {
            if let Some(text) = self.message_for(delivery).await? {
                patiently(self.socket.feed(Frame::Text(text.into()))).await?;
            }
            if !self.wake_gate.is_woken() {
                next = self.queue.take();
            }
        }
        patiently(self.socket.flush()).await
    }

    /// The protocol's message for a delivery, if any; none for an operation that has ended.
    async fn message_for(&mut self, delivery: Delivery) -> Result<Option<String>, SocketEnd> {
        let id = match &delivery {
            Delivery::Next(id, _)
            | Delivery::Completed(id)
            | Delivery::Failed(id, _)
            | Delivery::Recheck(id, ..)
            | Delivery::Opened(id, _) => id,
        };
        let Some(position) = self.position(id) else {
            return Ok(None);
        };
        match delivery {
            Delivery::Next(id, response) => Ok(Some(protocol::next(&id, &response.payload))),
            Delivery::Completed(id) => {
                self.operations.swap_remove(position);
                Ok(Some(protocol::complete(&id)))
            }
            Delivery::Failed(id, failure) => {
                self.operations.swap_remove(position);
                Ok(Some(protocol::error(&id, json!([failure.to_json()]))))
            }
            Delivery::Opened(id, opened) => match *opened {
                Ok(handle) => {
                    self.operations[position].state = OperationState::Open(handle);
                    Ok(None)
                }
                Err(refused) => {
                    self.operations.swap_remove(position);
                    Ok(Some(protocol::error(&id, refused.to_json())))
                }
            },
            Delivery::Recheck(id, seq, since) => {
                if self.check_rights(Some(since)).await? == RightsCheck::Unchanged {
                    self.reopen(&id, seq);
                }
                Ok(None)
            }
        }
    }

    /// Reads the client's rights again. With other rights, what was delivered may be more than it may see.
    async fn check_rights(&mut self, since: Option<Instant>) -> Result<RightsCheck, SocketEnd> {
        let checked = self.peer.check_rights(since).await.map_err(rejected)?;
        self.watch_rights();
        if checked == RightsCheck::Changed {
            self.resync().await?;
        }
        Ok(checked)
    }

    /// Waits for the current rights to change.
    fn watch_rights(&mut self) {
        self.changed = self.peer.changed();
        self.wake_gate.mark_woken();
    }

    async fn resync(&mut self) -> Result<(), SocketEnd> {
        let failure = json!([rights_changed().to_json()]);
        for operation in std::mem::take(&mut self.operations) {
            self.send_text(protocol::error(&operation.id, failure.clone()))
                .await?;
        }
        Ok(())
    }

    async fn refresh(&mut self, token: String) -> Result<(), SocketEnd> {
        let refreshed = self.peer.refresh(token).await;
        let result = match &refreshed {
            Ok(_) => json!({ "tokenExpiresAt": expiry(&self.peer) }),
            Err(error) => json!({ "error": Failure::from(error.clone()).to_json() }),
        };
        self.watch_rights();
        if let Ok(RightsCheck::Changed) = refreshed {
            self.resync().await?;
        }
        self.send_text(protocol::pong(Some(json!({ "refreshToken": result }))))
            .await
    }

    async fn send_text(&mut self, text: String) -> Result<(), SocketEnd> {
        self.send(Frame::Text(text.into())).await
    }

    async fn send(&mut self, frame: Frame) -> Result<(), SocketEnd> {
        patiently(self.socket.send(frame)).await
    }
}

pub(super) fn rejected(error: Error) -> SocketEnd {
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
