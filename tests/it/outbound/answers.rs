//! Servers that answer with too much, too slowly, with nothing, or with somewhere else.

use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::http::{HeaderName, HeaderValue};
use dealgraph::platform::outbound::SendError;
use flate2::{Compression, write::GzEncoder};
use tokio::io::AsyncWriteExt as _;

use super::{
    developing, outcome, post,
    receiver::{Receiver, head},
};

/// A server that writes a beginning, and then a piece again and again: the bytes that it got rid of.
async fn endless(
    beginning: &'static str,
    piece: &'static [u8],
    pause: Option<Duration>,
) -> (Receiver, Arc<AtomicUsize>) {
    let written = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&written);
    let receiver = Receiver::start(move |mut stream| {
        let counted = Arc::clone(&counted);
        async move {
            head(&mut stream).await;
            let mut next = beginning.as_bytes();
            while stream.write_all(next).await.is_ok() {
                counted.fetch_add(next.len(), Ordering::SeqCst);
                next = piece;
                if let Some(pause) = pause {
                    tokio::time::sleep(pause).await;
                }
                // More than anybody should take.
                if counted.load(Ordering::SeqCst) > 100 << 20 {
                    break;
                }
            }
        }
    })
    .await;
    (receiver, written)
}

#[tokio::test]
async fn an_answer_comes_as_it_is() {
    let server = Receiver::answering(
        "HTTP/1.1 429 Slow Down\r\nretry-after: 17\r\nx-a: 1\r\ncontent-length: 5\r\n\r\nhello",
    )
    .await;
    let mut request = post(&format!("http://localhost:{}/hook?a=b", server.port));
    let header = (
        HeaderName::from_static("webhook-id"),
        HeaderValue::from_static("msg_1"),
    );
    request.headers.push(header);
    let answer = developing().send(request).await.expect("an answer");
    assert_eq!((answer.status, answer.is_cut), (429, false));
    assert_eq!(answer.retry_after, Some(Duration::from_secs(17)));
    assert_eq!(
        (&answer.headers["x-a"], &*answer.body),
        (&"1".parse().unwrap(), &b"hello"[..])
    );
    let heads = server.heads();
    let head = heads[0].to_lowercase();
    assert!(head.starts_with("post /hook?a=b http/1.1\r\n"), "{head}");
    assert!(
        head.contains("\r\nwebhook-id: msg_1\r\n")
            && head.contains("\r\nuser-agent: dealgraph\r\n")
    );
    assert!(!head.contains("accept-encoding"), "{head}");
}

#[tokio::test]
async fn what_http_says_about_a_request_is_not_for_callers_to_say() {
    let server = Receiver::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let mut request = post(&format!("http://127.0.0.1:{}/", server.port));
    for (name, value) in [
        ("host", "inner.example"),
        ("content-length", "99"),
        ("transfer-encoding", "chunked"),
        ("connection", "upgrade"),
        ("upgrade", "h2c"),
        ("x-kept", "1"),
    ] {
        let header = (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
        request.headers.push(header);
    }
    let answer = developing().send(request).await.expect("an answer");
    assert_eq!(answer.status, 200);
    let head = server.heads()[0].to_lowercase();
    for kept in [
        format!("host: 127.0.0.1:{}", server.port),
        "content-length: 2".to_owned(),
        "x-kept: 1".to_owned(),
    ] {
        assert!(head.contains(&format!("\r\n{kept}\r\n")), "{head}");
    }
    assert!(
        ["inner.example", "chunked", "upgrade"]
            .iter()
            .all(|odd| !head.contains(odd)),
        "{head}"
    );
}

#[tokio::test]
async fn redirects_are_answers_and_lead_nowhere() {
    let inner = Receiver::counting().await;
    let answers = [301, 302, 303, 307, 308].map(|status| {
        let location = format!("location: http://127.0.0.1:{}/", inner.port);
        (
            status,
            format!("HTTP/1.1 {status} Elsewhere\r\n{location}\r\ncontent-length: 0\r\n\r\n"),
        )
    });
    for (status, answer) in &answers {
        let server = Receiver::answering(answer.as_str()).await;
        let address = format!("http://127.0.0.1:{}/", server.port);
        assert_eq!(outcome(&developing(), &address).await, status.to_string());
    }
    assert_eq!(inner.settled().await, 0);
    // A client of the same library as it is goes there.
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    for (status, answer) in answers {
        let server = Receiver::answering(answer).await;
        let address = format!("http://127.0.0.1:{}/", server.port);
        let followed = client.get(&address).send().await.expect("an answer");
        assert_eq!(followed.status(), 204, "{status}");
    }
    assert_eq!(inner.settled().await, 5);
}

#[tokio::test]
async fn of_an_endless_body_no_more_is_read_than_was_agreed() {
    let piece: &[u8] = &[b'a'; 8_192];
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n";
    let (server, written) = endless(head, piece, None).await;
    let answer = developing()
        .send(post(&format!("http://127.0.0.1:{}/", server.port)))
        .await
        .expect("an answer");
    assert_eq!(
        (answer.status, answer.body.len(), answer.is_cut),
        (200, 64 << 10, true)
    );
    // The rest is left: the server can't go on writing.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let taken = written.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(written.load(Ordering::SeqCst), taken);
    assert!(taken < 16 << 20, "{taken}");
}

#[tokio::test]
async fn headers_without_end_are_no_answer() {
    let line = b"x-header: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
    let (server, written) = endless("HTTP/1.1 200 OK\r\n", line, None).await;
    let address = format!("http://127.0.0.1:{}/", server.port);
    assert_eq!(outcome(&developing(), &address).await, "BROKEN");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let taken = written.load(Ordering::SeqCst);
    assert!(taken < 16 << 20, "{taken}");
}

#[tokio::test]
async fn servers_that_drip_or_hang_end_with_the_deadline() {
    let pause = Some(Duration::from_millis(50));
    let slow = [
        // Nothing, a header, a body, chunks of it, and answers before the answer.
        endless("", b"", pause).await,
        endless("HTTP/1.1 200 OK\r\nx: ", b"a", pause).await,
        endless(
            "HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n",
            b"a",
            pause,
        )
        .await,
        endless(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            b"1\r\na\r\n",
            pause,
        )
        .await,
        endless("", b"HTTP/1.1 100 Continue\r\n\r\n", pause).await,
        endless("", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", None).await,
    ];
    for (number, (server, _)) in slow.iter().enumerate() {
        let mut request = post(&format!("http://127.0.0.1:{}/", server.port));
        request.deadline = Duration::from_millis(700);
        let began = Instant::now();
        let sent = developing().send(request).await;
        assert_eq!(
            sent.expect_err("no answer"),
            SendError::TimedOut,
            "{number}"
        );
        let took = began.elapsed();
        assert!(took < Duration::from_millis(2_500), "{number}: {took:?}");
        assert_eq!(server.connections(), 1, "{number}: it was reached");
    }
}

#[tokio::test]
async fn what_is_packed_stays_packed() {
    // 8 MiB of nothing, in 8 KiB.
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..8 {
        packer.write_all(&vec![0; 1 << 20]).expect("memory");
    }
    let bomb = packer.finish().expect("memory");
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        bomb.len()
    );
    let server = Receiver::answering([head.as_bytes(), &bomb].concat()).await;
    let mut request = post(&format!("http://127.0.0.1:{}/", server.port));
    request.most_bytes = 1 << 20;
    let answer = developing().send(request).await.expect("an answer");
    assert_eq!(answer.body.len(), bomb.len());
    assert!(answer.body == bomb && answer.headers["content-encoding"] == "gzip");
}

#[tokio::test]
async fn what_is_no_answer_is_told_as_such() {
    for (bytes, wanted) in [
        ("", "BROKEN"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "BROKEN"),
        ("-ERR unknown command\r\n", "BROKEN"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort",
            "BROKEN",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            "BROKEN",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\na",
            "BROKEN",
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "200"),
    ] {
        let server = Receiver::answering(bytes).await;
        let address = format!("http://127.0.0.1:{}/", server.port);
        assert_eq!(outcome(&developing(), &address).await, wanted, "{bytes:?}");
    }
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("an address").port()
    };
    let address = format!("http://127.0.0.1:{closed}/");
    assert_eq!(outcome(&developing(), &address).await, "UNREACHABLE");
}
