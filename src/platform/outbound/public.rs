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

#[cfg(test)]
mod tests {
    use super::*;

    /// Ranges by their first and last address, and whether the address before and the one after are public.
    const RANGES: [(&str, &str, bool, bool); 24] = [
        ("0.0.0.0", "0.255.255.255", false, true),
        ("10.0.0.0", "10.255.255.255", true, true),
        ("100.64.0.0", "100.127.255.255", true, true),
        ("127.0.0.0", "127.255.255.255", true, true),
        ("168.63.129.16", "168.63.129.16", true, true),
        ("169.254.0.0", "169.254.255.255", true, true),
        ("172.16.0.0", "172.31.255.255", true, true),
        ("192.0.0.0", "192.0.0.255", true, true),
        ("192.0.2.0", "192.0.2.255", true, true),
        ("192.88.99.0", "192.88.99.255", true, true),
        ("192.168.0.0", "192.168.255.255", true, true),
        ("198.18.0.0", "198.19.255.255", true, true),
        ("198.51.100.0", "198.51.100.255", true, true),
        ("203.0.113.0", "203.0.113.255", true, true),
        ("224.0.0.0", "239.255.255.255", true, false),
        ("240.0.0.0", "255.255.255.255", false, false),
        // All before 2000::/3, but for what stands for addresses of IPv4, and all after it.
        ("::", "::fffe:ffff:ffff", false, false),
        (
            "::1:0:0:0",
            "64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff",
            false,
            false,
        ),
        (
            "64:ff9b::1:0:0",
            "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            false,
            true,
        ),
        (
            "2001::",
            "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
            true,
            true,
        ),
        (
            "2001:db8::",
            "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
            true,
            true,
        ),
        (
            "2002::",
            "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            true,
            true,
        ),
        (
            "3fff::",
            "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
            true,
            true,
        ),
        (
            "4000::",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            true,
            false,
        ),
    ];

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// The address beside another, where there is one.
    fn beside(address: IpAddr, by: i8) -> Option<IpAddr> {
        Some(match address {
            IpAddr::V4(address) => {
                let bits = u32::from(address).checked_add_signed(by.into())?;
                Ipv4Addr::from(bits).into()
            }
            IpAddr::V6(address) => {
                let bits = u128::from(address).checked_add_signed(by.into())?;
                Ipv6Addr::from(bits).into()
            }
        })
    }

    #[test]
    fn each_special_range_is_refused_to_its_ends_and_no_further() {
        for (first, last, before, after) in RANGES {
            let (first, last) = (address(first), address(last));
            assert!(!is_public(first) && !is_public(last), "{first} to {last}");
            for (neighbour, wanted) in [(beside(first, -1), before), (beside(last, 1), after)] {
                if let Some(neighbour) = neighbour {
                    assert_eq!(is_public(neighbour), wanted, "{neighbour}");
                }
            }
        }
    }

    #[test]
    fn every_range_of_ipv4_is_the_same_within_ipv6() {
        for (first, last, ..) in RANGES {
            for text in [first, last].into_iter().filter(|text| !text.contains(':')) {
                for wrapped in [format!("::ffff:{text}"), format!("64:ff9b::{text}")] {
                    assert!(!is_public(address(&wrapped)), "{wrapped}");
                }
            }
        }
        for public in ["::ffff:8.8.8.8", "64:ff9b::8.8.8.8"] {
            assert!(is_public(address(public)), "{public}");
        }
    }

    #[test]
    fn what_clouds_and_clusters_have_for_themselves_is_refused() {
        for inner in [
            "169.254.169.254", // AWS, Google, Azure and most others
            "169.254.170.2",   // AWS: the credentials of a container
            "fd00:ec2::254",   // AWS by IPv6
            "fd20:ce::254",    // Google by IPv6
            "100.100.100.200", // Alibaba
            "192.0.0.192",     // Oracle
            "168.63.129.16",   // Azure
            "10.96.0.1",       // the API of Kubernetes, usually
            "::1",
            "::127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b:1::a00:1",
            "2002:7f00:1::",
            "2001:0:a00:1::",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "ff02::1",
            "100::1",
            "5f00::1",
            "255.255.255.255",
        ] {
            assert!(!is_public(address(inner)), "{inner}");
        }
        for public in ["1.1.1.1", "9.9.9.9", "2606:4700::1111", "2620:fe::fe"] {
            assert!(is_public(address(public)), "{public}");
        }
    }

    #[test]
    fn this_machine_is_known_however_it_is_written() {
        for here in ["127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1"] {
            assert!(is_loopback(address(here)), "{here}");
        }
        for elsewhere in ["0.0.0.0", "::", "128.0.0.0", "::2", "64:ff9b::127.0.0.1"] {
            assert!(!is_loopback(address(elsewhere)), "{elsewhere}");
        }
    }
}
