//! Limits on open connections, in all and per address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::gauge::Gauge;

use super::ServerLimits;
use crate::platform::telemetry::metrics::ConnectionMetrics;

/// Counts open connections, and how many there may be.
#[derive(Debug)]
pub(super) struct ConnectionLimiter {
    counts: Arc<Mutex<Counts>>,
    max: usize,
    max_per_address: usize,
    metrics: ConnectionMetrics,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A permit for one connection, given back when dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    counts: Arc<Mutex<Counts>>,
    address: IpAddr,
    open: Gauge,
}

impl ConnectionLimiter {
    pub(super) fn new(limits: &ServerLimits, metrics: ConnectionMetrics) -> Self {
        let max = i64::try_from(limits.max_connections).unwrap_or(i64::MAX);
        metrics.max.set(max);
        Self {
            counts: Arc::default(),
            max: limits.max_connections,
            max_per_address: limits.max_connections_per_ip,
            metrics,
        }
    }

    /// A ticket, unless there are too many connections already.
    pub(super) fn admit(&self, address: IpAddr) -> Option<Ticket> {
        let ticket = self.ticket(address);
        match &ticket {
            Some(ticket) => _ = ticket.open.inc(),
            None => _ = self.metrics.refused.inc(),
        }
        ticket
    }

    fn ticket(&self, address: IpAddr) -> Option<Ticket> {
        let address = network(address);
        let mut counts = lock(&self.counts);
        if counts.all >= self.max {
            return None;
        }
        let of_address = counts.by_address.entry(address).or_default();
        if *of_address >= self.max_per_address {
            return None;
        }
        *of_address += 1;
        counts.all += 1;
        Some(Ticket {
            counts: Arc::clone(&self.counts),
            address,
            open: self.metrics.open.clone(),
        })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.open.dec();
        let mut counts = lock(&self.counts);
        counts.all -= 1;
        if let Some(of_address) = counts.by_address.get_mut(&self.address) {
            *of_address -= 1;
            if *of_address == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

/// A client with one IPv6 address has the 64 bits of its network too.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

/// The counts stay true when a holder of the lock panics: each change is one step.
fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(max_connections: usize, max_connections_per_ip: usize) -> ConnectionLimiter {
        let limits = ServerLimits {
            max_connections,
            max_connections_per_ip,
            ..ServerLimits::default()
        };
        ConnectionLimiter::new(&limits, ConnectionMetrics::default())
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn tickets_run_out_per_address_and_come_back() {
        let limiter = limiter(10, 2);
        let first = limiter.admit(ip("192.0.2.1"));
        let second = limiter.admit(ip("::ffff:192.0.2.1"));
        assert!(first.is_some() && second.is_some());
        assert!(
            limiter.admit(ip("192.0.2.1")).is_none(),
            "also in its IPv6 form"
        );
        assert!(limiter.admit(ip("192.0.2.2")).is_some());
        drop(first);
        assert!(limiter.admit(ip("192.0.2.1")).is_some());
        assert_eq!(
            lock(&limiter.counts).by_address.len(),
            1,
            "who is gone takes no memory"
        );
    }

    #[test]
    fn tickets_run_out_in_all() {
        let limiter = limiter(2, 2);
        let _held = [
            limiter.admit(ip("192.0.2.1")),
            limiter.admit(ip("192.0.2.2")),
        ];
        assert!(limiter.admit(ip("192.0.2.3")).is_none());
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let limiter = limiter(10, 1);
        let _held = limiter.admit(ip("2001:db8::1"));
        assert!(limiter.admit(ip("2001:db8::ffff:2")).is_none());
        assert!(limiter.admit(ip("2001:db8:0:1::1")).is_some());
    }
}
