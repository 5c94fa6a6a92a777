//! How addresses that tenants name may be asked.

use std::net::SocketAddr;

use url::Url;

/// How addresses that tenants name may be asked.
#[derive(Debug, Clone, Default)]
pub struct OutboundSettings {
    /// An HTTP proxy that all requests go through, without a login. It resolves names then, and is what decides about the addresses.
    pub proxy: Option<Url>,
    /// Whether servers on this machine may be asked, also without encryption: for development.
    pub allows_loopback: bool,
    /// The name servers that are asked; those of the machine when there are none.
    pub name_servers: Vec<SocketAddr>,
}
