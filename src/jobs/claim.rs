//! Taking jobs: which tenants have some to do, and a few of one tenant at a time.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    Handlers,
    consumers::{self, Growth},
    schedules,
};
use crate::{
    access::Actor,
    base::{
        error::Result,
        ids::{JobId, TenantId},
    },
    db::{Db, Sql, SystemReason, Tx, journal::Origin},
};

/// A job that was taken: it is this worker's until its lease ends.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Claim {
    pub(super) tenant_id: TenantId,
    pub(super) job_id: JobId,
    pub(super) kind: String,
    pub(super) arguments: Json,
    /// This one counted.
    pub(super) attempts: i32,
    pub(super) fence: i64,
    pub(super) author: String,
    pub(super) request_id: String,
    pub(super) trace_parent: Option<String>,
    pub(super) schedule_id: Option<Uuid>,
    pub(super) planned_for: Option<DateTime<Utc>>,
    /// How long it was due already, in seconds.
    pub(super) waited_s: f64,
    pub(super) is_too_late: bool,
    pub(super) is_cancelled: bool,
    /// An occurrence of a schedule that comes too late to be done.
    #[sqlx(skip)]
    pub(super) is_left_out: bool,
}

/// A tenant that has something to do.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub(super) struct DueTenant {
    pub(super) tenant_id: TenantId,
    /// Whether events have happened that a consumer of the log has not followed yet.
    pub(super) is_behind: bool,
}

/// Tenants that have something to do, in the order of their ids, after the one that was served last.
///
/// # Errors
/// The database.
pub(super) async fn due_tenants(
    db: &Db,
    after: Uuid,
    growth: &Growth,
    limit: i64,
) -> Result<Vec<DueTenant>> {
    let mut tx = db.system(SystemReason::Jobs).await?;
    // A tenant that may only be read has no job done: they wait until it is resumed.
    let sql = Sql::new(
        "SELECT d.tenant_id, bool_or(d.is_behind) AS is_behind FROM (\
         SELECT q.tenant_id, false AS is_behind FROM job_queues q WHERE q.due_at <= now()",
    );
    let sql = growth.or_behind(sql);
    let sql = sql
        .push(") d JOIN tenant_seq s ON s.tenant_id = d.tenant_id WHERE s.open AND d.tenant_id > ")
        .bind(after)
        .push(" GROUP BY d.tenant_id ORDER BY d.tenant_id LIMIT ")
        .bind(limit);
    let tenants = tx.all(sql).await?;
    tx.commit().await?;
    Ok(tenants)
}

/// In whose name the queue of a tenant is kept.
pub(super) fn by(tenant: TenantId) -> (Arc<Actor>, Origin) {
    (
        Arc::new(Actor::worker(tenant, "jobs")),
        Origin::process("jobs"),
    )
}

/// What a worker takes jobs by.
pub(super) struct Claimer<'a> {
    pub(super) db: &'a Db,
    pub(super) handlers: &'a Handlers,
    pub(super) lease: Duration,
}

impl Claimer<'_> {
    /// Takes up to so many jobs of a tenant, those first that have been due for longest, and has the next occurrence of
    /// those that are scheduled put into the queue. Who takes jobs of the same tenant meanwhile waits, so that no more run
    /// of a kind than may.
    ///
    /// # Errors
    /// The database.
    pub(super) async fn claim(&self, due: DueTenant, most: usize) -> Result<Vec<Claim>> {
        let (worker, origin) = by(due.tenant_id);
        let claimed = self.db.write(&worker, &origin, async |tx| {
            self.claim_in(tx, due.is_behind, most).await
        });
        claimed.await
    }

    async fn claim_in(&self, tx: &mut Tx, is_behind: bool, most: usize) -> Result<Vec<Claim>> {
        let tenant = tx.tenant();
        let lock = Sql::new("SELECT 1 FROM job_queues WHERE tenant_id = ").bind(tenant);
        let queues: Vec<i32> = tx.column(lock.push(" FOR NO KEY UPDATE")).await?;
        if queues.is_empty() {
            return Ok(Vec::new());
        }
        if is_behind {
            consumers::enqueue_those_behind(tx, self.handlers.kinds()).await?;
        }
        let mut room = self.room(tx).await?;
        let full = room.iter().filter(|(_, room)| **room == 0);
        let full: Vec<_> = full.map(|(kind, _)| (*kind).to_owned()).collect();
        let due = self.due(tx, full, most).await?;
        let is_drained = due.len() < most;
        let mut chosen = Vec::with_capacity(due.len());
        for Due { job_id, kind } in due {
            match room.get_mut(kind.as_str()) {
                Some(0) => {}
                Some(room) => {
                    *room -= 1;
                    chosen.push(job_id);
                }
                None => chosen.push(job_id),
            }
        }
        let mut claims = match chosen.is_empty() {
            true => Vec::new(),
            false => self.take(tx, chosen).await?,
        };
        for claim in &mut claims {
            claim.is_left_out = schedules::plan_next(tx, claim).await?;
        }
        if is_drained {
            let sql = Sql::new(
                "UPDATE job_queues SET due_at = coalesce((SELECT min(j.due_at) FROM jobs j WHERE j.tenant_id = ",
            )
            .bind(tenant)
            .push(" AND j.due_at IS NOT NULL), 'infinity') WHERE tenant_id = ")
            .bind(tenant);
            tx.execute(sql).await?;
        }
        Ok(claims)
    }

    /// How many more may run of the kinds of which not any number may.
    async fn room(&self, tx: &mut Tx) -> Result<HashMap<&'static str, u32>> {
        let limits = self.handlers.limits();
        if limits.is_empty() {
            return Ok(HashMap::new());
        }
        let kinds: Vec<_> = limits.iter().map(|(kind, _)| (*kind).to_owned()).collect();
        let sql = Sql::new("SELECT j.kind FROM jobs j WHERE j.tenant_id = ")
            .bind(tx.tenant())
            .push(" AND j.status = 'RUNNING' AND j.due_at > now() AND j.kind = ANY(")
            .bind(kinds)
            .push(")");
        let mut room: HashMap<_, _> = limits.into_iter().collect();
        for kind in tx.column::<String>(sql).await? {
            if let Some(room) = room.get_mut(kind.as_str()) {
                *room = room.saturating_sub(1);
            }
        }
        Ok(room)
    }

    /// Locks those that are due, of kinds that this server does.
    async fn due(&self, tx: &mut Tx, full: Vec<String>, most: usize) -> Result<Vec<Due>> {
        let kinds = self.handlers.kinds().into_iter().map(str::to_owned);
        let sql = Sql::new("SELECT j.job_id, j.kind FROM jobs j WHERE j.tenant_id = ")
            .bind(tx.tenant())
            .push(" AND j.due_at <= now() AND j.kind = ANY(")
            .bind(kinds.collect::<Vec<_>>())
            .push(") AND j.kind <> ALL(")
            .bind(full)
            .push(") ORDER BY j.due_at LIMIT ")
            .bind(most as i64)
            .push(" FOR UPDATE SKIP LOCKED");
        tx.all(sql).await
    }

    async fn take(&self, tx: &mut Tx, ids: Vec<Uuid>) -> Result<Vec<Claim>> {
        let sql = Sql::new(
            "UPDATE jobs j SET status = 'RUNNING', attempts = j.attempts + 1, fence = j.fence + 1, \
             started_at = coalesce(j.started_at, now()), due_at = now() + make_interval(secs => ",
        )
        .bind(self.lease.as_secs_f64())
        .push(") FROM jobs was WHERE j.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND j.job_id = ANY(")
        .bind(ids)
        .push(") AND was.tenant_id = ")
        .bind(tx.tenant())
        .push(
            " AND was.job_id = j.job_id \
             RETURNING j.tenant_id, j.job_id, j.kind, j.arguments, j.attempts, j.fence, j.author, j.request_id, \
             j.trace_parent, j.schedule_id, j.planned_for, extract(epoch FROM now() - was.due_at)::float8 AS waited_s, \
             coalesce(j.gives_up_at <= now(), false) AS is_too_late, j.cancel_requested_at IS NOT NULL AS is_cancelled",
        );
        tx.all(sql).await
    }
}

#[derive(sqlx::FromRow)]
struct Due {
    job_id: Uuid,
    kind: String,
}
