//! Answers are compressed for those who take them so; whatever carries a secret is not.

use std::{io::Read as _, process::Stdio};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::harness::{Client, Who, test};

/// Longer than what is worth compressing.
const LONG: &str = "{ __schema { types { name description } } }";

/// An answer as it came: in which coding, and its bytes.
async fn fetch(client: &Client<'_>, document: &str, accepted: &str) -> (String, Vec<u8>) {
    let request = client
        .post()
        .bearer_auth(client.token().expect("a token"))
        .header("accept-encoding", accepted)
        .json(&json!({ "query": document }));
    let response = request.send().await.expect("the server answers");
    let header = |name: &str| {
        let value = response.headers().get(name);
        value
            .map_or("", |value| value.to_str().expect("text"))
            .to_owned()
    };
    assert!(header("vary").contains("accept-encoding"));
    let coding = header("content-encoding");
    let body = response.bytes().await.expect("a body");
    (coding, body.to_vec())
}

fn decoded(coding: &str, body: &[u8]) -> Value {
    let mut text = Vec::new();
    match coding {
        "zstd" => text = zstd::stream::decode_all(body).expect("zstd"),
        "br" => brotli::BrotliDecompress(&mut &*body, &mut text).expect("brotli"),
        "gzip" => {
            let mut decoder = flate2::read::GzDecoder::new(body);
            decoder.read_to_end(&mut text).expect("gzip");
        }
        "" => text = body.to_vec(),
        other => panic!("{other}"),
    }
    serde_json::from_slice(&text).expect("JSON")
}

#[test]
fn long_answers_are_compressed_as_the_client_takes_it() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let (coding, plain) = fetch(&admin, LONG, "identity").await;
        assert_eq!(coding, "");
        let expected = decoded("", &plain)["data"].clone();
        for (accepted, coding) in [
            ("gzip, deflate, br, zstd", "zstd"),
            ("gzip, deflate, br", "br"),
            ("gzip, deflate", "gzip"),
            ("br;q=0.5, gzip;q=0.9", "gzip"),
            ("deflate", ""),
        ] {
            let (used, body) = fetch(&admin, LONG, accepted).await;
            assert_eq!(used, coding, "{accepted}");
            assert_eq!(decoded(&used, &body)["data"], expected, "{accepted}");
            assert!(
                used.is_empty() || body.len() < plain.len() / 3,
                "{accepted}"
            );
        }
        let (coding, _) = fetch(&admin, "{ viewer { id } }", "gzip").await;
        assert_eq!(coding, "", "what is short is sent as it is");
    });
}

#[test]
fn what_carries_a_secret_is_sent_as_it_is() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let create = |selection: &str| {
            let fields: String = (0..10)
                .map(|n| {
                    let input = format!("{{ name: \"Key {n}\", role: ANALYST }}");
                    format!("k{n}: apiKeyCreate(input: {input}) {{ {selection} userErrors {{ code }} }} ")
                })
                .collect();
            format!("mutation {{ {fields} }}")
        };
        let document = create("secret apiKey { id name role createdAt hint permissions }");
        let (coding, body) = fetch(&admin, &document, "gzip, br, zstd").await;
        assert!(body.len() > 2_000, "{}", body.len());
        assert_eq!(coding, "");
        let answer = decoded("", &body);
        world.secrets.learn(&answer);
        assert!(answer["data"]["k0"]["secret"].is_string(), "{answer}");

        // The same things without a secret.
        let list = "{ apiKeys(first: 100) { nodes { id name role createdAt hint permissions } } }";
        let (coding, _) = fetch(&admin, list, "gzip").await;
        assert_eq!(coding, "gzip");
    });
}

#[test]
fn a_client_in_javascript_reads_compressed_answers() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let script = "
            const [url, token, query] = process.argv.slice(1);
            const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
            const codings = [];
            for (const accepted of [undefined, 'br', 'gzip']) {
                const more = accepted ? { 'accept-encoding': accepted } : {};
                const answer = await fetch(url, {
                    method: 'POST', headers: { ...headers, ...more }, body: JSON.stringify({ query }),
                });
                const { data } = await answer.json();
                codings.push([answer.headers.get('content-encoding'), data.__schema.types.length]);
            }
            console.log(JSON.stringify(codings));";
        let url = world.socket_url().replace("ws://", "http://");
        let node = Command::new("node")
            .args(["--input-type=module", "-e", script])
            .args([&url, admin.token().expect("a token"), LONG])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let node = node.await.expect("node is installed");
        let text = String::from_utf8_lossy(&node.stdout);
        let codings: Value = serde_json::from_str(&text)
            .unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&node.stderr)));
        let types = codings[0][1].clone();
        assert!(types.as_u64() > Some(100), "{codings}");
        assert_eq!(
            codings,
            json!([["gzip", types], ["br", types], ["gzip", types]])
        );
    });
}
