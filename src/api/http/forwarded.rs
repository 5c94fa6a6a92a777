//! The address of a client behind proxies.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's address by `x-forwarded-for`. Each proxy appends the address that it got the request from, so the entry
/// of the outermost of `proxies` trusted ones is that many from the end; what stands before it may be forged.
pub(super) fn client(headers: &HeaderMap, proxies: usize) -> Option<IpAddr> {
    let steps = proxies.checked_sub(1)?;
    let values = headers.get_all(FORWARDED_FOR).iter();
    let texts: Vec<&str> = values
        .map(|value| value.to_str().unwrap_or_default())
        .collect();
    let mut addresses = texts.iter().rev().flat_map(|text| text.rsplit(','));
    address(addresses.nth(steps)?)
}

/// An address, with a port or without.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    bare.parse()
        .or_else(|_| with_port())
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_trusted_proxies_wrote_is_believed() {
        let mut headers = HeaderMap::new();
        for value in [
            "6.6.6.6, 192.0.2.1:4711",
            "[2001:db8::1]:80, ::ffff:10.0.0.1",
        ] {
            headers.append(FORWARDED_FOR, value.parse().expect("a header"));
        }
        let at = |proxies| client(&headers, proxies).map(|address| address.to_string());
        assert_eq!(at(0), None);
        assert_eq!(at(1).as_deref(), Some("10.0.0.1"));
        assert_eq!(at(2).as_deref(), Some("2001:db8::1"));
        assert_eq!(at(3).as_deref(), Some("192.0.2.1"));
        assert_eq!(at(5), None);
        headers.append(FORWARDED_FOR, "nonsense".parse().expect("a header"));
        assert_eq!(client(&headers, 1), None);
    }
}
