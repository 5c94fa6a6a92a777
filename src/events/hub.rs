//! The feeds of the tenants that are watched on this server, and what keeps them up to date whatever else fails.
//!
//! A hint says when to read. The poll makes up for hints that are missed: one statement for all live tenants, every two
//! seconds while Redis carries hints and four times a second while it does not. It also detects that a history ended.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::{
    Feed,
    bus::{Bus, BusState},
    logged,
};
use crate::{
    base::{error::Result, ids::TenantId},
    db::{Db, journal::Hints},
    platform::{redis::RedisAddress, telemetry::metrics::Metrics},
};

/// How often the log is polled while hints arrive.
const POLLED_EVERY: Duration = Duration::from_secs(2);
/// How often while none do.
const POLLED_DISCONNECTED: Duration = Duration::from_millis(250);
/// A poll that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often partitions are made and dropped.
const KEPT_EVERY: Duration = Duration::from_secs(60 * 60);

type Slot = Arc<tokio::sync::Mutex<Weak<Feed>>>;

/// What this server follows.
pub struct Hub {
    db: Db,
    hints: Hints,
    bus: Bus,
    metrics: Arc<Metrics>,
    feeds: Mutex<HashMap<TenantId, Slot>>,
    retention_days: u16,
    is_reading: AtomicBool,
}

impl Hub {
    /// Follows nothing yet. Events older than `retention_days` are dropped.
    #[must_use]
    pub fn new(db: Db, redis: RedisAddress, metrics: Arc<Metrics>, retention_days: u16) -> Self {
        let hints = db.hints().clone();
        Self {
            db,
            bus: Bus::new(hints.clone(), redis),
            hints,
            metrics,
            feeds: Mutex::default(),
            retention_days,
            is_reading: AtomicBool::new(true),
        }
    }

    /// Whether the event log could be read when it was polled last.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        self.is_reading.load(Ordering::Relaxed)
    }

    /// A tenant's feed, followed from now on for as long as it is held.
    ///
    /// # Errors
    /// The database.
    pub async fn feed(&self, tenant: TenantId) -> Result<Arc<Feed>> {
        let slot = Arc::clone(self.feeds().entry(tenant).or_default());
        let mut feed = slot.lock().await;
        match feed.upgrade() {
            Some(open) if !open.is_over() => Ok(open),
            _ => {
                let open = Arc::new(Feed::open(&self.db, &self.hints, tenant).await?);
                *feed = Arc::downgrade(&open);
                Ok(open)
            }
        }
    }

    /// Keeps the feeds up to date until stopped.
    pub async fn run(&self, stop: &CancellationToken) {
        tokio::join!(self.bus.run(stop), self.poll(stop), self.retain(stop));
    }

    async fn poll(&self, stop: &CancellationToken) {
        let mut was_healthy = true;
        loop {
            let pause = match self.bus.state() {
                BusState::Disconnected => POLLED_DISCONNECTED,
                BusState::Disabled | BusState::Connected => POLLED_EVERY,
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
                () = self.bus.missed.notified() => {}
            }
            let poll = tokio::time::timeout(PATIENCE, self.poll_once());
            let Some(polled) = stop.run_until_cancelled(poll).await else {
                return;
            };
            let is_healthy = matches!(polled, Ok(Ok(())));
            if is_healthy != was_healthy {
                match is_healthy {
                    true => tracing::info!("the event log can be read again"),
                    false => tracing::warn!("the event log can't be read: subscriptions wait"),
                }
            }
            was_healthy = is_healthy;
            self.is_reading.store(is_healthy, Ordering::Relaxed);
        }
    }

    async fn poll_once(&self) -> Result<()> {
        let live = self.live();
        self.metrics.live.tenants.set(live.len() as i64);
        if live.is_empty() {
            self.metrics.live.backlog.set(0);
            return Ok(());
        }
        // Noted before the database is read: events that are read meanwhile may be newer than the answer.
        let positions: HashMap<_, _> = live
            .iter()
            .map(|(tenant, feed)| (*tenant, feed.position()))
            .collect();
        let polled_at = Instant::now();
        let mut backlog = 0;
        for head in logged::heads(&self.db, positions.keys().copied().collect()).await? {
            let tenant = head.tenant_id;
            let Some((feed, position)) = live.get(&tenant).zip(positions.get(&tenant)) else {
                continue;
            };
            if head.epoch != *feed.epoch() || head.last_seq < *position {
                tracing::warn!(tenant.id = %head.tenant_id, "the event log belongs to another history: subscribers begin anew");
                feed.end();
                continue;
            }
            feed.note_poll(polled_at, head.last_seq);
            backlog = backlog.max(head.last_seq - feed.position());
            if self.hints.hear(head.tenant_id, head.last_seq) {
                self.metrics.live.found_by_poll.inc();
            }
        }
        self.metrics.live.backlog.set(backlog);
        Ok(())
    }

    async fn retain(&self, stop: &CancellationToken) {
        let mut next = Instant::now();
        while stop
            .run_until_cancelled(tokio::time::sleep_until(next.into()))
            .await
            .is_some()
        {
            if let Err(error) = logged::keep(&self.db, self.retention_days).await {
                tracing::warn!(%error, "old events were not dropped");
            }
            next = Instant::now() + KEPT_EVERY;
        }
    }

    /// The feeds that are held; the others are removed.
    fn live(&self) -> HashMap<TenantId, Arc<Feed>> {
        let mut live = HashMap::new();
        self.feeds().retain(|tenant, slot| {
            // One that is being opened is locked, and stays.
            let Ok(feed) = slot.try_lock() else {
                return true;
            };
            match feed.upgrade() {
                Some(feed) => {
                    live.insert(*tenant, feed);
                    true
                }
                None => Arc::strong_count(slot) > 1,
            }
        });
        live
    }

    fn feeds(&self) -> MutexGuard<'_, HashMap<TenantId, Slot>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
