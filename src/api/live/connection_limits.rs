//! Limits on open connections, per person and per tenant.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

use super::Failure;
use crate::{
    access::Actor, api::limits::Limits, base::ids::TenantId, platform::telemetry::metrics::Metrics,
};

/// Counts open connections.
#[derive(Default)]
pub(crate) struct ConnectionLimits(Arc<Mutex<ConnectionCounts>>);

#[derive(Default)]
struct ConnectionCounts {
    of_tenants: HashMap<TenantId, usize>,
    of_people: HashMap<(TenantId, Uuid), usize>,
}

/// A permit for one connection, given back when dropped.
pub(crate) struct ConnectionPermit {
    counts: Arc<Mutex<ConnectionCounts>>,
    owner: (TenantId, Uuid),
    metrics: Arc<Metrics>,
}

impl ConnectionLimits {
    /// A permit, unless the person or the tenant has reached the limit.
    pub(crate) fn acquire(
        &self,
        actor: &Actor,
        limits: &Limits,
        metrics: &Arc<Metrics>,
    ) -> Result<ConnectionPermit, Failure> {
        let owner = (actor.tenant, actor.row_id());
        let mut counts = lock(&self.0);
        let of_person = counts.of_people.get(&owner).copied().unwrap_or(0);
        let of_tenant = counts.of_tenants.get(&owner.0).copied().unwrap_or(0);
        for (found, limit, whose) in [
            (of_person, limits.connections_per_person, "you have"),
            (of_tenant, limits.connections_per_tenant, "your tenant has"),
        ] {
            if found >= limit {
                return Err(Failure::new(
                    "TOO_MANY_CONNECTIONS",
                    format!("{whose} {limit} connections open, which is as many as may be"),
                ));
            }
        }
        *counts.of_people.entry(owner).or_default() += 1;
        *counts.of_tenants.entry(owner.0).or_default() += 1;
        metrics.live.connections.inc();
        Ok(ConnectionPermit {
            counts: Arc::clone(&self.0),
            owner,
            metrics: Arc::clone(metrics),
        })
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.metrics.live.connections.dec();
        let mut counts = lock(&self.counts);
        let ConnectionCounts {
            of_tenants,
            of_people,
        } = &mut *counts;
        decrement(of_people, &self.owner);
        decrement(of_tenants, &self.owner.0);
    }
}

/// Decrements a count, and removes it at zero.
fn decrement<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

fn lock(counts: &Mutex<ConnectionCounts>) -> MutexGuard<'_, ConnectionCounts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}
