//! Who may use the database next: a tenant that asks for much waits behind itself, not in front of others.
//!
//! Alone, a tenant may have every connection. As soon as another one is at work too, or was a moment ago, each may have
//! no more than its share at a time, and free connections are handed out tenant by tenant. What a tenant has running
//! competes with the others' work for processors, so a share is small: enough to keep them busy, not to fill a queue.
//! Whoever keeps half a share busy all the time is left with that half: with a whole one it would have something running
//! on every processor at every moment, and whoever comes would have to wait for one.

mod state;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::time::timeout;

use crate::base::{
    error::{Error, Result},
    ids::TenantId,
};
use state::{Shares, State};

/// The turnstile in front of the connections for people's requests.
#[derive(Clone)]
pub(super) struct Gate(Arc<Inner>);

struct Inner {
    shares: Shares,
    patience: Duration,
    state: Mutex<State>,
}

/// Held for as long as a transaction has a connection.
pub(super) struct Permit {
    gate: Gate,
    tenant: TenantId,
}

impl Gate {
    /// One in front of so many connections, of which a tenant has `share` at a time while others are at work.
    pub(super) fn new(connections: u32, share: u32, patience: Duration) -> Self {
        let shares = Shares {
            all: connections as usize,
            each: share.clamp(1, connections) as usize,
        };
        Self(Arc::new(Inner {
            shares,
            patience,
            state: Mutex::default(),
        }))
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// `BUSY` when too many of the tenant wait, or this one has waited too long.
    pub(super) async fn enter(&self, tenant: TenantId) -> Result<Permit> {
        let turn = {
            let mut state = self.state();
            let turn = state.queue(tenant, Instant::now()).ok_or(Error::Busy)?;
            self.admit(state);
            turn
        };
        match timeout(self.0.patience, turn).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(Error::Busy),
        }
    }

    /// Lets in who can be let in.
    fn admit(&self, mut state: MutexGuard<'_, State>) {
        let let_in = state.let_in(&self.0.shares, Instant::now());
        drop(state);
        for (tenant, next) in let_in {
            let gate = self.clone();
            // Whoever has stopped waiting drops the permit, which lets the next one in.
            _ = next.send(Permit { gate, tenant });
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let gate = self.gate.clone();
        let mut state = gate.state();
        state.let_go(self.tenant, Instant::now());
        gate.admit(state);
    }
}
