//! The settings of the HTTP server. Their defaults, as those of every section, are in the table of `variables`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use url::Url;

use super::reader::Reader;
use crate::api::limits::ServerTiming;

/// The HTTP server.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// Where operators find metrics and health, if they do.
    pub metrics_listen: Option<SocketAddr>,
    /// How long a server that is to stop goes on serving.
    pub drain_wait: Duration,
    /// The operations that metrics tell apart.
    pub operations: Vec<String>,
    /// Whether the API explorer is served at `/`.
    pub explorer: bool,
    /// Whether people who are signed in may read the schema.
    pub introspection: bool,
    /// Who is told what the time of a request went to.
    pub server_timing: ServerTiming,
    /// A file that lists documents.
    pub documents: Option<PathBuf>,
    /// Whether only listed documents are run.
    pub documents_only: bool,
    /// A file with the limits of plans.
    pub plans: Option<PathBuf>,
    /// Whose pages may open WebSockets, beside the server's own and the frontend's.
    pub allowed_origins: Vec<Url>,
    /// Most connections at a time.
    pub connections: usize,
    /// Most connections at a time from one address.
    pub connections_per_address: usize,
    /// How many days events are kept.
    pub event_days: u16,
    /// How many jobs it does at a time.
    pub job_slots: usize,
    /// How many proxies are trusted to say where a request comes from.
    pub trusted_proxies: usize,
}

impl ServerConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            listen: reader.setting(
                "DEALGRAPH_LISTEN",
                "an IP address and a port such as 127.0.0.1:8080",
                |value| value.parse().ok(),
            ),
            metrics_listen: reader.optional(
                "DEALGRAPH_METRICS_LISTEN",
                "an IP address and a port such as 0.0.0.0:9464",
                |value| value.parse().ok(),
            ),
            drain_wait: Duration::from_secs(
                reader.number("DEALGRAPH_DRAIN_WAIT_S", 0..=300).into(),
            ),
            operations: reader.setting(
                "DEALGRAPH_METRICS_OPERATIONS",
                "names of GraphQL operations with commas between, 300 at most",
                operation_names,
            ),
            explorer: reader.switch("DEALGRAPH_EXPLORER"),
            introspection: reader.switch("DEALGRAPH_INTROSPECTION"),
            server_timing: reader.setting(
                "DEALGRAPH_SERVER_TIMING",
                "off, admins or on",
                |value| match value {
                    "off" => Some(ServerTiming::Nobody),
                    "admins" => Some(ServerTiming::Admins),
                    "on" => Some(ServerTiming::Everybody),
                    _ => None,
                },
            ),
            documents: reader.optional("DEALGRAPH_DOCUMENTS", "the path of a file", |path| {
                Some(PathBuf::from(path))
            }),
            documents_only: reader.switch("DEALGRAPH_DOCUMENTS_ONLY"),
            plans: reader.optional("DEALGRAPH_PLANS", "the path of a file", |path| {
                Some(PathBuf::from(path))
            }),
            allowed_origins: reader.setting(
                "DEALGRAPH_ALLOWED_ORIGINS",
                "web addresses such as https://crm.example.com, with commas between",
                web_addresses,
            ),
            connections: reader.number("DEALGRAPH_CONNECTIONS", 1..=1_000_000) as usize,
            connections_per_address: reader
                .number("DEALGRAPH_CONNECTIONS_PER_ADDRESS", 1..=1_000_000)
                as usize,
            event_days: reader.number("DEALGRAPH_EVENT_DAYS", 1..=365) as u16,
            job_slots: reader.number("DEALGRAPH_JOB_SLOTS", 0..=1_000) as usize,
            trusted_proxies: reader.setting(
                "DEALGRAPH_TRUST_FORWARDED_FOR",
                "off, or a number of proxies from 1 to 10",
                |value| match value {
                    "off" => Some(0),
                    number => number
                        .parse()
                        .ok()
                        .filter(|number| (1..=10).contains(number)),
                },
            ),
        }
    }
}

/// Names by the grammar of GraphQL (<https://spec.graphql.org/October2021/#Name>).
fn operation_names(value: &str) -> Option<Vec<String>> {
    let names = value.split(',').map(str::trim);
    let names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
    let is_name = |name: &&str| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        name.len() <= 128 && name.bytes().all(is_part) && !name.as_bytes()[0].is_ascii_digit()
    };
    let all = names.len() <= 300 && names.iter().all(is_name);
    all.then(|| names.into_iter().map(str::to_owned).collect())
}

fn web_addresses(value: &str) -> Option<Vec<Url>> {
    let addresses = value
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let web = |text| Url::parse(text).ok().filter(Url::has_host);
    addresses.map(web).collect()
}
