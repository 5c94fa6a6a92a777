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
        }
    }
}
