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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_bare_address_without_a_login() {
        for good in [
            "http://smokescreen:4750",
            "https://proxy.example/",
            "http://[::1]:4750",
        ] {
            assert!(proxy(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "smokescreen:4750",
            "socks5://smokescreen:1080",
            "http://user:password@smokescreen:4750",
            "http://smokescreen:4750/path",
            "http://smokescreen:4750?a",
        ] {
            assert!(proxy(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn name_servers_are_addresses_with_ports_or_without() {
        let read = |text| {
            let servers = name_servers(text)?;
            Some(servers.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let both = ["9.9.9.9:53", "[2620:fe::fe]:5353"].map(str::to_owned);
        assert_eq!(
            read("9.9.9.9, [2620:fe::fe]:5353").as_deref(),
            Some(&both[..])
        );
        assert_eq!(
            read("2620:fe::fe").map(|all| all.concat()).as_deref(),
            Some("[2620:fe::fe]:53")
        );
        assert_eq!(read(""), Some(Vec::new()));
        for bad in ["dns.example", "9.9.9.9:", "9.9.9", "9.9.9.9;1.1.1.1"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
