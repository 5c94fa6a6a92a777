//! One request to another server and its answer, traced and read within bounds.

use axum::http::{HeaderMap, StatusCode};
use tracing::Instrument as _;

use crate::platform::telemetry;

/// An answer as it came.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Whether the body goes on after what was read of it.
    pub(super) is_cut: bool,
}

/// Sends a request in a span of its own, which the other server is told, and reads so many bytes of the answer's body.
pub(super) async fn exchange(
    client: &reqwest::Client,
    mut request: reqwest::Request,
    most_bytes: usize,
) -> reqwest::Result<Answer> {
    let method = telemetry::known_method(request.method().as_str());
    let span = telemetry::fetch_span(method, request.url().host_str().unwrap_or_default());
    if let Some(trace) = telemetry::trace_header(&span).and_then(|trace| trace.parse().ok()) {
        request.headers_mut().insert("traceparent", trace);
    }
    let recorded = span.clone();
    async {
        let response = client.execute(request).await?;
        let status = i64::from(response.status().as_u16());
        recorded.record("http.response.status_code", status);
        read(response, most_bytes).await
    }
    .instrument(span)
    .await
}

async fn read(mut response: reqwest::Response, most_bytes: usize) -> reqwest::Result<Answer> {
    let mut body = Vec::new();
    let mut is_cut = false;
    while let Some(chunk) = response.chunk().await? {
        let room = most_bytes - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            is_cut = true;
            break;
        }
    }
    Ok(Answer {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        body,
        is_cut,
    })
}
