//! GraphQL over HTTP, by a handler of our own: the stock one reads past body limits, runs mutations over GET and
//! executes `text/plain`, which lets foreign pages act for a person.
//!
//! A request walks: head -> body -> JSON -> scan -> parse -> measure -> authenticate -> execute -> answer. Everything
//! that costs little comes before everything that costs much, and whatever stops the walk is a [`Problem`].
//!
//! Foreign pages (CSRF): credentials are read from the `authorization` header only, which a browser never adds by
//! itself; POST needs `application/json`, which a page cannot send elsewhere without asking first; GET runs queries
//! only. So GET needs no special header of its own, which plain HTTP clients and the audits of the protocol rely on.

mod accept;
mod answer;
mod body;
mod cache;
mod call;
mod codes;
mod forwarded;
mod head;
mod idempotency;
mod origins;
mod position;
mod prepare;
mod problem;
mod run;
mod secrets;
mod stream;
mod written;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use tokio::time::Instant;

use super::{
    Api,
    documents::Prepared,
    live::{Failure, Start},
    socket,
};
use crate::{access::Actor, db::journal::Origin, platform::server::coding::Coding};
use accept::Media;
use answer::{Answer, finish};
use call::Call;
pub(super) use codes::ensure_code;
pub use head::request_id;
pub(super) use head::{identified, origin};
pub use idempotency::WITHOUT_KEY;
pub use origins::Origins;
use problem::Problem;
use stream::Reply;
pub(super) use written::text as written;

/// What the log wants to know of an answered request; on every response as an extension.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The id that the answer carries as `x-request-id`.
    pub request_id: String,
    /// `query`, `mutation` or `subscription`, once that is known.
    pub operation_type: Option<&'static str>,
    /// The name of the operation, if it has one.
    pub operation_name: Option<String>,
    /// The code of the first error of the answer.
    pub code: Option<String>,
    /// Objects that the answer could have had.
    pub nodes: usize,
    /// Points that the request reserves.
    pub price: u64,
}

/// Serves `/graphql`.
pub fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/graphql", any(graphql))
        .with_state(api)
}

/// Reads the body of a request that is no GraphQL; the status of the answer where that fails.
pub(super) async fn read_body(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    deadline: Instant,
) -> Result<Bytes, StatusCode> {
    let read = body::read(headers, body, limit, deadline).await;
    read.map_err(|problem| problem.status)
}

/// A request whose head has arrived.
struct Arrival<'a> {
    api: &'a Arc<Api>,
    parts: Parts,
    origin: Origin,
    deadline: Instant,
}

async fn graphql(State(api): State<Arc<Api>>, request: Request) -> Response {
    let deadline = Instant::now() + api.limits().timeout;
    let (mut parts, body) = request.into_parts();
    let origin = head::origin(&parts, api.trusted_proxies());
    let is_socket = socket::is_upgrade(&parts);
    if is_socket && api.origins().allow(&parts.headers) {
        return socket::upgrade(&api, &mut parts, origin).await;
    }
    let arrival = Arrival {
        api: &api,
        parts,
        origin,
        deadline,
    };
    let mut outcome = Outcome {
        request_id: arrival.origin.request_id.clone(),
        ..Outcome::default()
    };
    let media = accept::negotiate(&arrival.parts.headers);
    let coding = Coding::negotiate(&arrival.parts.headers);
    let takes_stream = stream::is_accepted(&arrival.parts.headers);
    let answer = if is_socket {
        Err(Problem::foreign_origin())
    } else if takes_stream {
        match stream::stream(&arrival, body, &mut outcome).await {
            Ok(Reply::Stream(response)) => return head::identified(response, outcome),
            Ok(Reply::Once(answer)) if media.is_none() => {
                return head::identified(stream::once(answer, &api), outcome);
            }
            Ok(Reply::Once(answer)) => Ok(answer),
            Err(problem) => Err(problem),
        }
    } else if media.is_none() {
        Err(Problem::not_acceptable())
    } else {
        walk(&arrival, body, &mut outcome).await
    };
    let answer = answer.unwrap_or_else(|problem| Answer::of(&problem));
    // A client that accepts nothing but a stream learns by the status that there is none.
    let media = media.unwrap_or(match takes_stream {
        true => Media::GraphqlResponse,
        false => Media::Json,
    });
    finish(answer, media, coding, outcome, api.limits()).await
}

async fn walk(arrival: &Arrival<'_>, body: Body, outcome: &mut Outcome) -> Result<Answer, Problem> {
    let call = receive(arrival, body).await?;
    run::run(arrival, call, outcome).await
}

/// Reads, measures and charges a subscription that came over a socket; one that resumes after an interruption costs
/// nothing.
pub(super) async fn prepare_subscription(
    api: &Api,
    actor: &Arc<Actor>,
    payload: &str,
    start: &Start,
) -> Result<Prepared, Failure> {
    let prepare = async {
        let call = Call::from_json(payload.as_bytes(), api.limits())?;
        let outcome = &mut Outcome::default();
        let mut prepared = prepare::prepare(api, call, prepare::Transport::Socket, outcome).await?;
        run::require_allowed(api, Some(actor), &mut prepared, outcome).await?;
        run::charge_opening(api, actor, start, outcome.price).await?;
        Ok(prepared)
    };
    prepare.await.map_err(|problem: Problem| Failure {
        retry_after: problem.retry_after(),
        field: problem.field,
        ..Failure::new(problem.code, problem.message)
    })
}

/// Reads what the request asks for, from the address or from the body.
async fn receive(arrival: &Arrival<'_>, body: Body) -> Result<Call, Problem> {
    let Arrival { api, parts, .. } = arrival;
    let limits = api.limits();
    match parts.method {
        Method::GET => Call::from_query(parts.uri.query().unwrap_or_default(), limits),
        Method::POST => {
            head::require_json(&parts.headers)?;
            let body =
                body::read(&parts.headers, body, limits.body_bytes, arrival.deadline).await?;
            Call::from_json(&body, limits)
        }
        _ => Err(Problem::method_not_allowed(
            "GET, POST",
            "send GraphQL with POST, or a query with GET",
        )),
    }
}
