//! Connections that are kept for the next request, which may be another tenant's to the same server.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::{
    developing, post,
    receiver::{Receiver, head},
};

/// A server that keeps its connections and answers each request on one with these bytes.
async fn keeping(bytes: &'static [u8]) -> Receiver {
    Receiver::start(move |mut stream| async move {
        while !head(&mut stream).await.is_empty() {
            if stream.write_all(bytes).await.is_err() {
                break;
            }
        }
    })
    .await
}

/// The bodies of three answers one after another, of so many bytes at most, without a body sent.
async fn three(server: &Receiver, most_bytes: usize) -> Vec<Vec<u8>> {
    let outbound = developing();
    let mut bodies = Vec::new();
    for _ in 0..3 {
        let mut request = post(&format!("http://127.0.0.1:{}/", server.port));
        request.body = "".into();
        request.most_bytes = most_bytes;
        let answer = outbound.send(request).await.expect("an answer");
        bodies.push(answer.body);
        // A connection is kept once all of its answer is read, which others do meanwhile.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bodies
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request() {
    let server = keeping(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none").await;
    assert_eq!(three(&server, 10).await, [b"one"; 3]);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn what_was_left_of_an_answer_is_not_read_as_the_next() {
    // A rest that has come already is passed over, and the connection may be kept.
    let server = keeping(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\none-and-2").await;
    assert_eq!(three(&server, 3).await, [b"one"; 3]);
}

#[tokio::test]
async fn an_answer_that_nobody_has_asked_for_is_nobodys() {
    let server = keeping(
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none\
          HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad",
    )
    .await;
    assert_eq!(three(&server, 10).await, [b"one"; 3]);
    assert_eq!(server.connections(), 3);
}
