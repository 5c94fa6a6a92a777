//! What the environment of a process says about proxies and certificates. A process has one, so these are processes of their
//! own: this executable again, with the same test.

use std::{path::Path, process::Stdio};

use dealgraph::platform::outbound::OutboundSettings;
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::{
    name_server::{NameServer, addresses},
    of, outcome,
    receiver::Receiver,
    tls::Authority,
};

const REQUESTS: &str = "OUTBOUND_REQUESTS";

/// What a process is to do.
#[derive(Serialize, Deserialize)]
struct Requests {
    proxy: Option<url::Url>,
    name_servers: Vec<std::net::SocketAddr>,
    /// Addresses, and what is to come of them.
    wanted: Vec<(String, String)>,
    /// An address that a client which is not guarded asks.
    unguarded: Option<String>,
}

/// Whether this process is one of those that another one has made for its requests; then they are sent, and judged.
async fn is_made_for_requests() -> bool {
    let Some(requests) = std::env::var_os(REQUESTS) else {
        return false;
    };
    let requests = requests.into_string().expect("text");
    let requests: Requests = serde_json::from_str(&requests).expect("requests");
    let outbound = of(OutboundSettings {
        proxy: requests.proxy,
        allows_loopback: true,
        name_servers: requests.name_servers,
    });
    for (address, wanted) in requests.wanted {
        assert_eq!(outcome(&outbound, &address).await, wanted, "{address}");
    }
    if let Some(address) = requests.unguarded {
        let _ = reqwest::get(address).await;
    }
    true
}

/// Runs a test of this file once more, in a process with these variables and no others, for the requests alone.
async fn run(test: &str, requests: &Requests, environment: &[(&str, String)]) {
    let mut command = Command::new(std::env::current_exe().expect("this executable"));
    let name = format!("outbound::environment::{test}");
    command
        .args(["--exact", &name, "--nocapture"])
        .env_clear()
        .env(REQUESTS, serde_json::to_string(requests).expect("text"))
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null());
    let output = command.output().await.expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    assert!(text.contains("1 passed"), "{text}");
}

#[tokio::test]
async fn proxies_of_the_environment_are_not_heeded() {
    if is_made_for_requests().await {
        return;
    }
    let proxy = Receiver::counting().await;
    let receiver = Receiver::answering("HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n").await;
    let at = format!("http://127.0.0.1:{}", proxy.port);
    let environment = [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ];
    let environment = environment.map(|name| (name, at.clone()));
    let mut requests = Requests {
        proxy: None,
        name_servers: Vec::new(),
        wanted: vec![
            (
                format!("http://127.0.0.1:{}/", receiver.port),
                "201".to_owned(),
            ),
            (
                format!("https://127.0.0.1:{}/", receiver.port),
                "TLS".to_owned(),
            ),
        ],
        unguarded: None,
    };
    run(
        "proxies_of_the_environment_are_not_heeded",
        &requests,
        &environment,
    )
    .await;
    assert_eq!(proxy.settled().await, 0);
    assert_eq!(receiver.settled().await, 2);
    // A client of the same library as it is asks the proxy.
    requests.unguarded = Some("http://hooks.example.com/".to_owned());
    run(
        "proxies_of_the_environment_are_not_heeded",
        &requests,
        &environment,
    )
    .await;
    assert_eq!(proxy.settled().await, 1);
}

#[tokio::test]
async fn exceptions_of_the_environment_are_no_way_round_the_proxy() {
    if is_made_for_requests().await {
        return;
    }
    let proxy = Receiver::answering("HTTP/1.1 403 Forbidden\r\n\r\n").await;
    let names = NameServer::start(|_, _| addresses(&["127.0.0.1"])).await;
    let address = format!("http://127.0.0.1:{}", proxy.port);
    let requests = Requests {
        proxy: Some(address.parse().expect("an address")),
        name_servers: vec![names.address],
        wanted: vec![(
            "https://hooks.example.com/".to_owned(),
            "UNREACHABLE".to_owned(),
        )],
        unguarded: None,
    };
    let all = ["NO_PROXY", "no_proxy"].map(|name| (name, "*,.example.com".to_owned()));
    run(
        "exceptions_of_the_environment_are_no_way_round_the_proxy",
        &requests,
        &all,
    )
    .await;
    assert_eq!(proxy.settled().await, 1);
    assert!(names.names().is_empty());
}

#[tokio::test]
async fn certificates_are_those_of_a_trusted_authority_for_the_name_and_the_day() {
    if is_made_for_requests().await {
        return;
    }
    let (known, unknown) = (Authority::new(), Authority::new());
    let file = std::env::temp_dir().join(format!("dealgraph-authority-{}.pem", std::process::id()));
    std::fs::write(&file, known.pem()).expect("a file");
    let names = NameServer::start(|_, _| addresses(&["127.0.0.1"])).await;
    let mut wanted = Vec::new();
    let mut servers = Vec::new();
    for (authority, of, is_expired, asked, outcome) in [
        (
            &known,
            "hooks.example.com",
            false,
            "hooks.example.com",
            "204",
        ),
        (&known, "*.example.com", false, "hooks.example.com", "204"),
        (&known, "127.0.0.1", false, "127.0.0.1", "204"),
        (
            &known,
            "hooks.example.com",
            false,
            "other.example.com",
            "TLS",
        ),
        (&known, "hooks.example.com", false, "127.0.0.1", "TLS"),
        (
            &known,
            "hooks.example.com",
            true,
            "hooks.example.com",
            "TLS",
        ),
        (
            &unknown,
            "hooks.example.com",
            false,
            "hooks.example.com",
            "TLS",
        ),
    ] {
        let server = authority.server(&[of], is_expired).await;
        wanted.push((
            format!("https://{asked}:{}/", server.port),
            outcome.to_owned(),
        ));
        servers.push(server);
    }
    let requests = Requests {
        proxy: None,
        name_servers: vec![names.address],
        wanted,
        unguarded: None,
    };
    run(
        "certificates_are_those_of_a_trusted_authority_for_the_name_and_the_day",
        &requests,
        &[("SSL_CERT_FILE", text(&file))],
    )
    .await;
    std::fs::remove_file(&file).expect("the file");
    assert!(servers.iter().all(|server| server.connections() == 1));
}

fn text(path: &Path) -> String {
    path.to_str().expect("text").to_owned()
}
