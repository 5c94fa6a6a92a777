//! What is known of a run.

use async_graphql::Enum;
use chrono::{DateTime, Utc};
use dealgraph_derive::{Columns, OrderField};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    base::ids::{SyncRunId, Typed as _},
    db::list::Record,
};

/// One time that records of a kind were brought in step.
#[derive(Debug, Clone, sqlx::FromRow, Columns)]
#[unread(visible_to)]
#[unread(may_remove)]
pub struct SyncRun {
    #[sqlx(rename = "sync_run_id")]
    pub(super) id: SyncRunId,
    pub(super) integration_id: Uuid,
    pub(super) kind: String,
    pub(super) mode: SyncMode,
    pub(super) trigger: SyncTrigger,
    pub(super) status: SyncRunStatus,
    pub(super) cursor_before: Option<String>,
    pub(super) cursor_after: Option<String>,
    pub(super) read_count: i64,
    pub(super) created_count: i64,
    pub(super) updated_count: i64,
    pub(super) unchanged_count: i64,
    pub(super) removed_count: i64,
    pub(super) skipped_count: i64,
    pub(super) failed_count: i64,
    pub(super) problems: sqlx::types::Json<Vec<Problem>>,
    pub(super) error_code: Option<String>,
    pub(super) error_message: Option<String>,
    pub(super) next_attempt_at: Option<DateTime<Utc>>,
    pub(super) started_at: DateTime<Utc>,
    pub(super) ended_at: Option<DateTime<Utc>>,
}

/// What was wrong with one record of a service. Its values are not told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Problem {
    pub(super) external_id: String,
    pub(super) code: String,
    pub(super) field: Option<String>,
}

/// Whether all records are read anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SyncMode {
    /// All are read. Those that are linked and are not there any more are archived here.
    Full,
    /// What has changed since the last time.
    Incremental,
}

/// What caused a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SyncTrigger {
    /// The account was connected, or authorised again.
    Connected,
    /// It was its turn.
    Schedule,
    /// Somebody wanted it now.
    Request,
    /// The service said that something has changed.
    Webhook,
    /// The time before had failed.
    Retry,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SyncRunStatus {
    /// It goes on.
    Running,
    /// All that there was is in step; single records may not be, which `problems` says.
    Succeeded,
    /// It did not come to its end.
    Failed,
    /// The account was paused or disconnected before its end.
    Cancelled,
}

/// What runs can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, OrderField)]
#[order(of = SyncRun)]
pub enum SyncRunOrderField {
    /// When it began.
    #[order(time = self.started_at)]
    StartedAt,
}

impl Record for SyncRun {
    const ARCHIVES: bool = false;
    type Order = SyncRunOrderField;

    fn key(&self) -> Uuid {
        self.id.uuid()
    }
}
