//! All SQL that streams and runs need.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    model::{Problem, SyncMode, SyncTrigger},
    streams::IntegrationStream,
};
use crate::{
    base::{
        error::{Error, Result},
        ids::{IntegrationId, SyncRunId, TenantId},
    },
    db::{ReadTx, Sql, Tx},
    integrations::accounts::Integration,
};

/// Problems that are kept of a run.
pub(super) const MOST_PROBLEMS: usize = 100;

/// A stream as who works on it has taken it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Taken {
    pub(super) cursor: Option<String>,
    /// This attempt's; a later one's is higher.
    pub(super) fence: i64,
    pub(super) sync_run_id: Option<SyncRunId>,
    pub(super) next_mode: Option<SyncMode>,
    pub(super) next_trigger: Option<SyncTrigger>,
    pub(super) next_may_remove: bool,
    pub(super) failures: i32,
}

/// A run that goes on.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Going {
    pub(super) sync_run_id: SyncRunId,
    pub(super) mode: SyncMode,
    pub(super) may_remove: bool,
    pub(super) started_at: DateTime<Utc>,
    pub(super) read_count: i64,
}

/// What a page came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) read: i64,
    pub(super) created: i64,
    pub(super) updated: i64,
    pub(super) unchanged: i64,
    pub(super) removed: i64,
    pub(super) skipped: i64,
    pub(super) problems: Vec<Problem>,
}

/// The streams of accounts.
pub(super) async fn streams(tx: &mut ReadTx, keys: &[Uuid]) -> Result<Vec<IntegrationStream>> {
    let sql = Sql::new(
        "SELECT s.integration_id, s.kind, s.sync_run_id IS NOT NULL AS running, s.synced_at, s.fully_synced_at, s.next_at, \
         s.failing_since, s.failures, s.error_code, s.error_message FROM integration_streams s WHERE s.tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" AND s.integration_id")
    .one_of(keys)
    .push(" ORDER BY s.integration_id, s.kind");
    tx.all(sql).await
}

/// Takes a stream: whoever had it can't write from now on.
pub(super) async fn take(
    tx: &mut Tx,
    (integration, kind): (IntegrationId, &str),
) -> Result<Option<Taken>> {
    let sql = Sql::new("UPDATE integration_streams s SET fence = s.fence + 1");
    let sql = of(sql, tx.tenant(), (integration, kind)).push(
        " RETURNING s.cursor, s.fence, s.sync_run_id, s.next_mode, s.next_trigger, s.next_may_remove, s.failures",
    );
    tx.optional(sql).await
}

/// Holds a stream for a unit of work.
///
/// # Errors
/// `LEASE_LOST` when a later attempt has it.
pub(super) async fn hold(
    tx: &mut Tx,
    (integration, kind): (IntegrationId, &str),
    fence: i64,
) -> Result<()> {
    let sql = Sql::new("SELECT 1 FROM integration_streams s");
    let sql = of(sql, tx.tenant(), (integration, kind))
        .push(" AND s.fence = ")
        .bind(fence)
        .push(" FOR NO KEY UPDATE");
    match tx.column::<i32>(sql).await?.is_empty() {
        false => Ok(()),
        true => Err(Error::TakenOver),
    }
}

/// The run of a stream that goes on.
pub(super) async fn going(tx: &mut Tx, run: SyncRunId) -> Result<Option<Going>> {
    let sql = Sql::new(
        "SELECT r.sync_run_id, r.mode, r.may_remove, r.started_at, r.read_count FROM sync_runs r WHERE r.tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" AND r.sync_run_id = ")
    .bind(run)
    .push(" AND r.status = 'RUNNING'");
    tx.optional(sql).await
}

/// Begins a run of a stream.
pub(super) async fn begin(
    tx: &mut Tx,
    integration: &Integration,
    kind: &str,
    taken: &Taken,
    (mode, trigger): (SyncMode, SyncTrigger),
) -> Result<Going> {
    let going = Going {
        sync_run_id: SyncRunId::new(),
        mode,
        may_remove: taken.next_may_remove,
        started_at: tx.now(),
        read_count: 0,
    };
    let sql = Sql::new(
        "INSERT INTO sync_runs (tenant_id, sync_run_id, integration_id, kind, visible_to, mode, trigger, status, may_remove, \
         cursor_before, started_at) VALUES (",
    )
    .bind(tx.tenant())
    .push(", ")
    .bind(going.sync_run_id)
    .push(", ")
    .bind(integration.id)
    .push(", ")
    .bind(kind.to_owned())
    .push(", ")
    .bind(integration.visible_to.clone())
    .push(", ")
    .bind(mode)
    .push(", ")
    .bind(trigger)
    .push(", 'RUNNING', ")
    .bind(going.may_remove)
    .push(", ")
    .bind(taken.cursor.clone().filter(|_| mode == SyncMode::Incremental))
    .push(", ")
    .bind(going.started_at)
    .push(")");
    tx.execute(sql).await?;
    let sql = Sql::new(
        "UPDATE integration_streams s SET next_mode = NULL, next_trigger = NULL, next_may_remove = false, cursor = CASE WHEN ",
    )
    .bind(mode)
    .push(" = 'FULL' THEN NULL ELSE s.cursor END, sync_run_id = ")
    .bind(going.sync_run_id);
    set(tx, sql, (integration.id, kind)).await?;
    Ok(going)
}

/// Has a run read all from the begin: the service has forgotten how far it was read.
pub(super) async fn begin_anew(
    tx: &mut Tx,
    stream: (IntegrationId, &str),
    run: SyncRunId,
) -> Result<()> {
    let sql = Sql::new("UPDATE integration_streams s SET cursor = NULL");
    set(tx, sql, stream).await?;
    let sql = Sql::new("UPDATE sync_runs r SET mode = 'FULL'");
    set_run(tx, sql, run).await?;
    Ok(())
}

/// Notes what a page came to, and how far the service is read with it.
pub(super) async fn note_page(
    tx: &mut Tx,
    stream: (IntegrationId, &str),
    run: SyncRunId,
    (counts, cursor): (Counts, Option<&str>),
) -> Result<()> {
    if let Some(cursor) = cursor {
        let sql = Sql::new("UPDATE integration_streams s SET cursor = ").bind(cursor.to_owned());
        set(tx, sql, stream).await?;
    }
    let failed = i64::try_from(counts.problems.len()).unwrap_or(i64::MAX);
    let mut sql = Sql::new("UPDATE sync_runs r SET read_count = r.read_count + ").bind(counts.read);
    for (column, count) in [
        ("created_count", counts.created),
        ("updated_count", counts.updated),
        ("unchanged_count", counts.unchanged),
        ("removed_count", counts.removed),
        ("skipped_count", counts.skipped),
        ("failed_count", failed),
    ] {
        sql = sql.push(", ").push(column).push(" = r.").push(column);
        sql = sql.push(" + ").bind(count);
    }
    if failed > 0 {
        sql = sql
            .push(", problems = CASE WHEN jsonb_array_length(r.problems) < ")
            .bind(i32::try_from(MOST_PROBLEMS).unwrap_or(i32::MAX))
            .push(" THEN r.problems || ")
            .bind(sqlx::types::Json(counts.problems))
            .push(" ELSE r.problems END");
    }
    if let Some(cursor) = cursor {
        sql = sql.push(", cursor_after = ").bind(cursor.to_owned());
    }
    set_run(tx, sql, run).await?;
    Ok(())
}

/// Ends a run well; whether the stream is to be looked at again at once.
pub(super) async fn succeed(
    tx: &mut Tx,
    stream: (IntegrationId, &str),
    going: &Going,
    next: Duration,
) -> Result<bool> {
    let sql = Sql::new("UPDATE sync_runs r SET status = 'SUCCEEDED', ended_at = ").bind(tx.now());
    set_run(tx, sql, going.sync_run_id).await?;
    let now = tx.now();
    let sql = Sql::new("UPDATE integration_streams s SET sync_run_id = NULL, synced_at = ")
        .bind(now)
        .push(", failing_since = NULL, failures = 0, error_code = NULL, error_message = NULL, next_at = now() + \
               CASE WHEN s.next_trigger IS NOT NULL THEN interval '0' ELSE make_interval(secs => ")
        .bind(next.as_secs_f64())
        .push(") END, fully_synced_at = CASE WHEN ")
        .bind(going.mode)
        .push(" = 'FULL' THEN ")
        .bind(now)
        .push(" ELSE s.fully_synced_at END");
    let sql = of(sql, tx.tenant(), stream).push(" RETURNING s.next_trigger IS NOT NULL");
    Ok(tx.column(sql).await?.contains(&true))
}

/// Ends a run that did not come to its end; it is tried again after so long.
pub(super) async fn fail(
    tx: &mut Tx,
    stream: (IntegrationId, &str),
    run: SyncRunId,
    (code, message): (&str, &str),
    next: Option<Duration>,
) -> Result<()> {
    let seconds = next.map(|next| next.as_secs_f64());
    let now = tx.now();
    let sql = Sql::new("UPDATE sync_runs r SET status = 'FAILED', ended_at = ")
        .bind(now)
        .push(", error_code = ")
        .bind(code.to_owned())
        .push(", error_message = ")
        .bind(message.to_owned())
        .push(", next_attempt_at = now() + make_interval(secs => ")
        .bind(seconds)
        .push(")");
    set_run(tx, sql, run).await?;
    let sql = Sql::new(
        "UPDATE integration_streams s SET sync_run_id = NULL, failures = s.failures + 1, failing_since = \
         coalesce(s.failing_since, ",
    )
    .bind(now)
    .push("), error_code = ")
    .bind(code.to_owned())
    .push(", error_message = ")
    .bind(message.to_owned())
    .push(", next_at = now() + make_interval(secs => ")
    .bind(seconds)
    .push(")");
    set(tx, sql, stream).await?;
    Ok(())
}

/// Notes that a run goes on after a pause that the service or its budget wants.
pub(super) async fn note_pause(
    tx: &mut Tx,
    stream: (IntegrationId, &str),
    run: SyncRunId,
    pause: Duration,
) -> Result<()> {
    let sql = Sql::new("UPDATE sync_runs r SET next_attempt_at = now() + make_interval(secs => ")
        .bind(pause.as_secs_f64())
        .push(")");
    set_run(tx, sql, run).await?;
    let sql = Sql::new("UPDATE integration_streams s SET next_at = now() + make_interval(secs => ")
        .bind(pause.as_secs_f64())
        .push(")");
    set(tx, sql, stream).await?;
    Ok(())
}

/// Ends the runs of an account that go on.
///
/// # Errors
/// The database.
pub(in crate::integrations) async fn cancel_running(
    tx: &mut Tx,
    integration: IntegrationId,
) -> Result<()> {
    let sql = Sql::new("UPDATE sync_runs r SET status = 'CANCELLED', ended_at = ")
        .bind(tx.now())
        .push(" WHERE r.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND r.integration_id = ")
        .bind(integration)
        .push(" AND r.status = 'RUNNING'");
    tx.execute(sql).await?;
    Ok(())
}

/// Forgets some runs that ended before; how many, and whether there are others.
pub(super) async fn forget(tx: &mut Tx, before: DateTime<Utc>, most: i64) -> Result<(u64, bool)> {
    let sql = Sql::new("DELETE FROM sync_runs r WHERE r.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND r.sync_run_id IN (SELECT o.sync_run_id FROM sync_runs o WHERE o.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND o.ended_at IS NOT NULL AND o.started_at < ")
        .bind(before)
        .push(" ORDER BY o.started_at LIMIT ")
        .bind(most)
        .push(")");
    let forgotten = tx.execute(sql).await?;
    let sql = Sql::new("SELECT 1 FROM sync_runs r WHERE r.tenant_id = ").bind(tx.tenant());
    let left = tx.column::<i32>(sql.push(" LIMIT 1")).await?;
    Ok((forgotten, !left.is_empty()))
}

/// Changes a stream.
async fn set(tx: &mut Tx, sql: Sql, stream: (IntegrationId, &str)) -> Result<()> {
    let sql = of(sql, tx.tenant(), stream);
    tx.execute(sql).await?;
    Ok(())
}

/// Changes a run.
async fn set_run(tx: &mut Tx, sql: Sql, run: SyncRunId) -> Result<()> {
    let sql = of_run(sql, tx.tenant(), run);
    tx.execute(sql).await?;
    Ok(())
}

fn of(sql: Sql, tenant: TenantId, (integration, kind): (IntegrationId, &str)) -> Sql {
    sql.push(" WHERE s.tenant_id = ")
        .bind(tenant)
        .push(" AND s.integration_id = ")
        .bind(integration)
        .push(" AND s.kind = ")
        .bind(kind.to_owned())
}

fn of_run(sql: Sql, tenant: TenantId, run: SyncRunId) -> Sql {
    sql.push(" WHERE r.tenant_id = ")
        .bind(tenant)
        .push(" AND r.sync_run_id = ")
        .bind(run)
}
