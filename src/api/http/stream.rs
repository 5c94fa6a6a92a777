//! Subscriptions as server-sent events, in the distinct connections mode of graphql-sse
//! (<https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md>): one operation per request, for clients that
//! accept `text/event-stream`. Every message has the place in the stream of events as its id, so that a browser's
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
            Checked, Failure, Line, OperationId, Outbox, Parcel, Pass, Peer, Seat, Start,
            rights_changed,
        },
    },
    base::error::Error,
    events::EventCursor,
};

/// How often a silent stream says that it is still there; proxies close those that say nothing for a minute.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// How long a browser waits before it comes back, in milliseconds at the most; each is told another time.
const RETURN_WITHIN_MS: u64 = 3_000;

/// What a request is answered with that takes a stream.
pub(super) enum Reply {
    /// A subscription.
    Stream(Response),
    /// Anything else has one answer, which clients that take JSON too get as that.
    Once(Answer),
}

/// Whether a request takes a stream of events as its answer.
pub(super) fn is_accepted(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter();
    let mut media = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|range| range.split(';').next().unwrap_or_default().trim());
    media.any(|media| media.eq_ignore_ascii_case("text/event-stream"))
}

/// Answers with a stream. What is wrong with the request itself is an ordinary answer, before the stream begins.
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
    let pass = api.admit(peer.actor()).map_err(|failure| {
        let status = axum::http::StatusCode::TOO_MANY_REQUESTS;
        Problem::request(status, "TOO_MANY_CONNECTIONS", failure.message)
    })?;
    let outbox = Arc::<Outbox>::default();
    let line = Line {
        operation: OperationId::from(""),
        outbox: Arc::clone(&outbox),
    };
    let start = resumed(&parts.headers)?;
    run::pay_for_opening(api, (peer.actor(), &start), outcome.price).await?;
    let (events, body) = mpsc::channel(1);
    let stream = Stream {
        api: Arc::clone(api),
        peer,
        _pass: pass,
        outbox,
        events,
    };
    // Opening may take as long as there is to catch up with, so the stream begins before.
    let served = stream.run(Arc::new(prepared), (line, start));
    tokio::spawn(api.connections().track_future(served));
    let next = |mut body: mpsc::Receiver<Bytes>| async move {
        let event = body.recv().await?;
        Some((Ok::<_, Infallible>(event), body))
    };
    let events = futures_util::stream::unfold(body, next);
    Ok(Reply::Stream(response(events)))
}

/// Where a browser says that it was.
fn resumed(headers: &HeaderMap) -> Result<Start, Problem> {
    let Some(id) = headers.get("last-event-id").filter(|id| !id.is_empty()) else {
        return Ok(Start::Asked);
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

/// A stream under way.
struct Stream {
    api: Arc<Api>,
    peer: Peer,
    _pass: Pass,
    outbox: Arc<Outbox>,
    events: mpsc::Sender<Bytes>,
}

/// The client is gone, or has been told that there is nothing more.
struct Over;

impl Stream {
    async fn run(mut self, asked: Arc<Prepared>, start: (Line, Start)) {
        _ = self.serve(asked, start).await;
        self.outbox.close();
    }

    async fn serve(
        &mut self,
        asked: Arc<Prepared>,
        (mut line, start): (Line, Start),
    ) -> Result<(), Over> {
        let retry = format!("retry: {}\n:\n\n", fastrand::u64(500..RETURN_WITHIN_MS));
        self.send(retry).await?;
        let closing = self.api.closing().clone();
        // Held for as long as the subscription lasts.
        let mut seat: Option<Seat> = None;
        let mut opening = self.open(&asked, (line.clone(), start));
        let mut changed = self.peer.changed();
        let mut sign = tokio::time::interval(SIGN_OF_LIFE);
        sign.tick().await;
        loop {
            tokio::select! {
                parcel = self.outbox.next() => match parcel {
                    Parcel::Next(_, message) => {
                        let id = match message.cursor.as_str() {
                            "" => String::new(),
                            cursor => format!("id: {cursor}\n"),
                        };
                        self.send(format!("{id}event: next\ndata: {}\n\n", message.payload)).await?;
                    }
                    // The last word of an opening that was interrupted.
                    Parcel::Opened(id, _) if !Arc::ptr_eq(&id, &line.operation) => {}
                    Parcel::Opened(_, opened) => match *opened {
                        Ok(opened) => seat = Some(opened),
                        Err(refused) => return self.fail(refused.to_json()).await,
                    },
                    Parcel::Failed(_, failure) => return self.fail(json!([failure.to_json()])).await,
                    Parcel::Recheck(_, seq, since) => {
                        self.check(Some(since)).await?;
                        changed = self.peer.changed();
                        drop(seat.take());
                        line.operation = OperationId::from("");
                        opening = self.open(&asked, (line.clone(), Start::After(seq)));
                    }
                },
                () = &mut changed => {
                    self.check(None).await?;
                    changed = self.peer.changed();
                }
                // Without a word: whoever is cut off comes back by itself.
                () = closing.cancelled() => break,
                () = self.events.closed() => break,
                _ = sign.tick() => self.send(":\n\n".to_owned()).await?,
            }
        }
        opening.abort();
        Err(Over)
    }

    fn open(&self, asked: &Arc<Prepared>, (line, start): (Line, Start)) -> AbortHandle {
        let (api, actor) = (Arc::clone(&self.api), Arc::clone(self.peer.actor()));
        let asked = Arc::clone(asked);
        let opening = tokio::spawn(async move {
            let opened = api.live().open(actor, &asked, (line.clone(), start)).await;
            line.outbox
                .put(Parcel::Opened(line.operation, Box::new(opened)));
        });
        opening.abort_handle()
    }

    /// Ends the stream unless its client has the same rights still.
    async fn check(&mut self, since: Option<Instant>) -> Result<(), Over> {
        match self.peer.check(since).await {
            Ok(Checked::Same) => Ok(()),
            Ok(Checked::Other) => self.fail(json!([rights_changed().to_json()])).await,
            Err(error) => self.fail(json!([Failure::from(error).to_json()])).await,
        }
    }

    /// Says why, and that there is nothing more; always an end.
    async fn fail(&self, errors: Json) -> Result<(), Over> {
        let payload = json!({ "errors": errors });
        let end = format!("event: next\ndata: {payload}\n\nevent: complete\ndata:\n\n");
        self.send(end).await?;
        Err(Over)
    }

    async fn send(&self, event: String) -> Result<(), Over> {
        self.events.send(event.into()).await.map_err(|_| Over)
    }
}

/// One answer as a stream.
pub(super) fn once(answer: Answer, api: &Api) -> Response {
    let payload = answer.text(api.limits());
    let text = format!("event: next\ndata: {payload}\n\nevent: complete\ndata:\n\n");
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
    // Proxies that collect answers before they pass them on would keep events for themselves.
    response
        .headers_mut()
        .insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
