//! Servers elsewhere that webhooks are sent to: they take what comes, and answer as whoever runs them says.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    HeaderMap, Request, Response, StatusCode, body::Incoming, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, time::sleep};

use crate::Outcome;

/// What is done with something that came.
pub(crate) trait Takes: Send + Sync + 'static {
    /// Takes what came whole to a path.
    fn take(&self, path: &str, headers: &HeaderMap, body: &Bytes) -> Reply;
}

/// How it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    Now(StatusCode),
    After(Duration, StatusCode),
    /// Not at all: the connection is cut.
    Cut,
}

/// Starts one on a port of its own; it runs as long as this process.
pub(crate) async fn start(takes: Arc<impl Takes>) -> Outcome<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(accept(listener, takes));
    Ok(address)
}

async fn accept(listener: TcpListener, takes: Arc<impl Takes>) -> Infallible {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of files, and some are closed soon.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let takes = Arc::clone(&takes);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(request, &*takes));
            // That it ended with an error is what cutting it does.
            let _ended = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    takes: &impl Takes,
) -> Result<Response<Empty<Bytes>>, &'static str> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| "it did not come whole")?;
    let reply = takes.take(head.uri.path(), &head.headers, &body.to_bytes());
    let status = match reply {
        Reply::Now(status) => status,
        Reply::After(pause, status) => {
            sleep(pause).await;
            status
        }
        Reply::Cut => return Err("it is cut"),
    };
    let mut response = Response::new(Empty::new());
    *response.status_mut() = status;
    Ok(response)
}
