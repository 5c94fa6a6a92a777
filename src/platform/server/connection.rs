//! Serves the requests of one connection, one after the other, until it ends or the server does.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::timed_stream::{Phase, TimedStream};

/// What all connections of a server share.
#[derive(Clone)]
pub(super) struct ConnectionContext {
    pub(super) http: http1::Builder,
    pub(super) router: Router,
    pub(super) shutdown: Shutdown,
}

/// The two steps of a shutdown: first no more requests, then no more time.
#[derive(Clone)]
pub(super) struct Shutdown {
    pub(super) stop: CancellationToken,
    pub(super) cut_off: CancellationToken,
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
    let service =
        service_fn(move |request| answer(router.clone(), request, peer, Arc::clone(&phase)));
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
    mut request: Request<Incoming>,
    peer: SocketAddr,
    phase: Arc<Phase>,
) -> Result<Response, Infallible> {
    phase.begin_request();
    request.extensions_mut().insert(ConnectInfo(peer));
    let response = router.oneshot(request).await?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        phase.upgrade();
    } else {
        phase.await_request();
    }
    Ok(response)
}
