//! Subscriptions as server-sent events, in the distinct connections mode of graphql-sse
//! (<https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md>): one operation per request, for clients that
//! accept `text/event-stream`. Every SSE event has the cursor of its event as its id, so that a browser's
//! `EventSource` resumes by itself with `Last-Event-ID`.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, Method, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value as Json, json};
use tokio::{sync::mpsc, task::AbortHandle};

use super::{
    Arrival, Outcome,
    answer::Answer,
    head,
    prepare::{Transport, prepare},
    problem::Problem,
    receive, run,
};
use crate::{
    api::{
        Api,
        documents::Prepared,
        live::{
            ConnectionPermit, Delivery, Failure, OperationId, Peer, Recipient, RightsCheck,
            SendQueue, Start, SubscriptionHandle, rights_changed,
        },
    },
    base::error::Error,
    events::EventCursor,
};

/// How often an idle stream sends a comment to keep it alive; proxies close those that are silent for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a browser waits before it reconnects, in milliseconds at most; each gets another time.
const RETURN_WITHIN_MS: u64 = 3_000;

/// The reply to a request that accepts a stream.
pub(super) enum Reply {
    /// A subscription.
    Stream(Response),
    /// Anything else has one response, which clients that accept JSON too get as that.
    Once(Answer),
}

/// Whether a request accepts an event stream.
pub(super) fn is_accepted(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter();
    let mut media = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|range| range.split(';').next().unwrap_or_default().trim());
    media.any(|media| media.eq_ignore_ascii_case("text/event-stream"))
}

/// Answers with a stream. A faulty request gets an ordinary response, before the stream begins.
pub(super) async fn stream(
    arrival: &Arrival<'_>,
    body: Body,
    outcome: &mut Outcome,
) -> Result<Reply, Problem> {
    let Arrival { api, parts, .. } = arrival;
    let call = receive(arrival, body).await?;
    let transport = match parts.method {
        Method::GET => Transport::StreamGet,
        _ => Transport::StreamPost,
    };
    let mut prepared = prepare(api, call, transport, outcome).await?;
    if outcome.operation_type != Some("subscription") {
        return run::execute(arrival, prepared, outcome)
            .await
            .map(Reply::Once);
    }
    let token = head::bearer(&parts.headers)?.ok_or(Error::Unauthenticated(
        "sign in first: send an access token as `Authorization: Bearer …`",
    ))?;
    let access = Arc::clone(api.access());
    let peer = Peer::admit(access, token.to_owned(), arrival.origin.clone()).await?;
    run::require_allowed(api, Some(peer.actor()), &mut prepared, outcome).await?;
    let permit = api.admit(peer.actor()).map_err(|failure| {
        let status = axum::http::StatusCode::TOO_MANY_REQUESTS;
        Problem::request(status, "TOO_MANY_CONNECTIONS", failure.message)
    })?;
    let queue = Arc::<SendQueue>::default();
    let recipient = Recipient {
        operation: OperationId::from(""),
        queue: Arc::clone(&queue),
    };
    let start = resumed(&parts.headers)?;
    run::charge_opening(api, peer.actor(), &start, outcome.price).await?;
    let (events, body) = mpsc::channel(1);
    let stream = Stream {
        api: Arc::clone(api),
        peer,
        _permit: permit,
        queue,
        events,
    };
    // Opening may take as long as the replay does, so the stream begins before.
    let served = stream.run(Arc::new(prepared), recipient, start);
    tokio::spawn(api.connections().track_future(served));
    let next = |mut body: mpsc::Receiver<Bytes>| async move {
        let event = body.recv().await?;
        Some((Ok::<_, Infallible>(event), body))
    };
    let events = futures_util::stream::unfold(body, next);
    Ok(Reply::Stream(response(events)))
}

/// Where a browser resumes.
fn resumed(headers: &HeaderMap) -> Result<Start, Problem> {
    let Some(id) = headers.get("last-event-id").filter(|id| !id.is_empty()) else {
        return Ok(Start::Requested);
    };
    let cursor = id
        .to_str()
        .ok()
        .and_then(|id| id.parse::<EventCursor>().ok());
    cursor.map(Start::Cursor).ok_or_else(|| {
        let message = "expected the id of an event of this stream in last-event-id";
        Problem::document("INVALID_CURSOR", message)
    })
}

/// What ends a stream that a browser is not to open again.
const COMPLETE: &str = "event: complete\ndata:\n\n";

/// A running stream.
struct Stream {
    api: Arc<Api>,
    peer: Peer,
    _permit: ConnectionPermit,
    queue: Arc<SendQueue>,
    events: mpsc::Sender<Bytes>,
}

/// The client is gone, or the stream was completed.
struct Over;

impl Stream {
    async fn run(mut self, request: Arc<Prepared>, recipient: Recipient, start: Start) {
        _ = self.serve(request, recipient, start).await;
        self.queue.close();
    }

    async fn serve(
        &mut self,
        request: Arc<Prepared>,
        mut recipient: Recipient,
        start: Start,
    ) -> Result<(), Over> {
        let retry = format!("retry: {}\n:\n\n", fastrand::u64(500..RETURN_WITHIN_MS));
        self.send(retry).await?;
        let api = Arc::clone(&self.api);
        let mut leaving = std::pin::pin!(api.leaving());
        // Held for as long as the subscription lasts.
        let mut handle: Option<SubscriptionHandle> = None;
        let mut opening = self.open(&request, recipient.clone(), start);
        let mut changed = self.peer.changed();
        let mut keep_alive = tokio::time::interval(KEEP_ALIVE);
        keep_alive.tick().await;
        loop {
            tokio::select! {
                            delivery = self.queue.next() => match delivery {
                                Delivery::Next(_, response) => {
                                    let id = match response.cursor.as_str() {
                                        "" => String::new(),
                                        cursor => format!("id: {cursor}\n"),
                                    };
                                    self.send(format!("{id}event: next\ndata: {}\n\n", response.payload)).await?;
                                }
            // A late delivery of an opening that was interrupted.
                                Delivery::Opened(id, _) if !Arc::ptr_eq(&id, &recipient.operation) => {}
                                Delivery::Opened(_, opened) => match *opened {
                                    Ok(opened) => handle = Some(opened),
                                    Err(refused) => return self.fail(refused.to_json()).await,
                                },
                                Delivery::Completed(_) => {
                                    self.send(COMPLETE.to_owned()).await?;
                                    break;
                                }
                                Delivery::Failed(_, failure) => return self.fail(json!([failure.to_json()])).await,
                                Delivery::Recheck(_, seq, since) => {
                                    self.check_rights(Some(since)).await?;
                                    changed = self.peer.changed();
                                    drop(handle.take());
                                    recipient.operation = OperationId::from("");
                                    opening = self.open(&request, recipient.clone(), Start::AfterEvent(seq));
                                }
                            },
                            () = &mut changed => {
                                self.check_rights(None).await?;
                                changed = self.peer.changed();
                            }
            // Without a message: a browser that is cut off reconnects by itself.
                            () = &mut leaving => break,
                            () = self.events.closed() => break,
                            _ = keep_alive.tick() => self.send(":\n\n".to_owned()).await?,
                        }
        }
        opening.abort();
        Err(Over)
    }

    fn open(&self, request: &Arc<Prepared>, recipient: Recipient, start: Start) -> AbortHandle {
        let (api, actor) = (Arc::clone(&self.api), Arc::clone(self.peer.actor()));
        let request = Arc::clone(request);
        let opening = tokio::spawn(async move {
            let opened = api
                .live()
                .open(actor, &request, recipient.clone(), start)
                .await;
            recipient
                .queue
                .put(Delivery::Opened(recipient.operation, Box::new(opened)));
        });
        opening.abort_handle()
    }

    /// Ends the stream if the client's rights have changed.
    async fn check_rights(&mut self, since: Option<Instant>) -> Result<(), Over> {
        match self.peer.check_rights(since).await {
            Ok(RightsCheck::Unchanged) => Ok(()),
            Ok(RightsCheck::Changed) => self.fail(json!([rights_changed().to_json()])).await,
            Err(error) => self.fail(json!([Failure::from(error).to_json()])).await,
        }
    }

    /// Sends the errors and completes the stream; always an `Err`.
    async fn fail(&self, errors: Json) -> Result<(), Over> {
        let payload = json!({ "errors": errors });
        let end = format!("event: next\ndata: {payload}\n\n{COMPLETE}");
        self.send(end).await?;
        Err(Over)
    }

    async fn send(&self, event: String) -> Result<(), Over> {
        self.events.send(event.into()).await.map_err(|_| Over)
    }
}

/// One response as a stream.
pub(super) fn once(answer: Answer, api: &Api) -> Response {
    let payload = answer.text(api.limits());
    let text = format!("event: next\ndata: {payload}\n\n{COMPLETE}");
    response(futures_util::stream::iter([Ok::<_, Infallible>(
        Bytes::from(text),
    )]))
}

fn response<S>(events: S) -> Response
where
    S: futures_util::Stream<Item = Result<Bytes, Infallible>> + Send + 'static,
{
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache, no-store"),
        (header::VARY, "accept, authorization"),
    ];
    let mut response = (headers, Body::from_stream(events)).into_response();
    // Proxies that buffer responses would hold events back.
    response
        .headers_mut()
        .insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
