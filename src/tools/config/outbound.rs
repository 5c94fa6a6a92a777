//! The settings of requests to servers that tenants name.

use std::net::{IpAddr, SocketAddr};

use url::Url;

use super::reader::Reader;
use crate::platform::outbound::OutboundSettings;

/// Where name servers listen.
const DNS_PORT: u16 = 53;

impl OutboundSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            proxy: reader.optional(
                "DEALGRAPH_OUTBOUND_PROXY",
                "an address without user, path or query, such as http://smokescreen:4750",
                proxy,
            ),
            name_servers: reader.setting(
                "DEALGRAPH_OUTBOUND_NAME_SERVERS",
                "IP addresses, with ports or without, with commas between",
                name_servers,
            ),
            allows_loopback: reader.switch("DEALGRAPH_OUTBOUND_ALLOW_LOOPBACK"),
        }
    }
}

/// Without a user, since a password in it would be shown wherever settings are.
fn proxy(value: &str) -> Option<Url> {
    Url::parse(value).ok().filter(|url| {
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let is_open = url.username().is_empty() && url.password().is_none();
        matches!(url.scheme(), "http" | "https") && url.has_host() && is_bare && is_open
    })
}

fn name_servers(value: &str) -> Option<Vec<SocketAddr>> {
    let parts = value.split(',').map(str::trim);
    let address = |part: &str| {
        let with_port = part.parse().ok();
        let alone = || Some(SocketAddr::new(part.parse::<IpAddr>().ok()?, DNS_PORT));
        with_port.or_else(alone)
    };
    parts.filter(|part| !part.is_empty()).map(address).collect()
}
