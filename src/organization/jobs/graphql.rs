//! Jobs in the schema: what can be read.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use chrono::{DateTime, Utc};
use dealgraph_derive::connection_args;

use super::{
    Job, JobStatus,
    filter::{JobFilter, JobOrder, USUAL_ORDER},
};
use crate::{
    base::{
        error::Result,
        ids::{JobId, Typed as _},
    },
    graphql::{
        Connection, ContextExt as _, ListArgs, Listing,
        scalars::{BigInt, JsonValue},
    },
    organization::members::ChangeAuthor,
};

/// Something that the server does after the request that caused it was answered, or at its time. It is known for 14 days
/// after it has ended.
#[Object]
impl Job {
    /// The id, as `job:<uuid>`.
    pub async fn id(&self) -> JobId {
        self.id
    }

    /// What is done.
    async fn kind(&self) -> &str {
        &self.kind
    }

    /// How far it is.
    async fn status(&self) -> JobStatus {
        self.status
    }

    /// In whose name, and with whose rights, it is done.
    async fn author(&self) -> ChangeAuthor {
        ChangeAuthor::new(&self.author)
    }

    /// The request that caused it, as in its answer's header `x-request-id` and in the audit log.
    async fn request_id(&self) -> &str {
        &self.request_id
    }

    /// How often it was begun.
    async fn attempts(&self) -> i32 {
        self.attempts
    }

    /// While it is QUEUED: when it is to be begun, or tried again.
    async fn due_at(&self) -> Option<DateTime<Utc>> {
        self.due_at.filter(|_| self.status == JobStatus::Queued)
    }

    /// How far it says that it is, if it says so.
    async fn progress(&self) -> Option<JobProgress> {
        self.progress_done.map(|done| JobProgress {
            done: BigInt(done),
            total: self.progress_total.map(BigInt),
            message: self.progress_message.clone().unwrap_or_default(),
        })
    }

    /// When somebody asked for it to be ended.
    async fn cancel_requested_at(&self) -> Option<DateTime<Utc>> {
        self.cancel_requested_at
    }

    /// What came of it, by its kind.
    async fn result(&self) -> Option<JsonValue> {
        self.result.clone().and_then(JsonValue::some)
    }

    /// What was wrong at the last attempt.
    async fn error(&self) -> Option<JobError> {
        self.error_code.clone().map(|code| JobError {
            code,
            message: self.error_message.clone().unwrap_or_default(),
        })
    }

    /// When it was put into the queue.
    async fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    /// When it was begun first.
    async fn started_at(&self) -> Option<DateTime<Utc>> {
        self.started_at
    }

    /// When it ended.
    async fn ended_at(&self) -> Option<DateTime<Utc>> {
        self.ended_at
    }
}

/// How far a job is.
#[derive(SimpleObject)]
struct JobProgress {
    /// How much is done.
    done: BigInt,
    /// Of how much, if that is known.
    total: Option<BigInt>,
    /// What is being done, for people.
    message: String,
}

/// What was wrong with an attempt at a job.
#[derive(SimpleObject)]
struct JobError {
    /// What is wrong, for programs.
    code: String,
    /// What is wrong, for people.
    message: String,
}

/// Reading jobs.
#[derive(Default)]
pub struct JobQuery;

#[connection_args]
#[Object]
impl JobQuery {
    /// A job by its id; null when there is none that you caused, or, for an admin, none in the tenant.
    async fn job(&self, ctx: &Context<'_>, id: JobId) -> Result<Option<Arc<Job>>> {
        ctx.request().load(Some(id.uuid())).await
    }

    /// The jobs that you caused; for an admin all of the tenant. The newest first.
    async fn jobs(
        &self,
        ctx: &Context<'_>,
        #[list(never_archived)] args: ListArgs<JobFilter, JobOrder>,
    ) -> Result<Connection<Job>> {
        Listing::read(ctx, args.query(ctx.request().actor().tenant, USUAL_ORDER)?).await
    }
}
