//! Requests that a stock handler lets through: too large, of a type that any web page may send, or by the wrong method.

use reqwest::header;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::child::{Child, PATIENCE};
use crate::harness::{A, World, global_id, test};

/// The body that a stock handler takes in whole.
const LARGE: usize = 80_000_000;

#[test]
fn a_body_of_80_mb_is_refused_unread() {
    test(async |world: &World| {
        let mut server = Child::serve(world, &[]).await;
        server.expect_well("its start").await;
        let before = server.peak_memory();

        let announced = format!("content-length: {LARGE}\r\n\r\n");
        assert_eq!(
            raw_post(&server, &announced, &[]).await,
            "HTTP/1.1 413 Payload Too Large",
            "nothing of it sent"
        );

        let chunk = format!("{:x}\r\n{}\r\n", 65_536, " ".repeat(65_536));
        let endless = vec![chunk; LARGE / 65_536];
        let answer = raw_post(&server, "transfer-encoding: chunked\r\n\r\n", &endless).await;
        assert_eq!(
            answer, "HTTP/1.1 413 Payload Too Large",
            "chunk after chunk"
        );

        server.expect_well("80 MB").await;
        let grown = server.peak_memory() - before;
        assert!(grown < LARGE as u64 / 4, "the memory grew by {grown} bytes");
        assert!(server.stop().await.success());
    });
}

#[test]
fn a_flood_of_headers_is_refused() {
    test(async |world: &World| {
        let mut server = Child::serve(world, &[]).await;
        let many: String = (0..2_000).map(|n| format!("x-{n}: 1\r\n")).collect();
        let long = format!("x-long: {}\r\n", "x".repeat(1 << 20));
        for headers in [many, long] {
            let end = format!("{headers}content-length: 2\r\n\r\n");
            let refused = "HTTP/1.1 431 Request Header Fields Too Large";
            assert_eq!(raw_post(&server, &end, &[]).await, refused);
            server.expect_well("a flood of headers").await;
        }
        assert!(server.stop().await.success());
    });
}

#[test]
fn a_mutation_comes_by_post_as_json_or_not_at_all() {
    test(async |world: &World| {
        let mut server = Child::serve(world, &[]).await;
        let company = global_id("company", A.uuid("company", 1));
        let mutation = format!(
            "mutation {{ companyArchive(input: {{ id: \"{company}\" }}) {{ company {{ id }} }} }}"
        );
        let body = json!({ "query": mutation }).to_string();
        let url = server.url();

        let get = server.get(&[("query", &mutation)]);
        let reply = server.send(get).await;
        assert_eq!(
            (reply.status, reply.code()),
            (405, "METHOD_NOT_ALLOWED"),
            "{}",
            reply.body
        );

        let boundary = format!(
            "--x\r\ncontent-disposition: form-data; name=\"operations\"\r\n\r\n{body}\r\n\
             --x\r\ncontent-disposition: form-data; name=\"map\"\r\n\r\n{{}}\r\n--x--\r\n"
        );
        for (content_type, body) in [
            ("text/plain", body.as_str()),
            ("text/plain; a=application/json", &body),
            (
                "application/x-www-form-urlencoded",
                &format!("query={mutation}"),
            ),
            ("application/graphql", &mutation),
            ("multipart/form-data; boundary=x", &boundary),
        ] {
            let post = server
                .http()
                .post(&url)
                .header(header::CONTENT_TYPE, content_type)
                .body(body.to_owned());
            let reply = server.send(post).await;
            assert_eq!(
                (reply.status, reply.code()),
                (415, "UNSUPPORTED_MEDIA_TYPE"),
                "{content_type}: {}",
                reply.body
            );
        }
        let reply = server
            .send(server.http().post(&url).body(body.clone()))
            .await;
        assert_eq!(reply.status, 415, "no type: {}", reply.body);
        for method in ["PUT", "PATCH", "DELETE", "OPTIONS"] {
            let method = method.parse().unwrap();
            let put = server
                .http()
                .request(method, &url)
                .header(header::CONTENT_TYPE, "application/json")
                .body(body.clone());
            assert_eq!(server.send(put).await.status, 405);
        }

        let batch = json!([{ "query": mutation }, { "query": "{ __typename }" }]);
        let reply = server.post(&batch).await;
        assert_eq!(
            (reply.status, reply.code()),
            (400, "BATCHING_UNSUPPORTED"),
            "{}",
            reply.body
        );

        let reply = server
            .query(&format!(
                "{{ company(id: \"{company}\") {{ archivedAt version }} }}"
            ))
            .await;
        assert_eq!(
            reply.body["data"]["company"],
            json!({ "archivedAt": Value::Null, "version": 1 }),
            "it was executed"
        );
        server.expect_well("all of it").await;
        assert!(server.stop().await.success());
    });
}

#[test]
fn sockets_are_opened_in_one_place_and_a_subscription_has_no_single_answer() {
    test(async |world: &World| {
        let server = Child::serve(world, &[]).await;
        for path in ["/", "/graphql/ws", "/ws", "/subscriptions"] {
            let upgrade = server
                .http()
                .get(format!("http://{}{path}", server.address()))
                .header(header::UPGRADE, "websocket");
            let upgrade = upgrade
                .header(header::CONNECTION, "upgrade")
                .header("sec-websocket-version", "13");
            let upgrade = upgrade.header("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==");
            let reply = server
                .send(upgrade.header("sec-websocket-protocol", "graphql-transport-ws"))
                .await;
            assert!(
                (400..500).contains(&reply.status),
                "{path}: {} {}",
                reply.status,
                reply.body
            );
        }
        let reply = server.query("subscription { __typename }").await;
        assert!(
            (400..500).contains(&reply.status),
            "{} {}",
            reply.status,
            reply.body
        );
    });
}

/// Sends the head of a POST and then as much of a body as the server takes; the first line of the answer.
async fn raw_post(server: &Child, rest_of_head: &str, body: &[String]) -> String {
    let stream = TcpStream::connect(server.address())
        .await
        .expect("the server listens");
    let (mut from, mut to) = stream.into_split();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nauthorization: Bearer {}\r\n{rest_of_head}",
        server.address(),
        server.token(),
    );
    let send = async {
        // A server that has answered need not take the rest, not even of a head.
        if to.write_all(head.as_bytes()).await.is_err() {
            return;
        }
        for chunk in body {
            if to.write_all(chunk.as_bytes()).await.is_err() {
                return;
            }
        }
    };
    let receive = async {
        let mut text = Vec::new();
        while !text.contains(&b'\r') {
            let byte = from
                .read_u8()
                .await
                .expect("an answer comes before the end");
            text.push(byte);
        }
        String::from_utf8_lossy(&text).trim_end().to_owned()
    };
    let both = async { tokio::join!(send, receive).1 };
    tokio::time::timeout(PATIENCE, both)
        .await
        .expect("the server neither waits nor reads on")
}
