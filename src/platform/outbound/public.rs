//! Which addresses are on the public internet. It is asked about addresses that stand in a URL and about those that names
//! lead to: the only test there is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// What is not of the public internet, by the registry of IANA for special addresses (RFC 6890).
const SPECIAL_V4: [Ipv4Net; 16] = [
    v4([0, 0, 0, 0], 8),     // this network; Linux connects 0.0.0.0 to this machine
    v4([10, 0, 0, 0], 8),    // private
    v4([100, 64, 0, 0], 10), // carriers; the metadata of Alibaba, and what clusters number pods from
    v4([127, 0, 0, 0], 8),   // this machine
    v4([168, 63, 129, 16], 32), // no special one, but Azure's own server to each of its machines
    v4([169, 254, 0, 0], 16), // this link; the metadata of most clouds
    v4([172, 16, 0, 0], 12), // private
    v4([192, 0, 0, 0], 24),  // assignments of the IETF; the metadata of Oracle
    v4([192, 0, 2, 0], 24),  // documentation
    v4([192, 88, 99, 0], 24), // relays of 6to4
    v4([192, 168, 0, 0], 16), // private
    v4([198, 18, 0, 0], 15), // benchmarks
    v4([198, 51, 100, 0], 24), // documentation
    v4([203, 0, 113, 0], 24), // documentation
    v4([224, 0, 0, 0], 4),   // multicast
    v4([240, 0, 0, 0], 4),   // reserved, and broadcast
];

/// What IPv6 has for the internet as a whole. All else, such as `::1`, `fc00::/7`, `fe80::/10`, `ff00::/8`, the local prefix of
/// NAT64 or that of segment routing, is of some network, or nobody's.
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// What within [`GLOBAL_V6`] is not of the public internet.
const SPECIAL_V6: [Ipv6Net; 4] = [
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), // assignments of the IETF: Teredo, benchmarks, ORCHID
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), // documentation
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), // 6to4, which has any IPv4 address within
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), // documentation
];

/// Where a network with IPv6 alone has the addresses of IPv4, in the last 32 bits (RFC 6052).
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);

/// Whether an address is on the public internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match unwrapped(address) {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address) && !SPECIAL_V6.iter().any(|net| net.contains(&address))
        }
    }
}

/// Whether an address is this machine, however it is written.
pub(super) fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// The IPv4 address that one of IPv6 stands for, where it does.
fn unwrapped(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(wrapped) if NAT64.contains(&wrapped) => {
            let [.., a, b, c, d] = wrapped.octets();
            Ipv4Addr::new(a, b, c, d).into()
        }
        address => address,
    }
}

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix)
}
