//! Attacks on the client for addresses that tenants name, by servers that really listen. Those that must not be reached count
//! their connections, and each attack is made by a client that is not guarded too: it has to get there.

mod answers;
mod environment;
mod name_server;
mod names;
mod proxy;
mod receiver;
mod reuse;
mod spellings;
mod tls;

use std::{net::SocketAddr, time::Duration};

use axum::http::Method;
use dealgraph::platform::outbound::{Outbound, OutboundRequest, OutboundSettings, SendError};
use url::Url;

/// An address that the rules take for public, and that nobody has: IANA has given out nothing of `2d00::/8`.
const NOWHERE: &str = "2d00::1";

/// As on a server, with its own name servers.
fn guarded() -> Outbound {
    of(OutboundSettings::default())
}

/// As in development.
fn developing() -> Outbound {
    of(OutboundSettings {
        allows_loopback: true,
        ..OutboundSettings::default()
    })
}

/// With a name server of the test.
fn asking(name_server: SocketAddr, allows_loopback: bool) -> Outbound {
    of(OutboundSettings {
        allows_loopback,
        name_servers: vec![name_server],
        proxy: None,
    })
}

fn of(settings: OutboundSettings) -> Outbound {
    Outbound::new(settings).expect("a client")
}

/// A small POST that may take two seconds, and 64 KiB of the answer.
fn post(address: &str) -> OutboundRequest {
    OutboundRequest {
        method: Method::POST,
        address: Url::parse(address).expect("an address"),
        headers: Vec::new(),
        body: "{}".into(),
        deadline: Duration::from_secs(2),
        most_bytes: 64 << 10,
    }
}

/// What came of a request, in a word: a status or a code.
async fn outcome(outbound: &Outbound, address: &str) -> String {
    match outbound.send(post(address)).await {
        Ok(answer) => answer.status.to_string(),
        Err(error) => error.code().to_owned(),
    }
}

/// What a request to an address that nobody has ends with; which of both depends on the network.
fn is_nowhere(outcome: &str) -> bool {
    [SendError::Unreachable, SendError::TimedOut]
        .iter()
        .any(|error| error.code() == outcome)
}
