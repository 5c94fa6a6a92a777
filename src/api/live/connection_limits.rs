//! How many connections stay open at a time, per person and per tenant, so that nobody takes all of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

use super::Failure;
use crate::{
    access::Actor, api::limits::Limits, base::ids::TenantId, platform::telemetry::metrics::Metrics,
};

/// Who has connections open.
#[derive(Default)]
pub(crate) struct Admission(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    of_tenants: HashMap<TenantId, usize>,
    of_people: HashMap<(TenantId, Uuid), usize>,
}

/// The right to one connection, given back when dropped.
pub(crate) struct Pass {
    counts: Arc<Mutex<Counts>>,
    who: (TenantId, Uuid),
    metrics: Arc<Metrics>,
}

impl Admission {
    /// A pass, unless the person or the tenant has as many as they may have.
    pub(crate) fn enter(
        &self,
        actor: &Actor,
        limits: &Limits,
        metrics: &Arc<Metrics>,
    ) -> Result<Pass, Failure> {
        let who = (actor.tenant, actor.row_id());
        let mut counts = lock(&self.0);
        let of_person = counts.of_people.get(&who).copied().unwrap_or(0);
        let of_tenant = counts.of_tenants.get(&who.0).copied().unwrap_or(0);
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
        *counts.of_people.entry(who).or_default() += 1;
        *counts.of_tenants.entry(who.0).or_default() += 1;
        metrics.sockets.inc();
        Ok(Pass {
            counts: Arc::clone(&self.0),
            who,
            metrics: Arc::clone(metrics),
        })
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.metrics.sockets.dec();
        let mut counts = lock(&self.counts);
        let Counts {
            of_tenants,
            of_people,
        } = &mut *counts;
        take_one(of_people, &self.who);
        take_one(of_tenants, &self.who.0);
    }
}

/// Whoever has none left takes no memory.
fn take_one<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}
