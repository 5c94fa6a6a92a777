//! The endings of jobs that are still to be noted: many of a tenant in one transaction.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::ending::{self, Ending};
use crate::{base::ids::TenantId, db::Db};

/// How long endings are gathered.
const GATHERED_FOR: Duration = Duration::from_millis(5);
/// How many transactions at a time.
const AT_ONCE: usize = 4;
/// The pause before endings are noted again that could not be.
const PAUSE: Duration = Duration::from_millis(250);

/// What is still to be noted.
pub(super) struct Notes {
    db: Db,
    /// After this a job is somebody else's, and its ending nobody's.
    lease: Duration,
    waiting: Mutex<HashMap<TenantId, Group>>,
    added: Notify,
}

#[derive(Default)]
struct Group {
    endings: Vec<(Ending, Instant)>,
    frees: bool,
}

impl Notes {
    pub(super) fn new(db: Db, lease: Duration) -> Self {
        Self {
            db,
            lease,
            waiting: Mutex::default(),
            added: Notify::new(),
        }
    }

    /// Has an ending noted soon; `frees` says that other jobs may wait for it.
    pub(super) fn add(&self, ending: Ending, frees: bool) {
        self.put(ending.tenant, vec![(ending, Instant::now())], frees);
        self.added.notify_one();
    }

    /// Notes endings until `over`, and then what is left.
    pub(super) async fn run(&self, over: &CancellationToken) {
        loop {
            let is_over = tokio::select! {
                () = self.added.notified() => false,
                () = over.cancelled() => true,
            };
            if !is_over {
                tokio::time::sleep(GATHERED_FOR).await;
            }
            while !self.note_waiting().await {
                tokio::time::sleep(PAUSE).await;
            }
            if is_over {
                return;
            }
        }
    }

    /// Notes what waits; whether nothing is left of it.
    async fn note_waiting(&self) -> bool {
        let waiting = std::mem::take(&mut *self.waiting());
        let noted = stream::iter(waiting).map(|(tenant, group)| async move {
            let Group { mut endings, frees } = group;
            endings.retain(|(_, since)| since.elapsed() < self.lease);
            if endings.is_empty() {
                return true;
            }
            let bare: Vec<_> = endings.iter().map(|(ending, _)| ending.clone()).collect();
            match ending::note(&self.db, tenant, &bare, frees).await {
                Ok(_) => true,
                Err(error) => {
                    tracing::debug!(%error, "how jobs ended could not be noted, trying again");
                    self.put(tenant, endings, frees);
                    false
                }
            }
        });
        let noted: Vec<bool> = noted.buffer_unordered(AT_ONCE).collect().await;
        noted.into_iter().all(|noted| noted)
    }

    fn put(&self, tenant: TenantId, endings: Vec<(Ending, Instant)>, frees: bool) {
        let mut waiting = self.waiting();
        let group = waiting.entry(tenant).or_default();
        group.endings.extend(endings);
        group.frees |= frees;
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<TenantId, Group>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
