//! Addresses of this machine and its network, in every way they can be written.

use std::time::Duration;

use dealgraph::platform::outbound::SendError;
use url::Url;

use super::{guarded, post, receiver::Receiver};

/// Ways to write this machine that a client that is not guarded takes for it.
const HERE: [&str; 17] = [
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0X7F.0.0.0x1",
    "0177.0.0.1",
    "017700000001",
    "0.0.0.0",
    "0",
    "%31%32%37.0.0.1",
    "１２７.０.０.１",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
];
/// The same by IPv6.
const HERE_V6: [&str; 6] = [
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0000::FFFF:7F00:0001]",
    "[::]",
];
/// What leads there or near it in other ways, some of which not every machine knows.
const NEAR: [&str; 14] = [
    "localhost",
    "localhost.",
    "LOCALHOST",
    "ｌｏｃａｌｈｏｓｔ",
    "a.localhost",
    "ip6-localhost",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[2002:7f00:1::]",
    "[fe80::1]",
    "169.254.169.254",
    "[fd00:ec2::254]",
    "10.0.0.1",
    "metadata.google.internal",
];

#[tokio::test]
async fn no_spelling_of_this_machine_reaches_it() {
    let server = Receiver::counting().await;
    let outbound = guarded();
    for host in HERE.iter().chain(&HERE_V6).chain(&NEAR) {
        for scheme in ["https", "http"] {
            for user in ["", "hooks.example.com@", "hooks.example.com:443@"] {
                let address = format!("{scheme}://{user}{host}:{}/", server.port);
                assert!(outbound.check(&address).is_err(), "{address}");
                let Ok(url) = Url::parse(&address) else {
                    continue;
                };
                let sent = outbound.send(post(url.as_str())).await;
                assert!(
                    matches!(sent, Err(SendError::Refused(_))),
                    "{address}: {sent:?}"
                );
            }
        }
    }
    assert_eq!(server.settled().await, 0);
}

#[tokio::test]
async fn a_client_that_is_not_guarded_gets_there_by_the_same_spellings() {
    let server = Receiver::counting().await;
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(10))
        .build()
        .expect("a client");
    let by_v6 = HERE_V6.iter().filter(|_| server.is_dual);
    for host in HERE.iter().chain(by_v6) {
        let before = server.connections();
        let address = format!("http://{host}:{}/", server.port);
        let answer = client.get(&address).send().await;
        assert!(
            answer.is_ok_and(|answer| answer.status() == 204),
            "{address}"
        );
        assert_eq!(server.connections(), before + 1, "{address}");
    }
}

#[tokio::test]
async fn other_schemes_and_services_are_refused_whatever_their_address() {
    let outbound = guarded();
    for address in [
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "dict://127.0.0.1:11211/",
        "ftp://hooks.example.com/",
        "ws://hooks.example.com/",
        "http://hooks.example.com/",
        "https://hooks.example.com:22/",
        "https://hooks.example.com:25/",
        "https://hooks.example.com:5432/",
        "https://hooks.example.com:6379/",
        "https://1.1.1.1:6379/",
    ] {
        assert!(outbound.check(address).is_err(), "{address}");
        let sent = outbound.send(post(address)).await;
        assert!(
            matches!(sent, Err(SendError::Refused(_))),
            "{address}: {sent:?}"
        );
    }
}

#[tokio::test]
async fn what_is_refused_is_told_without_the_address() {
    for host in ["10.11.12.13", "redis", "169.254.169.254"] {
        let address = format!("https://{host}/");
        let refused = guarded().check(&address).expect_err("refused");
        assert_eq!(refused.code, "ADDRESS_REFUSED");
        assert!(!refused.to_string().contains(host), "{refused}");
    }
}
