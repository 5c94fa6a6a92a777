//! Which addresses may be asked, before anything is resolved.

use url::{Host, Url};

use super::{
    error::Refused,
    public::{is_loopback, is_public},
};

/// The longest address that is taken, in bytes.
const MAX_BYTES: usize = 2_048;

/// Names that are never of the public internet (RFC 6761, 6762, 8375, and what ICANN keeps for private use), whatever a name
/// server may say. A proxy would resolve them in its own network.
const INNER_NAMES: [&str; 6] = [
    "localhost",
    "localdomain",
    "local",
    "internal",
    "home.arpa",
    "lan",
];

/// Ports of services that are not of the web, from 1024 on: those that browsers refuse
/// (<https://fetch.spec.whatwg.org/#port-blocking>), and databases, caches and what steers clusters.
const OTHER_SERVICES: [u16; 44] = [
    1433, 1521, 1719, 1720, 1723, 2049, 2375, 2376, 2379, 2380, 3306, 3389, 3659, 4045, 4190, 4369,
    5060, 5061, 5432, 5433, 5671, 5672, 5900, 6000, 6379, 6380, 6432, 6443, 6566, 6665, 6666, 6667,
    6668, 6669, 6679, 6697, 9042, 9092, 9200, 9300, 10080, 10250, 11211, 27017,
];

/// Which addresses may be asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) allows_loopback: bool,
}

impl Rules {
    /// Reads an address and checks it.
    pub(super) fn read(self, address: &str) -> Result<Url, Refused> {
        // The parser leaves out line breaks and tabs: what was shown to people would not be what is asked.
        let is_odd = |c: char| c.is_whitespace() || c.is_control();
        if address.len() > MAX_BYTES || address.contains(is_odd) {
            return Err(not_an_address());
        }
        let url = Url::parse(address).map_err(|_| not_an_address())?;
        self.check(&url)?;
        Ok(url)
    }

    /// Checks an address. Numbers for hosts, in whatever way they were written, are addresses in a [`Url`] of http and https.
    pub(super) fn check(self, url: &Url) -> Result<(), Refused> {
        if !matches!(url.scheme(), "https" | "http") || url.as_str().len() > MAX_BYTES {
            return Err(not_an_address());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::invalid(
                "the address must not hold a user name or a password",
            ));
        }
        let is_here = self.is_here(url.host().ok_or_else(not_an_address)?)?;
        if url.scheme() == "http" && !is_here {
            return Err(Refused::invalid("the address must start with https://"));
        }
        let port = url.port_or_known_default().ok_or_else(not_an_address)?;
        let is_plain_here = is_here && port == 80;
        if !is_plain_here && !is_web_port(port) {
            return Err(Refused::forbidden(
                "the port must be 443, or one from 1024 on that is not known for other services",
            ));
        }
        Ok(())
    }

    /// Whether the host is this machine, where that may be asked; an error for those that may not be asked.
    fn is_here(self, host: Host<&str>) -> Result<bool, Refused> {
        let address = match host {
            Host::Ipv4(address) => address.into(),
            Host::Ipv6(address) => address.into(),
            Host::Domain(name) => return self.is_name_of_here(name),
        };
        if self.allows_loopback && is_loopback(address) {
            return Ok(true);
        }
        if is_public(address) {
            return Ok(false);
        }
        Err(Refused::forbidden(
            "the address is not on the public internet",
        ))
    }

    fn is_name_of_here(self, name: &str) -> Result<bool, Refused> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let is_below = |zone: &&str| {
            let rest = name.strip_suffix(*zone);
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        if self.allows_loopback && is_below(&"localhost") {
            return Ok(true);
        }
        // A name without a dot is one of a search path: the services of a cluster are.
        if !name.contains('.') || INNER_NAMES.iter().any(is_below) {
            return Err(Refused::forbidden(
                "the name is not one of the public internet",
            ));
        }
        Ok(false)
    }
}

/// Whether receivers may listen there. All addresses that are asked are public, so this guards no service of ours: it keeps us
/// from being made to knock at the mail servers and databases of others. Receivers of one's own are on many ports, hence no
/// shorter list.
fn is_web_port(port: u16) -> bool {
    port == 443 || (port >= 1024 && !OTHER_SERVICES.contains(&port))
}

fn not_an_address() -> Refused {
    Refused::invalid("this is not a web address, such as https://example.com/path")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUARDED: Rules = Rules {
        allows_loopback: false,
    };
    const DEVELOPMENT: Rules = Rules {
        allows_loopback: true,
    };

    fn code(rules: Rules, address: &str) -> &'static str {
        match rules.read(address) {
            Ok(_) => "",
            Err(refused) => refused.code,
        }
    }

    #[test]
    fn only_web_addresses_without_logins_are_taken() {
        for (address, wanted) in [
            ("https://hooks.example.com/a?b=c", ""),
            ("HTTPS://Hooks.Example.COM", ""),
            ("https://hooks.example.com./", ""),
            ("https://1.1.1.1/", ""),
            ("https://[2606:4700::1111]/", ""),
            ("http://hooks.example.com/", "INVALID_URL"),
            ("ftp://hooks.example.com/", "INVALID_URL"),
            ("file:///etc/passwd", "INVALID_URL"),
            ("gopher://hooks.example.com/", "INVALID_URL"),
            ("unix:/run/redis.sock", "INVALID_URL"),
            ("data:,x", "INVALID_URL"),
            ("javascript:1", "INVALID_URL"),
            ("hooks.example.com", "INVALID_URL"),
            ("//hooks.example.com/", "INVALID_URL"),
            ("", "INVALID_URL"),
            ("https://", "INVALID_URL"),
            ("https://u@hooks.example.com/", "INVALID_URL"),
            ("https://:p@hooks.example.com/", "INVALID_URL"),
            ("https://hooks.example.com@127.0.0.1/", "INVALID_URL"),
            ("https://hooks.example.com\n/", "INVALID_URL"),
            ("https://hooks.example\t.com/", "INVALID_URL"),
            (" https://hooks.example.com/", "INVALID_URL"),
            ("https://hooks.example.com:65536/", "INVALID_URL"),
            ("https://[fe80::1%25eth0]/", "INVALID_URL"),
            ("https://[fe80::1%eth0]/", "INVALID_URL"),
            ("https://1.2.3.4.5/", "INVALID_URL"),
            ("https://256.0.0.1/", "INVALID_URL"),
        ] {
            assert_eq!(code(GUARDED, address), wanted, "{address}");
        }
        let long = format!("https://hooks.example.com/{}", "a".repeat(MAX_BYTES));
        assert_eq!(code(GUARDED, &long), "INVALID_URL");
    }

    #[test]
    fn ports_are_those_of_the_web() {
        let https = |port: u16| format!("https://hooks.example.com:{port}/");
        for port in [443, 1024, 3000, 5678, 8080, 8443, 65_535] {
            assert_eq!(code(GUARDED, &https(port)), "", "{port}");
        }
        for port in [
            0, 1, 22, 25, 53, 80, 111, 389, 442, 444, 465, 587, 993, 1023,
        ] {
            assert_eq!(code(GUARDED, &https(port)), "ADDRESS_REFUSED", "{port}");
        }
        for port in OTHER_SERVICES {
            assert_eq!(code(GUARDED, &https(port)), "ADDRESS_REFUSED", "{port}");
        }
        assert!(OTHER_SERVICES.is_sorted());
    }

    #[test]
    fn inner_names_are_refused_and_names_that_only_look_like_them_are_not() {
        for name in [
            "localhost",
            "localhost.",
            "LocalHost",
            "a.localhost",
            "redis",
            "redis.",
            "metadata.google.internal",
            "dealgraph.crm.svc.cluster.local",
            "printer.local.",
            "nas.lan",
            "router.home.arpa",
            "localhost.localdomain",
        ] {
            let address = format!("https://{name}/");
            assert_eq!(code(GUARDED, &address), "ADDRESS_REFUSED", "{name}");
        }
        for name in [
            "localhost.example.com",
            "mylocal.dev",
            "internal.example",
            "x.notlocalhost",
        ] {
            let address = format!("https://{name}/");
            assert_eq!(code(GUARDED, &address), "", "{name}");
        }
    }

    #[test]
    fn development_takes_this_machine_and_nothing_else_of_the_network() {
        for here in [
            "http://127.0.0.1:8080/",
            "http://127.1:3000/",
            "http://[::1]:3000/",
            "http://localhost/",
            "http://hooks.localhost:3000/",
            "https://localhost:8443/",
        ] {
            assert_eq!(code(DEVELOPMENT, here), "", "{here}");
            assert_ne!(code(GUARDED, here), "", "{here}");
        }
        for (elsewhere, wanted) in [
            ("http://hooks.example.com/", "INVALID_URL"),
            ("http://localhost.example.com/", "INVALID_URL"),
            ("http://10.0.0.1/", "ADDRESS_REFUSED"),
            ("http://0.0.0.0:3000/", "ADDRESS_REFUSED"),
            ("https://169.254.169.254/", "ADDRESS_REFUSED"),
            ("http://localhost:6379/", "ADDRESS_REFUSED"),
            ("http://127.0.0.1:22/", "ADDRESS_REFUSED"),
            ("https://redis/", "ADDRESS_REFUSED"),
        ] {
            assert_eq!(code(DEVELOPMENT, elsewhere), wanted, "{elsewhere}");
        }
    }
}
