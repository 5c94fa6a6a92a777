//! The job that forgets submissions that came to nothing.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::store;
use crate::{
    base::error::Result,
    db::Tx,
    jobs::{self, Done, Failure, Handler, Job, Policy, Run, When, forgetting},
};

/// For how many days they are kept.
const KEPT_DAYS: i64 = 30;

/// Forgets the old submissions of a tenant that came to nothing, day after day while it has any.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForgetSubmissions {}

impl Job for ForgetSubmissions {
    const KIND: &'static str = "lead_forms.forget";
    const POLICY: Policy = forgetting::POLICY;

    fn unique_key(&self) -> Option<String> {
        Some("lead_forms".to_owned())
    }
}

/// Has them be forgotten from tomorrow on, unless that is so already.
pub(super) async fn enqueue(tx: &mut Tx) -> Result<()> {
    jobs::enqueue_as_system(tx, &ForgetSubmissions {}, When::After(forgetting::DAILY)).await?;
    Ok(())
}

/// Does [`ForgetSubmissions`].
pub struct ForgetSubmissionsHandler;

impl Handler for ForgetSubmissionsHandler {
    type Job = ForgetSubmissions;

    async fn run(&self, _: ForgetSubmissions, run: &Run) -> Result<Done, Failure> {
        let forgotten = run.write(async |tx| {
            let before = tx.now() - TimeDelta::days(KEPT_DAYS);
            store::forget(tx, before, forgetting::AT_ONCE).await
        });
        Ok(forgetting::after(forgotten.await?))
    }
}
