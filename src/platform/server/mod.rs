//! Accepts connections and serves a router on them, with the limits that `axum::serve` does not have: that keeps silent
//! and half-finished connections for ever, as many as clients open.
//!
//! Time limits on bodies and on the work of a request belong to the handlers; here are the ones before and after them.

pub mod coding;
mod connection;
mod connection_limiter;
#[cfg(test)]
mod tests;
mod timed_stream;

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::platform::telemetry::metrics::ConnectionMetrics;
use connection::ConnectionContext;
use connection_limiter::ConnectionLimiter;

/// How long requests in flight may go on once the server shuts down.
const DRAIN: Duration = Duration::from_secs(20);
/// How long to wait when the system cannot give another connection, usually for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(250);
/// The smallest buffer that hyper works with.
const SMALLEST_BUFFER: usize = 8 * 1024;

/// What clients may do to the connections of a server.
#[derive(Debug, Clone)]
pub struct ServerLimits {
    /// From the first byte of a request's head to its last, and from the opening of a connection to its first head.
    pub header_timeout: Duration,
    /// Between two requests on one connection.
    pub idle_timeout: Duration,
    /// How long a client may read nothing of a response that waits for it.
    pub write_timeout: Duration,
    /// Bytes a second that a client has to read of a response on average, once it has not read all at once and the time
    /// above is over.
    pub min_write_rate: u32,
    /// Connections at a time. More are closed as they come.
    pub max_connections: usize,
    /// Connections at a time from one address, which for IPv6 is a network of 64 bits.
    pub max_connections_per_ip: usize,
    /// Bytes of a request's head.
    pub max_header_bytes: usize,
    /// Headers of a request.
    pub max_headers: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
            min_write_rate: 16 * 1024,
            max_connections: 10_000,
            max_connections_per_ip: 1_000,
            max_header_bytes: 32 * 1024,
            max_headers: 64,
        }
    }
}

/// The steps of a shutdown.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// Requests are answered, each as the last one of its connection.
    pub last_requests: CancellationToken,
    /// No connection is taken any more.
    pub stop: CancellationToken,
    /// Requests in flight have no more time.
    cut_off: CancellationToken,
}

impl From<CancellationToken> for Shutdown {
    /// One without a first step.
    fn from(stop: CancellationToken) -> Self {
        Self {
            stop,
            ..Self::default()
        }
    }
}

/// Serves the router until `shutdown.stop`, then lets requests in flight finish for up to 20 s. Handlers find the other
/// end's address as `axum::extract::ConnectInfo<SocketAddr>`.
///
/// # Errors
/// None so far: a listener that cannot accept for a while is waited for.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ServerLimits,
    metrics: ConnectionMetrics,
    shutdown: Shutdown,
) -> io::Result<()> {
    let limiter = ConnectionLimiter::new(&limits, metrics);
    let connections = TaskTracker::new();
    let Shutdown { stop, cut_off, .. } = shutdown.clone();
    let serving = ConnectionContext {
        http: http(&limits),
        router,
        shutdown,
    };
    let limits = Arc::new(limits);
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                wait_out(&error).await;
                continue;
            }
        };
        let Some(ticket) = limiter.admit(peer.ip()) else {
            tracing::debug!(peer = %peer, "too many connections, closing a new one");
            continue;
        };
        let stream = timed_stream::TimedStream::new(stream, ticket, Arc::clone(&limits));
        connections.spawn(connection::run(serving.clone(), stream, peer));
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(DRAIN, connections.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            connections = connections.len(),
            "requests did not finish in time and are cut off"
        );
        cut_off.cancel();
        connections.wait().await;
    }
    Ok(())
}

fn http(limits: &ServerLimits) -> http1::Builder {
    let mut http = http1::Builder::new();
    // hyper's clock for a head starts when it begins to wait for one, so it measures idleness too; the shorter time
    // for a head that has begun is enforced by the timed stream.
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.idle_timeout)
        .max_headers(limits.max_headers)
        .max_header_size(limits.max_header_bytes)
        .max_buf_size(
            limits
                .max_header_bytes
                .saturating_mul(2)
                .max(SMALLEST_BUFFER),
        );
    http
}

/// An error of a single connection is no reason to wait; any other is one of the whole system.
async fn wait_out(error: &io::Error) {
    let concerns_one = matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::Interrupted
    );
    if !concerns_one {
        tracing::warn!(error = %error, "no connection can be accepted at the moment");
        tokio::time::sleep(PAUSE).await;
    }
}
