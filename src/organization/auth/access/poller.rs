//! Polling the access changes that all servers publish.
//!
//! A row is dated when it is inserted and visible when its transaction commits, which may be later. So each poll goes
//! back over the last half minute and skips what it has seen. No transaction of ours is open for longer: the limits of
//! the logins see to that.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{ChangeFeed, change_feed::ChangeTarget};
use crate::{
    base::{
        error::{Error, Result},
        ids::{SessionId, TenantId},
    },
    db::{Db, Sql, SystemReason},
    organization::auth::KeyRing,
};

/// How often changes are polled.
const EVERY: Duration = Duration::from_millis(250);
/// A poll that takes longer is given up: by then all leases have ended anyway.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often old changes are removed, by each server.
const PRUNED_EVERY: Duration = Duration::from_secs(600);
/// How long seen rows are remembered; longer than polls go back.
const SEEN_FOR: Duration = Duration::from_secs(60);

#[derive(sqlx::FromRow)]
struct ChangeRow {
    change_id: Uuid,
    tenant_id: Option<TenantId>,
    user_id: Option<Uuid>,
    session_id: Option<SessionId>,
}

/// Polls changes until stopped.
pub(super) struct ChangePoller<'a> {
    db: &'a Db,
    changes: &'a ChangeFeed,
    ring: &'a KeyRing,
    seen: HashMap<Uuid, Instant>,
    is_healthy: bool,
}

impl<'a> ChangePoller<'a> {
    pub(super) fn new(db: &'a Db, changes: &'a ChangeFeed, ring: &'a KeyRing) -> Self {
        Self {
            db,
            changes,
            ring,
            seen: HashMap::new(),
            is_healthy: true,
        }
    }

    pub(super) async fn run(mut self, stop: &CancellationToken) {
        // Servers that were started together need not prune together.
        let mut prune_at = Instant::now() + PRUNED_EVERY.mul_f32(fastrand::f32());
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let reading = tokio::time::timeout(PATIENCE, self.poll());
            let Some(read) = stop.run_until_cancelled(reading).await else {
                return;
            };
            self.report(read.unwrap_or(Err(Error::Unavailable("the database"))));
            if Instant::now() >= prune_at {
                prune_at = Instant::now() + PRUNED_EVERY;
                if let Err(error) = self.prune().await {
                    tracing::debug!(%error, "old changes of rights were not removed");
                }
            }
        }
    }

    async fn poll(&mut self) -> Result<()> {
        let began = Instant::now();
        let mut tx = self.db.system(SystemReason::AccessChanges).await?;
        let rows: Vec<ChangeRow> = tx
            .all(Sql::new(
                "SELECT change_id, tenant_id, user_id, session_id FROM access_changes \
                 WHERE changed_at > now() - interval '30 seconds'",
            ))
            .await?;
        drop(tx);
        let fresh: Vec<ChangeRow> = rows
            .into_iter()
            .filter(|row| !self.seen.contains_key(&row.change_id))
            .collect();
        let targets: Vec<ChangeTarget> = fresh
            .iter()
            .map(|row| ChangeTarget::of(row.tenant_id, row.user_id, row.session_id))
            .collect();
        if targets.contains(&ChangeTarget::All) {
            self.ring.reload().await?;
        }
        self.changes.record(began, targets);
        // Only now: what was read and not recorded, because this failed or took too long, is read again by the next
        // poll.
        self.seen
            .retain(|_, at| began.duration_since(*at) < SEEN_FOR);
        self.seen
            .extend(fresh.iter().map(|row| (row.change_id, began)));
        Ok(())
    }

    async fn prune(&self) -> Result<()> {
        let mut tx = self.db.system(SystemReason::AccessChanges).await?;
        tx.execute(Sql::new(
            "DELETE FROM access_changes WHERE changed_at < now() - interval '1 hour'",
        ))
        .await?;
        tx.commit().await
    }

    /// Logs once that polling fails, and once that it works again.
    fn report(&mut self, read: Result<()>) {
        match &read {
            Ok(()) if !self.is_healthy => tracing::info!("changes of rights are read again"),
            Err(error) if self.is_healthy => {
                tracing::warn!(%error, "changes of rights can't be read: memberships are read more often instead");
            }
            _ => {}
        }
        self.is_healthy = read.is_ok();
    }
}
