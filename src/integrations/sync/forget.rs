//! The job that forgets runs that are long over.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::store;
use crate::{
    base::error::Result,
    db::Tx,
    jobs::{self, Done, Failure, Handler, Job, Policy, Run, When, forgetting},
};

/// For how many days they are kept.
const KEPT_DAYS: i64 = 90;

/// Forgets the old runs of a tenant, day after day while it has any.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForgetRuns {}

impl Job for ForgetRuns {
    const KIND: &'static str = "integrations.forget";
    const POLICY: Policy = forgetting::POLICY;

    fn unique_key(&self) -> Option<String> {
        Some("integrations".to_owned())
    }
}

/// Has them be forgotten from tomorrow on, unless that is so already.
pub(super) async fn enqueue(tx: &mut Tx) -> Result<()> {
    jobs::enqueue_as_system(tx, &ForgetRuns {}, When::After(forgetting::DAILY)).await?;
    Ok(())
}

/// Does [`ForgetRuns`].
pub struct ForgetRunsHandler;

impl Handler for ForgetRunsHandler {
    type Job = ForgetRuns;

    async fn run(&self, _: ForgetRuns, run: &Run) -> Result<Done, Failure> {
        let forgotten = run.write(async |tx| {
            let before = tx.now() - TimeDelta::days(KEPT_DAYS);
            store::forget(tx, before, forgetting::AT_ONCE).await
        });
        Ok(forgetting::after(forgotten.await?))
    }
}
