//! `POST /hooks/<endpoint>`.
//!
//! The answer says whether the sender has to send the message again, and nothing else. 202: it is stored. 200: it was
//! already. 401: it is not its sender's, or there is no such endpoint, or it is disabled; which of them is not told. 413: the
//! body is too large. 429 and 503, with `Retry-After`: not now. The body is empty, since senders show it to people at the
//! most, and some read what they must not find there.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::post,
};
use tokio::time::Instant;

use crate::{
    api::http::{self, Outcome},
    base::error::Error,
    organization::inbound::{BODY_BYTES, Delivery, Inbound, Received, Refused},
};

/// Within this a body has to be there.
const PATIENCE: Duration = Duration::from_secs(10);
/// When a sender is asked to try again where nothing says better, in seconds.
const LATER_S: u64 = 30;
/// The same for a tenant that may only be read.
const MUCH_LATER_S: u64 = 60 * 60;

#[derive(Clone)]
struct Hooks {
    inbound: Arc<Inbound>,
    trusted_proxies: usize,
}

/// Serves `/hooks/<endpoint>`.
pub fn router(inbound: Arc<Inbound>, trusted_proxies: usize) -> Router {
    Router::new()
        .route("/hooks/{endpoint}", post(receive))
        .with_state(Hooks {
            inbound,
            trusted_proxies,
        })
}

async fn receive(
    State(hooks): State<Hooks>,
    Path(endpoint): Path<String>,
    request: Request,
) -> Response {
    let deadline = Instant::now() + PATIENCE;
    let (parts, body) = request.into_parts();
    let origin = http::origin(&parts, hooks.trusted_proxies);
    let outcome = Outcome {
        request_id: origin.request_id.clone(),
        ..Outcome::default()
    };
    if let Err(refused) = hooks.inbound.check(&origin) {
        return http::identified(refusal(refused), outcome);
    }
    let body = match http::read_body(&parts.headers, body, BODY_BYTES, deadline).await {
        Ok(body) => body,
        Err(status) => return http::identified(status.into_response(), outcome),
    };
    let path_and_query = parts.uri.path_and_query();
    let delivery = Delivery {
        path_and_query: path_and_query.map_or_else(String::new, ToString::to_string),
        headers: unambiguous(&parts.headers),
        body,
    };
    let received = hooks.inbound.receive(&endpoint, delivery, &origin).await;
    let response = match received {
        Ok(Received::New(_)) => StatusCode::ACCEPTED.into_response(),
        Ok(Received::Known) => StatusCode::OK.into_response(),
        Err(refused) => refusal(refused),
    };
    http::identified(response, outcome)
}

fn refusal(refused: Refused) -> Response {
    let (status, retry_after) = match refused {
        Refused::Unverified => (StatusCode::UNAUTHORIZED, None),
        Refused::TooMany(seconds) => (StatusCode::TOO_MANY_REQUESTS, Some(seconds)),
        Refused::Later(Error::TenantSuspended) => {
            (StatusCode::SERVICE_UNAVAILABLE, Some(MUCH_LATER_S))
        }
        Refused::Later(error) => {
            tracing::warn!(%error, "a webhook was not taken");
            (StatusCode::SERVICE_UNAVAILABLE, Some(LATER_S))
        }
    };
    let mut response = status.into_response();
    if let Some(seconds) = retry_after {
        let value = HeaderValue::from(seconds);
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

/// The headers that came once, and as text.
fn unambiguous(headers: &HeaderMap) -> BTreeMap<String, String> {
    let of = |name: &header::HeaderName| {
        let mut values = headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values
            .next()
            .is_none()
            .then(|| (name.as_str().to_owned(), value.to_owned()))
    };
    headers.keys().filter_map(of).collect()
}
