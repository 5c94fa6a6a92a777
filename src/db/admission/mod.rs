//! Admission control: a fair queue per tenant in front of the connections, so that a tenant that asks for much waits
//! behind itself, not in front of others.
//!
//! Alone, a tenant may have every connection. As soon as another one is active, or was a moment ago, each may have no
//! more than its share at a time, and free connections go round the tenants. What a tenant has running competes with
//! the others' work for processors, so a share is small: enough to keep them busy, not to fill a queue. A tenant that
//! keeps half a share busy all the time is limited to that half: with a whole one it would have something running on
//! every processor at every moment, and any other tenant would have to wait for one.

mod state;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::time::timeout;

use crate::{
    base::{
        error::{Error, Result},
        ids::TenantId,
    },
    platform::telemetry::metrics::Metrics,
};
use state::{Shares, State};

/// Admits transactions to the connections for actors' requests.
#[derive(Clone)]
pub(super) struct Admission(Arc<Inner>);

struct Inner {
    shares: Shares,
    patience: Duration,
    state: Mutex<State>,
    metrics: Arc<Metrics>,
}

/// Counts a waiter for as long as it waits, however that ends.
struct Waiting<'m>(&'m Metrics);

impl<'m> Waiting<'m> {
    fn begin(metrics: &'m Metrics) -> Self {
        metrics.database.waiting.inc();
        Self(metrics)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.database.waiting.dec();
    }
}

/// Held for as long as a transaction has a connection.
pub(super) struct Permit {
    admission: Admission,
    tenant: TenantId,
}

impl Admission {
    /// For so many connections, of which a tenant has `share` at a time while others are active.
    pub(super) fn new(
        connections: u32,
        share: u32,
        patience: Duration,
        metrics: Arc<Metrics>,
    ) -> Self {
        let shares = Shares {
            all: connections as usize,
            each: share.clamp(1, connections) as usize,
        };
        Self(Arc::new(Inner {
            shares,
            patience,
            state: Mutex::default(),
            metrics,
        }))
    }

    /// Waits to be admitted.
    ///
    /// # Errors
    /// `TENANT_BUSY` when the tenant's queue is full, or this one has waited too long.
    pub(super) async fn acquire(&self, tenant: TenantId) -> Result<Permit> {
        let began = Instant::now();
        let database = &self.0.metrics.database;
        let permit = {
            let mut state = self.state();
            let Some(permit) = state.enqueue(tenant, began) else {
                database.refused.inc();
                return Err(Error::Busy);
            };
            self.admit(state);
            permit
        };
        let waiting = Waiting::begin(&self.0.metrics);
        let admitted = timeout(self.0.patience, permit).await;
        drop(waiting);
        database.note_wait(began.elapsed());
        match admitted {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => {
                database.refused.inc();
                Err(Error::Busy)
            }
        }
    }

    /// Admits all that can be.
    fn admit(&self, mut state: MutexGuard<'_, State>) {
        let admitted = state.admit(&self.0.shares, Instant::now());
        let running = i64::try_from(state.running).unwrap_or(i64::MAX);
        self.0.metrics.database.admitted.set(running);
        drop(state);
        for (tenant, waiter) in admitted {
            let admission = self.clone();
            // A waiter that has given up drops the permit, which admits the next one.
            _ = waiter.send(Permit { admission, tenant });
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let admission = self.admission.clone();
        let mut state = admission.state();
        state.release(self.tenant, Instant::now());
        admission.admit(state);
    }
}
