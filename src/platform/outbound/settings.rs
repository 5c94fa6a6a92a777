//! How addresses that tenants name may be asked.

use std::{fmt, net::SocketAddr};

use url::Url;

/// How addresses that tenants name may be asked.
#[derive(Clone, Default)]
pub struct OutboundSettings {
    /// An HTTP proxy that all requests go through. It resolves names then, and is what decides about the addresses.
    pub proxy: Option<Url>,
    /// Whether servers on this machine may be asked, also without encryption: for development.
    pub allows_loopback: bool,
    /// The name servers that are asked; those of the machine when there are none.
    pub name_servers: Vec<SocketAddr>,
}

impl fmt::Debug for OutboundSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An address of a proxy may hold a password.
        let proxy = self.proxy.as_ref().and_then(Url::host_str);
        f.debug_struct("OutboundSettings")
            .field("proxy", &proxy)
            .field("allows_loopback", &self.allows_loopback)
            .field("name_servers", &self.name_servers)
            .finish()
    }
}
