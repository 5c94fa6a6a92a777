//! The place of a job among those that run at a time: in all, and of its tenant.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedSemaphorePermit};

use super::Worker;
use crate::base::ids::TenantId;

/// A job's place. While it waits for a server elsewhere others have it.
pub(super) struct Seat {
    worker: Arc<Worker>,
    tenant: TenantId,
    slot: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Seat {
    pub(super) fn take(
        worker: &Arc<Worker>,
        tenant: TenantId,
        slot: OwnedSemaphorePermit,
    ) -> Arc<Self> {
        let worker = Arc::clone(worker);
        worker.sits_down(tenant);
        let slot = Mutex::new(Some(slot));
        Arc::new(Self {
            worker,
            tenant,
            slot,
        })
    }

    /// Waits without the place, and takes one again.
    pub(super) async fn left_for<T>(&self, wait: impl Future<Output = T>) -> T {
        // They are never closed, and could only be passed by then.
        let _outside = self.worker.outside.acquire().await;
        if let Some(slot) = self.slot.lock().await.take() {
            drop(slot);
            self.worker.gets_up(self.tenant);
        }
        let answer = wait.await;
        let mut place = self.slot.lock().await;
        if place.is_none() {
            *place = Arc::clone(&self.worker.slots).acquire_owned().await.ok();
            self.worker.sits_down(self.tenant);
        }
        answer
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.slot.get_mut().take().is_some() {
            self.worker.gets_up(self.tenant);
        }
    }
}

impl Worker {
    fn sits_down(&self, tenant: TenantId) {
        *self.running().entry(tenant).or_default() += 1;
    }

    fn gets_up(&self, tenant: TenantId) {
        let mut running = self.running();
        if let Some(count) = running.get_mut(&tenant) {
            *count -= 1;
            if *count == 0 {
                running.remove(&tenant);
            }
        }
        drop(running);
        self.ended.notify_one();
    }
}
