//! Jobs, as people know them: what the server does for them after a request is answered. Everybody sees the jobs that
//! they caused, an admin all of the tenant's.

pub mod command;
mod filter;
mod graphql;
mod model;
mod mutation;
mod subscription;

pub use filter::JobFilter;
pub use graphql::JobQuery;
pub use model::{Job, JobOrderField, JobStatus};
pub use mutation::JobMutation;
pub use subscription::JobSubscription;

use crate::{
    base::{
        error::{Error, Result},
        ids::{JobId, Typed as _},
    },
    db::{Tx, journal::Entry, list},
    jobs,
};

/// Has a job be ended.
///
/// # Errors
/// `NOT_FOUND` when there is none in the actor's sight that has not ended.
pub async fn cancel(tx: &mut Tx, id: JobId) -> Result<Job> {
    jobs::cancel(tx, id).await?;
    changed(tx, id, "job.cancelled").await
}

/// Has a job that failed or was cancelled be tried again.
///
/// # Errors
/// `NOT_FOUND` when there is none in the actor's sight that did; `TAKEN` when another one has its place by now.
pub async fn retry(tx: &mut Tx, id: JobId) -> Result<Job> {
    jobs::retry(tx, id).await?;
    changed(tx, id, "job.retried").await
}

async fn changed(tx: &mut Tx, id: JobId, action: &str) -> Result<Job> {
    let Some(job) = list::find::<Job>(tx, id.uuid()).await? else {
        return Err(Error::NotFound {
            kind: "job",
            field: "id",
        });
    };
    let entry = Entry::new(tx.author(), action).about("job", id.uuid());
    tx.note(entry.noting("subject", job.kind.clone()));
    Ok(job)
}
