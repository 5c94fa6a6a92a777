//! Hints that a tenant's event log has grown: published by writers, heard by feeds. Best effort:
//! losing one costs time, never an event.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, watch};

use crate::base::ids::{TenantId, Typed as _};

/// Where hints are left and heard. Only the highest number per tenant matters, so any number of writes make one
/// message.
#[derive(Clone, Default)]
pub struct Hints(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// What other servers are to be told.
    outgoing: Mutex<HashMap<TenantId, i64>>,
    left: Notify,
    /// Who listens here.
    heard: Mutex<HashMap<TenantId, watch::Sender<i64>>>,
    joined: Notify,
    /// Workers of this server wait here for jobs.
    enqueued: Notify,
    /// Whose logs have grown by what this server wrote, for those who look what follows from it.
    grown: Mutex<HashSet<TenantId>>,
    grew: Notify,
}

impl Hints {
    /// Leaves a hint for this server and all others; never waits.
    pub(crate) fn publish(&self, tenant: TenantId, seq: i64) {
        self.hear(tenant, seq);
        raise(&mut lock(&self.0.outgoing), tenant, seq);
        self.0.left.notify_one();
        lock(&self.0.grown).insert(tenant);
        self.0.grew.notify_one();
    }

    /// Waits until a log has grown by what this server wrote.
    pub(crate) async fn grew(&self) {
        self.0.grew.notified().await;
    }

    /// Takes the tenants whose logs have.
    pub(crate) fn take_grown(&self) -> Vec<TenantId> {
        std::mem::take(&mut *lock(&self.0.grown))
            .into_iter()
            .collect()
    }

    /// Tells the workers of this server that there may be something to do; those of others look by themselves.
    pub(crate) fn wake_workers(&self) {
        self.0.enqueued.notify_one();
    }

    /// Waits until there may be something to do.
    pub(crate) async fn enqueued(&self) {
        self.0.enqueued.notified().await;
    }

    /// Takes a hint in, wherever it comes from; whether it was news to a feed of this server.
    pub(crate) fn hear(&self, tenant: TenantId, seq: i64) -> bool {
        lock(&self.0.heard).get(&tenant).is_some_and(|highest| {
            highest.send_if_modified(|known| {
                let is_news = seq > *known;
                *known = seq.max(*known);
                is_news
            })
        })
    }

    /// The highest number that was heard of a tenant from now on.
    pub(crate) fn listen(&self, tenant: TenantId) -> watch::Receiver<i64> {
        let mut heard = lock(&self.0.heard);
        let receiver = heard.entry(tenant).or_default().subscribe();
        drop(heard);
        self.0.joined.notify_one();
        receiver
    }

    /// Takes a hint back that turned out not to be true, unless there was another one since.
    pub(crate) fn correct(&self, tenant: TenantId, claimed: i64, known: i64) {
        if let Some(highest) = lock(&self.0.heard).get(&tenant) {
            highest.send_if_modified(|seq| {
                if *seq == claimed {
                    *seq = known;
                }
                false
            });
        }
    }

    /// Lets go of all who listen to a tenant; what they wait for never comes.
    pub(crate) fn forget(&self, tenant: TenantId) {
        lock(&self.0.heard).remove(&tenant);
    }

    /// The tenants that feeds of this server follow; those without a feed are forgotten.
    pub(crate) fn listening(&self) -> Vec<TenantId> {
        let mut heard = lock(&self.0.heard);
        heard.retain(|_, highest| highest.receiver_count() > 0);
        heard.keys().copied().collect()
    }

    /// Waits until a feed of another tenant is opened.
    pub(crate) async fn joined(&self) {
        self.0.joined.notified().await;
    }

    /// Waits for hints and takes those that were left.
    pub(crate) async fn taken(&self) -> HashMap<TenantId, i64> {
        self.0.left.notified().await;
        std::mem::take(&mut *lock(&self.0.outgoing))
    }

    /// Puts hints back that could not be sent.
    pub(crate) fn put_back(&self, hints: HashMap<TenantId, i64>) {
        let mut outgoing = lock(&self.0.outgoing);
        for (tenant, seq) in hints {
            raise(&mut outgoing, tenant, seq);
        }
        drop(outgoing);
        self.0.left.notify_one();
    }

    /// The channel that a tenant's hints go to; the braces keep a tenant on one node of a Redis cluster.
    #[must_use]
    pub fn channel(tenant: TenantId) -> String {
        format!("dealgraph:{{{}}}:seq", tenant.uuid().simple())
    }
}

fn raise(hints: &mut HashMap<TenantId, i64>, tenant: TenantId, seq: i64) {
    let known = hints.entry(tenant).or_default();
    *known = seq.max(*known);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hints_coalesce_and_never_go_back() {
        let (hints, tenant) = (Hints::default(), TenantId::new());
        assert!(!hints.hear(tenant, 9), "nobody listens");
        let heard = hints.listen(tenant);
        for seq in [3, 1, 2] {
            hints.publish(tenant, seq);
        }
        assert_eq!(*heard.borrow(), 3);
        let taken = hints.taken().await;
        assert_eq!(taken, HashMap::from([(tenant, 3)]));
        hints.publish(tenant, 5);
        hints.put_back(taken);
        assert_eq!(hints.taken().await, HashMap::from([(tenant, 5)]));
        assert_eq!(hints.listening(), [tenant]);
        drop(heard);
        assert_eq!(hints.listening(), []);
    }
}
