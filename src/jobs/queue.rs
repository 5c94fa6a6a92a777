//! Putting jobs into the queue, and what people do to those that are in it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Job;
use crate::{
    access::Author,
    base::{
        error::{Error, Result},
        ids::{JobId, TenantId, Typed as _},
    },
    db::{Sql, Tx},
    platform::telemetry::current_trace,
};

/// When a job is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// As soon as a worker has time.
    Now,
    /// After so long.
    After(Duration),
    /// At an instant.
    At(DateTime<Utc>),
}

/// What became of a job that was to be put into the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// It is there.
    New(JobId),
    /// One with the same unique key is, and has not ended: it runs sooner, or once more.
    Known,
}

/// A job as it goes into the queue.
pub(super) struct NewJob<'a> {
    pub(super) id: JobId,
    pub(super) kind: &'a str,
    pub(super) arguments: serde_json::Value,
    pub(super) unique_key: Option<String>,
    pub(super) due: (Option<DateTime<Utc>>, Duration),
    /// In whose name it runs, and the person or program who sees it.
    pub(super) author: String,
    pub(super) visible_to: String,
    pub(super) request_id: String,
    pub(super) schedule: Option<(Uuid, DateTime<Utc>)>,
}

/// Puts a job into the queue, in the name of who does the unit of work. It is there when that commits.
///
/// # Errors
/// The database.
pub async fn enqueue<J: Job>(tx: &mut Tx, job: &J, when: When) -> Result<Enqueued> {
    let author = tx.author();
    enqueue_by(tx, job, when, author).await
}

/// The same in the server's own name: it has all rights in the tenant, whatever those of the actor are, who sees what
/// becomes of it. For what follows from an act that was permitted.
///
/// # Errors
/// The database.
pub async fn enqueue_as_system<J: Job>(tx: &mut Tx, job: &J, when: When) -> Result<Enqueued> {
    enqueue_by(tx, job, when, Author::System(J::KIND).to_string()).await
}

async fn enqueue_by<J: Job>(tx: &mut Tx, job: &J, when: When, author: String) -> Result<Enqueued> {
    let id = JobId::new();
    let due = match when {
        When::Now => (None, Duration::ZERO),
        When::After(pause) => (None, pause),
        When::At(at) => (Some(at), Duration::ZERO),
    };
    let new = NewJob {
        id,
        kind: J::KIND,
        arguments: serde_json::to_value(job).map_err(Error::internal)?,
        unique_key: job.unique_key(),
        due,
        author,
        visible_to: tx.actor().me(),
        request_id: tx.request_id().to_owned(),
        schedule: None,
    };
    Ok(match insert(tx, new).await? {
        true => Enqueued::New(id),
        false => Enqueued::Known,
    })
}

/// Puts a job into the queue, unless one with its unique key is there; tells whether it did.
pub(super) async fn insert(tx: &mut Tx, new: NewJob<'_>) -> Result<bool> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let (schedule, planned_for) = new.schedule.unzip();
    let (at, pause) = new.due;
    let sql = Sql::new(
        "INSERT INTO jobs (tenant_id, job_id, kind, arguments, unique_key, author, visible_to, request_id, trace_parent, \
         schedule_id, planned_for, created_at, due_at) VALUES (",
    )
    .bind(tenant)
    .push(", ")
    .bind(new.id)
    .push(", ")
    .bind(new.kind.to_owned())
    .push(", ")
    .bind(new.arguments)
    .push(", ")
    .bind(new.unique_key)
    .push(", ")
    .bind(new.author)
    .push(", ")
    .bind(new.visible_to)
    .push(", ")
    .bind(new.request_id)
    .push(", ")
    .bind(current_trace())
    .push(", ")
    .bind(schedule)
    .push(", ")
    .bind(planned_for)
    .push(", ")
    .bind(now)
    .push(", coalesce(")
    .bind(at)
    .push(", now()) + make_interval(secs => ")
    .bind(pause.as_secs_f64())
    .push("))")
    .push(SOONER)
    .push(" RETURNING xmax = 0");
    let inserted: Vec<bool> = tx.column(sql).await?;
    tx.has_enqueued(at, pause);
    Ok(inserted == [true])
}

/// What becomes of a job with the unique key of one that is to be put into the queue. One that failed keeps its pause.
pub(super) const SOONER: &str = " ON CONFLICT (tenant_id, kind, unique_key) WHERE due_at IS NOT NULL AND unique_key IS NOT NULL \
    DO UPDATE SET again = jobs.status = 'RUNNING', due_at = CASE \
    WHEN jobs.status = 'QUEUED' AND jobs.attempts = 0 THEN least(jobs.due_at, excluded.due_at) ELSE jobs.due_at END";

/// Has a job that has not ended be ended: at once if it waits, and else as soon as its worker looks.
///
/// # Errors
/// `NOT_FOUND` when there is none in the caller's sight, or it has ended.
pub async fn cancel(tx: &mut Tx, job: JobId) -> Result<()> {
    let sql = Sql::new(
        "UPDATE jobs SET cancel_requested_at = now(), \
         status = CASE status WHEN 'QUEUED' THEN 'CANCELLED' ELSE status END, \
         ended_at = CASE status WHEN 'QUEUED' THEN now() END, \
         due_at = CASE status WHEN 'QUEUED' THEN NULL ELSE due_at END",
    );
    let sql = of(sql, tx.tenant(), job).push(" AND due_at IS NOT NULL");
    found(tx.execute(sql).await?)
}

/// Has a job that failed or was cancelled run again, with all its attempts.
///
/// # Errors
/// `NOT_FOUND` when there is none in the caller's sight, or it did neither; `TAKEN` when another one with its unique key
/// is in the queue by now.
pub async fn retry(tx: &mut Tx, job: JobId) -> Result<()> {
    let sql = Sql::new(
        "UPDATE jobs SET status = 'QUEUED', due_at = now(), attempts = 0, cancel_requested_at = NULL, ended_at = NULL, \
         error_code = NULL, error_message = NULL",
    );
    let sql = of(sql, tx.tenant(), job).push(" AND status IN ('FAILED', 'CANCELLED')");
    let retried = tx.execute(sql).await?;
    tx.has_enqueued(None, Duration::ZERO);
    found(retried)
}

fn of(sql: Sql, tenant: TenantId, job: JobId) -> Sql {
    sql.push(" WHERE tenant_id = ")
        .bind(tenant)
        .push(" AND job_id = ")
        .bind(job.uuid())
}

fn found(rows: u64) -> Result<()> {
    match rows {
        0 => Err(Error::NotFound {
            kind: "job",
            field: "id",
        }),
        _ => Ok(()),
    }
}
