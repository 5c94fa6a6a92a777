//! What every request gets before and after it is routed: an id, a span, exactly one log line, its place in the metrics.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    http::HeaderValue,
    middleware::Next,
    response::Response,
};

use crate::{
    api::http::{self, Outcome},
    platform::telemetry::{
        self, RequestLine, TraceParents, known_method,
        metrics::{HttpMetrics, Metrics},
    },
};

/// What requests are counted in, and whose traces they continue.
#[derive(Clone)]
pub(super) struct RequestLayer {
    pub(super) trace_parents: TraceParents,
    pub(super) metrics: Arc<Metrics>,
}

/// Counts a request among those that are being answered, however that ends.
struct Active<'m>(&'m HttpMetrics);

impl<'m> Active<'m> {
    fn begin(http: &'m HttpMetrics) -> Self {
        http.active.inc();
        Self(http)
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.active.dec();
    }
}

pub(super) async fn run(
    State(layer): State<RequestLayer>,
    mut request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let active = Active::begin(&layer.metrics.http);
    let id = http::request_id(request.headers());
    if let Ok(value) = HeaderValue::from_str(&id) {
        request.headers_mut().insert("x-request-id", value);
    }
    let method = known_method(request.method().as_str());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("", MatchedPath::as_str);
    // What is variable in a path can be a secret: that of an endpoint for webhooks is one.
    let path = match route.contains('{') {
        true => route,
        false => request.uri().path(),
    };
    let span = telemetry::request_span(method, path, route, &id);
    let parent = request
        .headers()
        .get("traceparent")
        .and_then(|value| value.to_str().ok());
    layer.trace_parents.adopt(&span, parent);
    let line = RequestLine::begin(&id, span);
    let response = line.run(next.run(request)).await;
    drop(active);
    let status = response.status().as_u16();
    let took = began.elapsed();
    layer.metrics.http.note(method, route, status, took);
    let outcome = response.extensions().get::<Outcome>();
    let code = outcome.and_then(|outcome| outcome.code.clone());
    if let Some((kind, outcome)) = outcome.and_then(|of| of.operation_type.zip(Some(of))) {
        let graphql = &layer.metrics.graphql;
        let name = outcome.operation_name.as_deref();
        graphql.note(kind, name, code.as_deref().unwrap_or("OK"), took);
        graphql.note_price(outcome.price);
    }
    line.finish(status, code.unwrap_or_else(|| "OK".to_owned()));
    response
}
