//! Jobs in the schema: what can be done about them.

use std::sync::Arc;

use async_graphql::{Context, InputObject, Object, SimpleObject};

use super::Job;
use crate::{
    base::ids::{JobId, Typed as _},
    graphql::{ContextExt as _, UserError, answer},
};

/// Names a job.
#[derive(Debug, InputObject)]
struct JobRefInput {
    /// Which job.
    id: JobId,
}

/// What became of a job.
#[derive(SimpleObject)]
struct JobPayload {
    /// The job as it is now; null when nothing was done.
    job: Option<Arc<Job>>,
    /// What has to be mended; empty when it was done.
    user_errors: Vec<UserError>,
}

/// What can be done about jobs that you caused; for an admin, about all of the tenant.
#[derive(Default)]
pub struct JobMutation;

#[Object]
impl JobMutation {
    /// Ends a job: one that waits at once, one that runs as soon as it can be interrupted. What it has done by then stays.
    async fn job_cancel(
        &self,
        ctx: &Context<'_>,
        input: JobRefInput,
    ) -> async_graphql::Result<JobPayload> {
        let outcome = ctx.request();
        let outcome = outcome.write(async |tx| super::cancel(tx, input.id).await);
        let (job, user_errors) = answer(ctx, input.id.uuid(), outcome.await).await?;
        Ok(JobPayload { job, user_errors })
    }

    /// Has a job that failed or was cancelled be tried again, from the begin, with the rights that its author has then.
    async fn job_retry(
        &self,
        ctx: &Context<'_>,
        input: JobRefInput,
    ) -> async_graphql::Result<JobPayload> {
        let outcome = ctx.request();
        let outcome = outcome.write(async |tx| super::retry(tx, input.id).await);
        let (job, user_errors) = answer(ctx, input.id.uuid(), outcome.await).await?;
        Ok(JobPayload { job, user_errors })
    }
}
