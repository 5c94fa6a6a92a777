//! What is known of a job.

use async_graphql::Enum;
use chrono::{DateTime, Utc};
use dealgraph_derive::{Columns, OrderField};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::{
    access::Access,
    base::ids::{JobId, Typed as _},
    db::{Registered, list::Record},
};

/// A job. What it is about is its handler's, and not read.
#[derive(Debug, Clone, sqlx::FromRow, Columns)]
pub struct Job {
    #[sqlx(rename = "job_id")]
    pub(super) id: JobId,
    pub(super) kind: String,
    pub(super) status: JobStatus,
    pub(super) due_at: Option<DateTime<Utc>>,
    pub(super) attempts: i32,
    pub(super) author: String,
    pub(super) request_id: String,
    pub(super) progress_done: Option<i64>,
    pub(super) progress_total: Option<i64>,
    pub(super) progress_message: Option<String>,
    pub(super) cancel_requested_at: Option<DateTime<Utc>>,
    pub(super) result: Option<Json>,
    pub(super) error_code: Option<String>,
    pub(super) error_message: Option<String>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) started_at: Option<DateTime<Utc>>,
    pub(super) ended_at: Option<DateTime<Utc>>,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobStatus {
    /// It waits: for its time, for a worker, or to be tried again.
    Queued,
    /// It is being done.
    Running,
    /// It was done.
    Succeeded,
    /// It could not be done, and is not tried again by itself.
    Failed,
    /// Somebody had it ended.
    Cancelled,
}

/// What jobs can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, OrderField)]
#[order(of = Job)]
pub enum JobOrderField {
    /// When it was put into the queue.
    #[order(time = self.created_at)]
    CreatedAt,
}

impl Registered for Job {
    const KIND: &'static str = "job";
    const TABLE: &'static str = "jobs";
    const ID_COLUMN: &'static str = "job_id";
    const ACCESS: Access = Access::Shared {
        read: "admin",
        write: "admin",
    };
}

impl Record for Job {
    const ARCHIVES: bool = false;
    type Order = JobOrderField;

    fn key(&self) -> Uuid {
        self.id.uuid()
    }
}
