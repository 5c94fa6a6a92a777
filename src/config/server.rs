//! The settings of the HTTP server. Their defaults, as those of every section, are in the table of `variables`.

use std::net::SocketAddr;

use super::reader::Reader;

/// The HTTP server.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// Whether the API explorer is served at `/`.
    pub explorer: bool,
    /// Whether people who are signed in may read the schema.
    pub introspection: bool,
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
            explorer: reader.switch("DEALGRAPH_EXPLORER"),
            introspection: reader.switch("DEALGRAPH_INTROSPECTION"),
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
