//! A server on a real socket, and clients who do not behave.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::{ServerLimits, serve};
use crate::platform::telemetry::metrics::ConnectionMetrics;

/// Longer than any limit set here, and shorter than the wait for requests in flight: what takes this long is a fault.
const NEVER: Duration = Duration::from_secs(15);

struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    done: JoinHandle<std::io::Result<()>>,
    entered: Arc<Notify>,
    release: Arc<Notify>,
}

fn brief() -> ServerLimits {
    let brief = Duration::from_millis(100);
    ServerLimits {
        header_timeout: brief,
        idle_timeout: brief * 3,
        write_timeout: brief,
        min_write_rate: 1,
        ..ServerLimits::default()
    }
}

async fn start(limits: ServerLimits) -> Server {
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (enter, wait) = (Arc::clone(&entered), Arc::clone(&release));
    let held = move || {
        let (enter, wait) = (Arc::clone(&enter), Arc::clone(&wait));
        async move {
            enter.notify_one();
            wait.notified().await;
            "held"
        }
    };
    let router = Router::new()
        .route(
            "/peer",
            get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }),
        )
        .route("/large", get(|| async { vec![b'x'; 64 * 1024 * 1024] }))
        .route(
            "/refuse",
            post(|| async { (StatusCode::PAYLOAD_TOO_LARGE, "refused") }),
        )
        .route("/echo", post(|body: Bytes| async move { body }))
        .route("/held", get(held))
        .route("/upgrade", get(upgrade));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    let done = tokio::spawn(serve(
        listener,
        router,
        limits,
        ConnectionMetrics::default(),
        stop.clone().into(),
    ));
    Server {
        address,
        stop,
        done,
        entered,
        release,
    }
}

/// Answers 101 and then sends back what it gets.
async fn upgrade(mut request: Request) -> Response {
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let upgraded = upgraded.await.expect("the server upgrades");
        let (mut from, mut to) = tokio::io::split(TokioIo::new(upgraded));
        let _ = tokio::io::copy(&mut from, &mut to).await;
    });
    let headers = [("connection", "upgrade"), ("upgrade", "echo")];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address)
            .await
            .expect("the server listens")
    }

    async fn stopped(self) {
        self.stop.cancel();
        timeout(NEVER, self.done)
            .await
            .expect("in time")
            .expect("no panic")
            .expect("no error");
    }
}

async fn send(stream: &mut TcpStream, text: &str) {
    stream
        .write_all(text.as_bytes())
        .await
        .expect("the connection is open");
}

/// Everything until the server closes. A reset is a close too.
async fn read_all(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let _ = timeout(NEVER, stream.read_to_end(&mut text))
        .await
        .expect("the server closes");
    String::from_utf8_lossy(&text).into_owned()
}

async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let byte = timeout(NEVER, stream.read_u8())
            .await
            .expect("in time")
            .expect("the answer goes on");
        text.push(byte.into());
    }
    text
}

#[tokio::test]
async fn silent_and_trickling_heads_are_closed() {
    let server = start(ServerLimits {
        idle_timeout: NEVER,
        ..brief()
    })
    .await;
    for begun in ["", "G", "GET /peer HTTP/1.1\r\nhost: x\r\n"] {
        let mut client = server.connect().await;
        send(&mut client, begun).await;
        assert_eq!(read_all(&mut client).await, "", "{begun:?}");
    }
    let mut client = server.connect().await;
    let opened = Instant::now();
    while opened.elapsed() < NEVER && client.write_all(b"x").await.is_ok() {
        tokio::time::sleep(brief().header_timeout / 10).await;
    }
    assert!(opened.elapsed() < NEVER, "a byte now and then buys no time");
}

#[tokio::test]
async fn a_second_head_has_the_same_timeout_and_idleness_a_longer_one() {
    let server = start(ServerLimits {
        idle_timeout: NEVER,
        ..brief()
    })
    .await;
    let mut client = server.connect().await;
    send(&mut client, "GET /held HTTP/1.1\r\nhost: x\r\n\r\n").await;
    server.entered.notified().await;
    server.release.notify_one();
    read_until(&mut client, "held").await;
    // Idle for longer than a head may take, then half a head.
    tokio::time::sleep(brief().header_timeout * 2).await;
    send(&mut client, "GET /peer HTTP/1.1\r\n").await;
    assert_eq!(read_all(&mut client).await, "");

    let server = start(brief()).await;
    let mut client = server.connect().await;
    send(&mut client, "GET /peer HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(
        read_all(&mut client).await.starts_with("HTTP/1.1 200"),
        "answered, then idle, then closed"
    );
}

#[tokio::test]
async fn a_request_may_take_longer_than_a_head() {
    let server = start(ServerLimits {
        idle_timeout: NEVER,
        ..brief()
    })
    .await;
    let mut client = server.connect().await;
    send(
        &mut client,
        "POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 4\r\n\r\nab",
    )
    .await;
    tokio::time::sleep(brief().header_timeout * 2).await;
    send(&mut client, "cd").await;
    assert!(read_all(&mut client).await.ends_with("abcd"));
}

#[tokio::test]
async fn handlers_know_the_other_end() {
    let server = start(brief()).await;
    let mut client = server.connect().await;
    send(
        &mut client,
        "GET /peer HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    )
    .await;
    let address = client.local_addr().expect("an address").to_string();
    assert!(read_all(&mut client).await.ends_with(&address));
}

#[tokio::test]
async fn heads_are_bounded_in_bytes_and_number() {
    let server = start(ServerLimits::default()).await;
    for headers in [
        format!("x: {}\r\n", "y".repeat(33 * 1024)),
        "x: y\r\n".repeat(65),
    ] {
        let mut client = server.connect().await;
        send(
            &mut client,
            &format!("GET /peer HTTP/1.1\r\nhost: x\r\n{headers}\r\n"),
        )
        .await;
        assert!(read_all(&mut client).await.starts_with("HTTP/1.1 431"));
    }
}

#[tokio::test]
async fn connections_beyond_the_caps_are_closed() {
    let server = start(ServerLimits {
        max_connections_per_ip: 2,
        idle_timeout: NEVER,
        ..ServerLimits::default()
    })
    .await;
    let mut held = [server.connect().await, server.connect().await];
    for client in &mut held {
        send(client, "GET /peer HTTP/1.1\r\nhost: x\r\n\r\n").await;
        read_until(client, ":").await;
    }
    assert_eq!(read_all(&mut server.connect().await).await, "");
    drop(held);
    let mut served = String::new();
    while served.is_empty() {
        let mut client = server.connect().await;
        let _ = client
            .write_all(b"GET /peer HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await;
        served = read_all(&mut client).await;
    }
    assert!(served.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_response_that_is_not_read_is_given_up() {
    let server = start(brief()).await;
    let mut client = server.connect().await;
    send(&mut client, "GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await;
    client.readable().await.expect("the answer begins");
    // The server has no connection left to wait for once it has given up, though the client still holds on.
    server.stopped().await;
    assert!(read_all(&mut client).await.len() < 64 * 1024 * 1024);
}

#[tokio::test]
async fn a_client_that_takes_a_little_now_and_then_is_too_slow_on_the_whole() {
    let limits = ServerLimits {
        min_write_rate: 1024 * 1024 * 1024,
        ..brief()
    };
    let server = start(limits).await;
    let mut client = server.connect().await;
    send(&mut client, "GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await;
    // It takes something all the time, and would be done after a minute.
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    let mut piece = vec![0; 8 * 1024];
    let mut taken = 0;
    let slow = async {
        loop {
            pace.tick().await;
            match client.read(&mut piece).await {
                Ok(0) | Err(_) => break,
                Ok(bytes) => taken += bytes,
            }
        }
    };
    tokio::select! {
        // The server has no connection left to wait for once it has given up.
        () = server.stopped() => {}
        () = slow => {}
    }
    let rest = read_all(&mut client).await;
    assert!(taken + rest.len() < 64 * 1024 * 1024, "{taken}");
}

#[tokio::test]
async fn a_client_that_is_still_sending_sees_why_it_was_refused() {
    let server = start(ServerLimits::default()).await;
    let mut client = server.connect().await;
    let size = 80_000_000;
    send(
        &mut client,
        &format!("POST /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: {size}\r\n\r\n"),
    )
    .await;
    let sent = client.write_all(&vec![b'x'; size]).await;
    assert!(
        read_all(&mut client).await.starts_with("HTTP/1.1 413"),
        "{sent:?}"
    );
}

#[tokio::test]
async fn stopping_lets_requests_finish_and_ends_idle_connections() {
    let server = start(ServerLimits::default()).await;
    let (mut busy, mut idle, silent) = (
        server.connect().await,
        server.connect().await,
        server.connect().await,
    );
    send(&mut busy, "GET /held HTTP/1.1\r\nhost: x\r\n\r\n").await;
    server.entered.notified().await;
    send(&mut idle, "GET /peer HTTP/1.1\r\nhost: x\r\n\r\n").await;
    read_until(&mut idle, ":").await;

    server.stop.cancel();
    read_all(&mut idle).await;
    assert!(!server.done.is_finished(), "a request is in flight");
    server.release.notify_one();
    assert!(read_all(&mut busy).await.ends_with("held"));
    drop((busy, idle));
    let refused = server.address;
    server.stopped().await;
    drop(silent);
    assert!(TcpStream::connect(refused).await.is_err());
}

#[tokio::test]
async fn an_upgraded_connection_has_no_timeouts_and_keeps_its_ticket() {
    let limits = ServerLimits {
        max_connections: 1,
        idle_timeout: brief().header_timeout,
        ..brief()
    };
    let server = start(limits).await;
    let mut client = server.connect().await;
    send(
        &mut client,
        "GET /upgrade HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n",
    )
    .await;
    read_until(&mut client, "\r\n\r\n").await;
    send(&mut client, "a").await;
    assert_eq!(read_until(&mut client, "a").await, "a");
    tokio::time::sleep(brief().header_timeout * 3).await;
    send(&mut client, "b").await;
    assert_eq!(read_until(&mut client, "b").await, "b");
    assert_eq!(
        read_all(&mut server.connect().await).await,
        "",
        "its place is taken"
    );
}
