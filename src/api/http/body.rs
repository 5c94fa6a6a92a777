//! Reads a request body that may be endless, slow, or larger than it says.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::{Instant, timeout_at};

use super::problem::Problem;

/// Reads the whole body. One that is announced as too large is refused without reading a byte of it.
///
/// # Errors
/// 413 for more than `limit` bytes, 408 when it is not complete by `deadline`, 400 when the client breaks off.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    deadline: Instant,
) -> Result<Bytes, Problem> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit).closing());
    }
    let read = timeout_at(deadline, Limited::new(body, limit).collect()).await;
    match read {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(limit).closing()),
        Ok(Err(_)) => Err(Problem::bad_request("the body broke off before its end").closing()),
        Err(_) => Err(Problem::request(
            StatusCode::REQUEST_TIMEOUT,
            "BODY_TIMEOUT",
            "the body did not arrive in time",
        )
        .closing()),
    }
}

/// Refuses a body that was read and is too large for the caller's plan.
///
/// # Errors
/// 413 for more than `limit` bytes.
pub(super) fn require_within(bytes: usize, limit: usize) -> Result<(), Problem> {
    match bytes > limit {
        true => Err(too_large(limit)),
        false => Ok(()),
    }
}

fn too_large(limit: usize) -> Problem {
    let message = format!("the body has more than the {limit} bytes allowed");
    Problem::request(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", message)
}

#[cfg(test)]
mod tests {
    use std::task::Poll;
    use std::time::Duration;

    use axum::http::HeaderValue;
    use futures_util::stream;

    use super::*;

    async fn code_of(headers: HeaderMap, body: Body) -> Result<usize, (&'static str, u16)> {
        let deadline = Instant::now() + Duration::from_millis(50);
        let read = read(&headers, body, 100, deadline).await;
        read.map(|bytes| bytes.len())
            .map_err(|problem| (problem.code, problem.status.as_u16()))
    }

    #[tokio::test]
    async fn a_body_up_to_the_limit_is_read() {
        assert_eq!(
            code_of(HeaderMap::new(), Body::from(vec![b'x'; 100])).await,
            Ok(100)
        );
        assert_eq!(code_of(HeaderMap::new(), Body::empty()).await, Ok(0));
    }

    #[tokio::test]
    async fn a_larger_body_is_refused_announced_or_not() {
        assert_eq!(
            code_of(HeaderMap::new(), Body::from(vec![b'x'; 101])).await,
            Err(("BODY_TOO_LARGE", 413))
        );
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("80000000"));
        type Chunk = Result<Bytes, std::io::Error>;
        let unread =
            stream::poll_fn(|_| -> Poll<Option<Chunk>> { panic!("the body is not touched") });
        assert_eq!(
            code_of(headers, Body::from_stream(unread)).await,
            Err(("BODY_TOO_LARGE", 413))
        );
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        let silent = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(
            code_of(HeaderMap::new(), silent).await,
            Err(("BODY_TIMEOUT", 408))
        );
        let broken = Body::from_stream(stream::iter([Err::<Bytes, _>(std::io::Error::other(
            "gone",
        ))]));
        assert_eq!(
            code_of(HeaderMap::new(), broken).await,
            Err(("BAD_REQUEST", 400))
        );
    }
}
