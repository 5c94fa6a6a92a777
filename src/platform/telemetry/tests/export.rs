//! What reaches a collector, over a real socket.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread::JoinHandle,
    time::Instant,
};

use super::*;

/// A collector that takes one export and hands back the head and the body of that request.
fn collector() -> (Url, JoinHandle<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let taken = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        take_request(&mut stream)
    });
    (address, taken)
}

fn take_request(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = stream.read(&mut chunk).unwrap();
        assert!(read > 0, "the exporter closed early");
        bytes.extend_from_slice(&chunk[..read]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8(bytes[..end].to_vec())
            .unwrap()
            .to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .unwrap();
        let body = &bytes[end + 4..];
        if body.len() == length.parse::<usize>().unwrap() {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                .unwrap();
            return (head, body.to_vec());
        }
    }
}

fn contains(body: &[u8], text: &str) -> bool {
    body.windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[test]
fn spans_are_posted_to_the_collector_even_when_the_log_is_off() {
    let (address, taken) = collector();
    let written = logged(&config("off", Some(address)), || {
        serve_one(TraceParents::Ignored, None)
    });
    let (head, body) = taken.join().unwrap();
    assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
    assert!(
        head.contains("content-type: application/x-protobuf"),
        "{head}"
    );
    for text in [
        "dealgraph-under-test",
        "service.version",
        "POST",
        "http.request.method",
        "http.response.status_code",
        "url.path",
        "/graphql",
        "req-7",
        "query",
        "graphql.operation.name",
        "Board",
        "graphql.document.hash",
        "SELECT opportunities",
        "db.query.summary",
        "db.response.returned_rows",
        "slow",
    ] {
        assert!(contains(&body, text), "{text} is not in the export");
    }
    let statement = "SELECT opportunities".as_bytes();
    let named = body
        .windows(statement.len())
        .filter(|window| *window == statement)
        .count();
    assert_eq!(named, 2, "the statement's span has its summary as its name");
    assert!(!contains(&body, "hunter2"));
    assert!(written.text().is_empty());
}

#[test]
fn a_traceparent_is_followed_only_when_callers_are_trusted() {
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let traceparent = format!("00-{trace}-b7ad6b7169203331-01");
    for (trust, followed) in [
        (TraceParents::Trusted, true),
        (TraceParents::Ignored, false),
    ] {
        let (address, taken) = collector();
        let config = config("info", Some(address));
        let lines = logged(&config, || serve_one(trust, Some(&traceparent))).lines();
        taken.join().unwrap();
        let logged_trace = lines.last().unwrap()["trace.id"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(logged_trace == trace, followed, "{logged_trace}");
        assert_eq!(logged_trace.len(), 32);
    }
}

#[test]
fn the_end_does_not_wait_long_for_a_collector_that_never_answers() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap())
        .parse()
        .unwrap();
    let (subscriber, mut guard) = subscriber(&config("off", Some(address)), io::sink).unwrap();
    tracing::subscriber::with_default(subscriber, || serve_one(TraceParents::Ignored, None));
    let started = Instant::now();
    guard.flush(Duration::from_millis(100));
    assert!(
        started.elapsed() < Duration::from_secs(3),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn telemetry_starts_and_ends_inside_a_runtime() {
    let (address, taken) = collector();
    logged(&config("off", Some(address)), || {
        serve_one(TraceParents::Ignored, None)
    });
    let (_, body) = taken.join().unwrap();
    assert!(contains(&body, "req-7"));
}
