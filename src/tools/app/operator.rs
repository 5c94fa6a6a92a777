//! What only operators reach: metrics and the health of every dependency, on a listener of its own. It has room when the
//! public one is full, so that a probe of an orchestrator never finds a busy server dead.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
    routing::get,
};

use super::{App, health};
use crate::platform::telemetry::metrics::{self, Metrics};

impl App {
    /// The routes of the operators' listener.
    pub(super) fn operator_routes(&self) -> Router {
        Router::new()
            .route("/metrics", get(read).with_state(Arc::clone(&self.metrics)))
            .merge(health::router(Arc::clone(&self.health)))
            .merge(health::operator_router(Arc::clone(&self.health)))
    }
}

async fn read(State(metrics): State<Arc<Metrics>>) -> Response {
    let kind = [(header::CONTENT_TYPE, metrics::CONTENT_TYPE)];
    (kind, metrics.text()).into_response()
}
