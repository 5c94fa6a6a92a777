//! `POST /capture/<key>`: what is posted to a form, by a page of an allowed origin or by a program.
//!
//! A page of another origin is answered without a header of CORS, so that its script learns nothing. No cookie and no token is
//! read, and no answer allows credentials: who is signed in here is no matter. A script is answered in JSON, and a form that a
//! browser posts by itself by the way to the page of thanks.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
    routing::post,
};
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use crate::{
    api::http::{self, Outcome},
    base::error::Error,
    crm::lead_forms::{Capture, FormView, Format, NotCaptured, POST_BYTES, Post},
    db::journal::Origin,
};

/// Within this a body has to be there.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long browsers remember that a page may post, in seconds.
const REMEMBERED: &str = "600";
/// When to try again where nothing says better, in seconds.
const LATER_S: u64 = 30;

#[derive(Clone)]
struct Captures {
    capture: Arc<Capture>,
    trusted_proxies: usize,
}

/// Serves `/capture/<key>`.
pub fn router(capture: Arc<Capture>, trusted_proxies: usize) -> Router {
    Router::new()
        .route("/capture/{key}", post(submit).options(preflight))
        .with_state(Captures {
            capture,
            trusted_proxies,
        })
}

async fn preflight(
    State(captures): State<Captures>,
    Path(key): Path<String>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let origin = http::origin(&parts, captures.trusted_proxies);
    let form = captures.form(&key, &parts, &origin).await;
    let response = match form.map(|form| form.origin) {
        Ok(Some(page)) => {
            let mut response = allowed(StatusCode::NO_CONTENT.into_response(), Some(&page));
            for (name, value) in [
                (header::ACCESS_CONTROL_ALLOW_METHODS, "POST"),
                (header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type"),
                (header::ACCESS_CONTROL_MAX_AGE, REMEMBERED),
            ] {
                let value = HeaderValue::from_static(value);
                response.headers_mut().insert(name, value);
            }
            response
        }
        Ok(None) => refusal(NotCaptured::ForeignOrigin),
        Err(refused) => refusal(refused),
    };
    finish(response, &origin)
}

async fn submit(
    State(captures): State<Captures>,
    Path(key): Path<String>,
    request: Request,
) -> Response {
    let deadline = Instant::now() + PATIENCE;
    let (parts, body) = request.into_parts();
    let origin = http::origin(&parts, captures.trusted_proxies);
    let form = match captures.form(&key, &parts, &origin).await {
        Ok(form) => form,
        Err(refused) => return finish(refusal(refused), &origin),
    };
    let page = form.origin.clone();
    let Some(format) = format(&parts.headers) else {
        let message = "post application/json or application/x-www-form-urlencoded in UTF-8";
        let body = problem("UNSUPPORTED_MEDIA_TYPE", message, None);
        let response = (StatusCode::UNSUPPORTED_MEDIA_TYPE, axum::Json(body)).into_response();
        return finish(allowed(response, page.as_deref()), &origin);
    };
    let response = match http::read_body(&parts.headers, body, POST_BYTES, deadline).await {
        Err(status) => {
            let body = problem(
                "BODY_REFUSED",
                "the body is too large, or did not come in time",
                None,
            );
            (status, axum::Json(body)).into_response()
        }
        Ok(body) => {
            let post = Post {
                format,
                body,
                referrer: text(&parts.headers, &header::REFERER),
            };
            match captures.capture.submit(&form, post, &origin).await {
                Ok(captured) => taken(&parts.headers, format, captured.thanks_url.as_deref()),
                Err(refused) => refusal(refused),
            }
        }
    };
    finish(allowed(response, page.as_deref()), &origin)
}

impl Captures {
    async fn form(
        &self,
        key: &str,
        parts: &Parts,
        origin: &Origin,
    ) -> Result<FormView, NotCaptured> {
        let mut pages = parts.headers.get_all(header::ORIGIN).iter();
        let page = match (pages.next(), pages.next()) {
            (None, _) => None,
            // What is no text is no origin, and of two nobody knows which is meant.
            (Some(page), None) => Some(page.to_str().unwrap_or("null")),
            (Some(_), Some(_)) => Some("null"),
        };
        self.capture.form(key, page, origin).await
    }
}

/// How a body is posted, if it is in a way that is read.
fn format(headers: &HeaderMap) -> Option<Format> {
    if headers.contains_key(header::CONTENT_ENCODING) {
        return None;
    }
    let sent = text(headers, &header::CONTENT_TYPE)?.to_ascii_lowercase();
    let (media, parameters) = sent.split_once(';').unwrap_or((&sent, ""));
    let charset = parameters.trim().strip_prefix("charset=");
    if charset.is_some_and(|charset| charset.trim_matches('"') != "utf-8") {
        return None;
    }
    match media.trim() {
        "application/json" => Some(Format::Json),
        "application/x-www-form-urlencoded" => Some(Format::Form),
        _ => None,
    }
}

/// The answer to what was taken; the same for a program that was recognised.
fn taken(headers: &HeaderMap, format: Format, thanks_url: Option<&str>) -> Response {
    let accepts = text(headers, &header::ACCEPT).unwrap_or_default();
    let is_plain = format == Format::Form && accepts.contains("text/html");
    let thanks = thanks_url.filter(|_| is_plain);
    match thanks.and_then(|thanks| HeaderValue::from_str(thanks).ok()) {
        Some(thanks) => (StatusCode::SEE_OTHER, [(header::LOCATION, thanks)]).into_response(),
        None => axum::Json(json!({ "ok": true })).into_response(),
    }
}

fn refusal(refused: NotCaptured) -> Response {
    let (status, body, retry_after) = match refused {
        NotCaptured::Unknown => {
            let body = problem("NOT_FOUND", "there is no such form", None);
            (StatusCode::NOT_FOUND, body, None)
        }
        NotCaptured::ForeignOrigin => {
            let body = problem(
                "FOREIGN_ORIGIN",
                "this page may not post to this form",
                None,
            );
            (StatusCode::FORBIDDEN, body, None)
        }
        NotCaptured::TooMany(seconds) => {
            let body = problem("TOO_MANY_ATTEMPTS", "too much came, try again later", None);
            (StatusCode::TOO_MANY_REQUESTS, body, Some(seconds))
        }
        NotCaptured::Invalid(error) => {
            let status = match error.code() {
                "INVALID_BODY" => StatusCode::BAD_REQUEST,
                _ => StatusCode::UNPROCESSABLE_ENTITY,
            };
            let body = problem(error.code(), &error.to_string(), error.field());
            (status, body, None)
        }
        NotCaptured::Later(error) => {
            tracing::warn!(%error, "what was posted to a form was not taken");
            let seconds = match error {
                Error::TenantSuspended => LATER_S * 120,
                _ => LATER_S,
            };
            let body = problem(
                "UNAVAILABLE",
                "this can't be taken now, try again later",
                None,
            );
            (StatusCode::SERVICE_UNAVAILABLE, body, Some(seconds))
        }
    };
    let mut response = (status, axum::Json(body)).into_response();
    if let Some(seconds) = retry_after {
        let value = HeaderValue::from(seconds);
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

fn problem(code: &str, message: &str, field: Option<&str>) -> Json {
    let field = field.filter(|field| !field.is_empty());
    json!({ "ok": false, "error": { "code": code, "message": message, "field": field } })
}

/// The answer as a page of this origin may read it.
fn allowed(mut response: Response, page: Option<&str>) -> Response {
    if let Some(page) = page.and_then(|page| HeaderValue::from_str(page).ok()) {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, page);
        let waits = HeaderValue::from_static("retry-after");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, waits);
    }
    response
}

fn finish(mut response: Response, origin: &Origin) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let outcome = Outcome {
        request_id: origin.request_id.clone(),
        ..Outcome::default()
    };
    http::identified(response, outcome)
}

fn text(headers: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.to_owned())
}
