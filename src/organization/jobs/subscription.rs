//! Watching a job.

use std::sync::Arc;

use async_graphql::{Context, Subscription};

use super::Job;
use crate::{
    base::{
        error::{Error, Result},
        ids::{JobId, Typed as _},
    },
    graphql::{
        ContextExt as _,
        subscription::{self, ResolverStream},
    },
};

/// Watching jobs.
#[derive(Default)]
pub struct JobSubscription;

#[Subscription]
impl JobSubscription {
    /// How far a job is that you caused, or, for an admin, one of the tenant: now, and anew whenever that changes, once a
    /// second at the most. It completes when the job has ended.
    async fn job_progress(&self, ctx: &Context<'_>, id: JobId) -> Result<ResolverStream<Arc<Job>>> {
        let find = async || {
            let found = ctx.request().load::<Job>(Some(id.uuid())).await?;
            found.ok_or(Error::NotFound {
                kind: "job",
                field: "id",
            })
        };
        subscription::row(ctx, find, |job: &Job| job.ended_at.is_some()).await
    }
}
