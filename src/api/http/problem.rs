//! A problem that stops a request before the executor answers: status, code, one sentence, and the headers that go with
//! it.

use async_graphql::Pos;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};

use crate::{
    api::limits::Refusal,
    base::error::Error,
    platform::redis::{Allowance, Balance, Overdrawn},
};

/// Why a request gets no response from the executor.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) fault: FaultOrigin,
    pub(super) position: Option<Pos>,
    /// The argument that it is about, or the part of one.
    pub(super) field: Option<String>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

/// Where the fault lies, which decides the status for old clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultOrigin {
    /// The HTTP request.
    Request,
    /// The GraphQL document, in a well-formed request. Clients that accept only `application/json` expect 200 then.
    Document,
}

impl Problem {
    pub(super) fn request(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            fault: FaultOrigin::Request,
            position: None,
            field: None,
            headers: Vec::new(),
        }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::request(StatusCode::BAD_REQUEST, "BAD_REQUEST", message)
    }

    pub(super) fn document(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            fault: FaultOrigin::Document,
            ..Self::request(StatusCode::BAD_REQUEST, code, message)
        }
    }

    pub(super) fn not_acceptable() -> Self {
        let message = "answers come as application/graphql-response+json or application/json";
        Self::request(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", message)
    }

    pub(super) fn method_not_allowed(allowed: &'static str, message: &'static str) -> Self {
        Self::request(
            StatusCode::METHOD_NOT_ALLOWED,
            "METHOD_NOT_ALLOWED",
            message,
        )
        .with(header::ALLOW, allowed)
    }

    pub(super) fn foreign_origin() -> Self {
        let message =
            "pages of this origin may not open a socket here: see DEALGRAPH_ALLOWED_ORIGINS";
        Self::request(StatusCode::FORBIDDEN, "ORIGIN_NOT_ALLOWED", message)
    }

    /// The actor has too few points left.
    pub(super) fn rate_limited(price: u64, overdrawn: Overdrawn) -> Self {
        let seconds = overdrawn.seconds();
        let available = overdrawn.balance.available;
        let message = format!(
            "the request may cost {price} points and {available} are left: try again in {seconds} s, or ask for less at once"
        );
        let mut problem = Self::request(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", message);
        problem.headers.extend(limit_headers(&overdrawn.balance));
        problem.headers.push((header::RETRY_AFTER, number(seconds)));
        problem
    }

    /// In how many seconds to try again, where that is known.
    pub(super) fn retry_after(&self) -> Option<u64> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(name, _)| *name == header::RETRY_AFTER)?;
        value.to_str().ok()?.parse().ok()
    }

    pub(super) fn unauthenticated(message: impl Into<String>) -> Self {
        Self::request(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", message)
    }

    /// The body was not read to its end, so the connection cannot carry another request.
    pub(super) fn closing(self) -> Self {
        self.with(header::CONNECTION, "close")
    }

    fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, HeaderValue::from_static(value)));
        self
    }
}

/// The balance of a bucket of points, as `RateLimit-*` headers; the reset is the time until it is full, in seconds.
pub(super) fn limit_headers(balance: &Balance) -> [(HeaderName, HeaderValue); 3] {
    let Allowance { burst, per_second } = balance.allowance;
    let missing = burst.saturating_sub(balance.available);
    [
        (HeaderName::from_static("ratelimit-limit"), number(burst)),
        (
            HeaderName::from_static("ratelimit-remaining"),
            number(balance.available),
        ),
        (
            HeaderName::from_static("ratelimit-reset"),
            number(missing.div_ceil(per_second.max(1))),
        ),
    ]
}

fn number(number: u64) -> HeaderValue {
    HeaderValue::from(number)
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self {
            position: refusal.position,
            field: refusal.field,
            ..Self::document(refusal.code, refusal.message)
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let mut problem = Self::request(status_of(error.code()), error.code(), error.to_string());
        if let Error::TooManyAttempts { retry_after_s } = error {
            let wait = (header::RETRY_AFTER, number(retry_after_s));
            problem.headers.push(wait);
        }
        problem
    }
}

/// The status of a request that got no data at all, by the code of its error.
pub(super) fn status_of(code: &str) -> StatusCode {
    match code {
        "UNAUTHENTICATED" => StatusCode::UNAUTHORIZED,
        "FORBIDDEN" => StatusCode::FORBIDDEN,
        "RATE_LIMITED" | "TENANT_BUSY" | "TOO_MANY_ATTEMPTS" => StatusCode::TOO_MANY_REQUESTS,
        "UNAVAILABLE" => StatusCode::SERVICE_UNAVAILABLE,
        "TIMEOUT" => StatusCode::GATEWAY_TIMEOUT,
        "INTERNAL" => StatusCode::INTERNAL_SERVER_ERROR,
        "IDEMPOTENCY_IN_PROGRESS" => StatusCode::CONFLICT,
        _ => StatusCode::BAD_REQUEST,
    }
}
