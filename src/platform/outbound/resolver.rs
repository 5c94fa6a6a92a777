//! Resolving names that tenants give: the connection is made to the addresses that were checked here, so that a name that
//! leads elsewhere a moment later changes nothing.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts},
    net::{NetError, runtime::TokioRuntimeProvider},
    system_conf::read_system_conf,
};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::public::{is_loopback, is_public};

/// How long a name server may take for one question; it is asked twice.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest that an answer is remembered, and that there is none.
const MAX_MEMORY: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(10));
/// So many answers are remembered.
const REMEMBERED: u64 = 4_096;
/// So many addresses of a name are tried.
const MOST_ADDRESSES: usize = 8;

/// Why a name leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unresolved {
    /// It has addresses, but none that may be asked.
    #[error("none of its addresses may be asked")]
    Inside,
    /// It has no addresses, or no name server tells them.
    #[error("no address is known")]
    Unknown,
}

/// Resolves names to public addresses. By DNS itself rather than by the operating system, whose call occupies a thread until a
/// name server that a tenant chose has answered, and would find the names of our own network too.
pub(super) struct PublicResolver {
    dns: Arc<TokioResolver>,
    allows_loopback: bool,
}

impl PublicResolver {
    pub(super) fn new(
        name_servers: &[SocketAddr],
        allows_loopback: bool,
    ) -> Result<Self, NetError> {
        let servers = if name_servers.is_empty() {
            servers_of_machine()
        } else {
            name_servers.iter().map(name_server).collect()
        };
        // Neither a domain nor a search path of the machine.
        let config = ResolverConfig::from_name_servers(servers);
        let mut builder =
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        set(builder.options_mut());
        let dns = Arc::new(builder.build()?);
        Ok(Self {
            dns,
            allows_loopback,
        })
    }
}

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (dns, allows_loopback) = (Arc::clone(&self.dns), self.allows_loopback);
        Box::pin(async move {
            // With a dot at its end a name is the whole of it.
            let name = format!("{}.", name.as_str().trim_end_matches('.'));
            let found = dns.lookup_ip(name).await.map_err(|error| {
                tracing::debug!(%error, "a name that a tenant gave is not resolved");
                Unresolved::Unknown
            })?;
            let may_ask =
                |address: &_| is_public(*address) || (allows_loopback && is_loopback(*address));
            let asked: Vec<_> = found
                .iter()
                .filter(may_ask)
                .take(MOST_ADDRESSES)
                // The port of the URL takes the place of this one.
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            if asked.is_empty() {
                return Err(Unresolved::Inside.into());
            }
            Ok(Box::new(asked.into_iter()) as Addrs)
        })
    }
}

/// The name servers of the machine. Without any, the one on it, as the C library does: a server starts without DNS too.
fn servers_of_machine() -> Vec<NameServerConfig> {
    let servers = match read_system_conf() {
        Ok((config, _)) => config.name_servers().to_vec(),
        Err(error) => {
            tracing::warn!(%error, "the name servers of this machine can't be read");
            Vec::new()
        }
    };
    if servers.is_empty() {
        return vec![NameServerConfig::udp_and_tcp(Ipv4Addr::LOCALHOST.into())];
    }
    servers
}

fn set(options: &mut ResolverOpts) {
    options.timeout = PATIENCE;
    options.attempts = 1;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.cache_size = REMEMBERED;
    options.positive_max_ttl = Some(MAX_MEMORY.0);
    options.negative_max_ttl = Some(MAX_MEMORY.1);
}

fn name_server(address: &SocketAddr) -> NameServerConfig {
    let at_port = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    let ways = vec![
        at_port(ConnectionConfig::udp()),
        at_port(ConnectionConfig::tcp()),
    ];
    NameServerConfig::new(address.ip(), true, ways)
}
