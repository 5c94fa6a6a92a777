//! Reading along with what all servers say of changed rights.
//!
//! A row is dated when it is inserted and seen when its transaction commits, which may be later. So each reading goes
//! back over the last half minute and passes over what it knows already. No transaction of ours is open for longer: the
//! limits of the logins see to that.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{News, change_feed::Target};
use crate::{
    base::{
        error::{Error, Result},
        ids::{SessionId, TenantId},
    },
    db::{Db, Sql, SystemReason},
    organization::auth::KeyRing,
};

/// How often changes are read.
const EVERY: Duration = Duration::from_millis(250);
/// A reading that takes longer is given up: what is known is not trusted by then anyway.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often old changes are removed, by each server.
const PRUNED_EVERY: Duration = Duration::from_secs(600);
/// How long it is remembered that a row was seen; longer than readings go back.
const SEEN_FOR: Duration = Duration::from_secs(60);

#[derive(sqlx::FromRow)]
struct Change {
    change_id: Uuid,
    tenant_id: Option<TenantId>,
    user_id: Option<Uuid>,
    session_id: Option<SessionId>,
}

/// Reads changes until told to stop.
pub(super) struct Watch<'a> {
    db: &'a Db,
    news: &'a News,
    ring: &'a KeyRing,
    seen: HashMap<Uuid, Instant>,
    works: bool,
}

impl<'a> Watch<'a> {
    pub(super) fn new(db: &'a Db, news: &'a News, ring: &'a KeyRing) -> Self {
        Self {
            db,
            news,
            ring,
            seen: HashMap::new(),
            works: true,
        }
    }

    pub(super) async fn run(mut self, stop: &CancellationToken) {
        // Servers that were started together need not prune together.
        let mut prune_at = Instant::now() + PRUNED_EVERY.mul_f32(fastrand::f32());
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let reading = tokio::time::timeout(PATIENCE, self.read());
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

    async fn read(&mut self) -> Result<()> {
        let began = Instant::now();
        let mut tx = self.db.system(SystemReason::AccessChanges).await?;
        let rows: Vec<Change> = tx
            .all(Sql::new(
                "SELECT change_id, tenant_id, user_id, session_id FROM access_changes \
                 WHERE changed_at > now() - interval '30 seconds'",
            ))
            .await?;
        drop(tx);
        let fresh: Vec<Change> = rows
            .into_iter()
            .filter(|row| !self.seen.contains_key(&row.change_id))
            .collect();
        let targets: Vec<Target> = fresh
            .iter()
            .map(|row| Target::of(row.tenant_id, row.user_id, row.session_id))
            .collect();
        if targets.contains(&Target::Everybody) {
            self.ring.reload().await?;
        }
        self.news.hear(began, targets);
        // Only now: what was read and not told, because this failed or took too long, is read and told the next time.
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

    /// Says once that it fails, and once that it works again.
    fn report(&mut self, read: Result<()>) {
        match &read {
            Ok(()) if !self.works => tracing::info!("changes of rights are read again"),
            Err(error) if self.works => {
                tracing::warn!(%error, "changes of rights can't be read: memberships are read more often instead");
            }
            _ => {}
        }
        self.works = read.is_ok();
    }
}
