//! Counts connections, in all and per address, so that nobody can take all of them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::ServerLimits;

/// Who is connected, and how many may be.
#[derive(Debug)]
pub(super) struct Admission {
    counts: Arc<Mutex<Counts>>,
    max: usize,
    max_per_address: usize,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The right to one connection, given back when dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    counts: Arc<Mutex<Counts>>,
    address: IpAddr,
}

impl Admission {
    pub(super) fn new(limits: &ServerLimits) -> Self {
        Self {
            counts: Arc::default(),
            max: limits.max_connections,
            max_per_address: limits.max_connections_per_ip,
        }
    }

    /// A ticket, unless there are too many connections already.
    pub(super) fn admit(&self, address: IpAddr) -> Option<Ticket> {
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
        })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
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

/// Whoever has one IPv6 address has the 64 bits behind it too.
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

    fn admission(max_connections: usize, max_connections_per_ip: usize) -> Admission {
        Admission::new(&ServerLimits {
            max_connections,
            max_connections_per_ip,
            ..ServerLimits::default()
        })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn tickets_run_out_per_address_and_come_back() {
        let admission = admission(10, 2);
        let first = admission.admit(ip("192.0.2.1"));
        let second = admission.admit(ip("::ffff:192.0.2.1"));
        assert!(first.is_some() && second.is_some());
        assert!(
            admission.admit(ip("192.0.2.1")).is_none(),
            "also in its IPv6 form"
        );
        assert!(admission.admit(ip("192.0.2.2")).is_some());
        drop(first);
        assert!(admission.admit(ip("192.0.2.1")).is_some());
        assert_eq!(
            lock(&admission.counts).by_address.len(),
            1,
            "who is gone takes no memory"
        );
    }

    #[test]
    fn tickets_run_out_in_all() {
        let admission = admission(2, 2);
        let _held = [
            admission.admit(ip("192.0.2.1")),
            admission.admit(ip("192.0.2.2")),
        ];
        assert!(admission.admit(ip("192.0.2.3")).is_none());
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let admission = admission(10, 1);
        let _held = admission.admit(ip("2001:db8::1"));
        assert!(admission.admit(ip("2001:db8::ffff:2")).is_none());
        assert!(admission.admit(ip("2001:db8:0:1::1")).is_some());
    }
}
