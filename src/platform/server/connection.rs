//! Serves the requests of one connection, one after the other, until it ends or the server does.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::Shutdown;
use super::timed_stream::{Phase, TimedStream};

/// What all connections of a server share.
#[derive(Clone)]
pub(super) struct ConnectionContext {
    pub(super) http: http1::Builder,
    pub(super) router: Router,
    pub(super) shutdown: Shutdown,
}

/// Serves until the client or the server ends the connection. An upgraded one (a WebSocket) lives on elsewhere, with
/// its ticket and without the timeouts of requests.
pub(super) async fn run(serving: ConnectionContext, stream: TimedStream, peer: SocketAddr) {
    let ConnectionContext {
        http,
        router,
        shutdown,
    } = serving;
    let phase = stream.phase();
    let last = shutdown.last_requests.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        answer(router.clone(), request, Arc::clone(&phase), last.clone())
    });
    let mut connection = pin!(
        http.serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended,
                () = shutdown.cut_off.cancelled() => Ok(()),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer = %peer, error = %error, "a connection broke");
    }
}

async fn answer(
    router: Router,
    request: Request<Incoming>,
    phase: Arc<Phase>,
    last: CancellationToken,
) -> Result<Response, Infallible> {
    phase.begin_request();
    let mut response = router.oneshot(request).await?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        phase.upgrade();
    } else {
        // Whoever keeps connections for later requests, as balancers do, learns that there will be none here.
        if last.is_cancelled() {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        phase.await_request();
    }
    Ok(response)
}
