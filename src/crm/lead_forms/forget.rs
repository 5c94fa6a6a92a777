//! The job that forgets submissions that came to nothing.

use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::store;
use crate::{
    base::error::Result,
    db::Tx,
    jobs::{self, Done, Failure, Handler, Job, Policy, Run, When},
};

/// For how many days they are kept.
const KEPT_DAYS: i64 = 30;
/// How often it is looked for older ones.
const DAILY: Duration = Duration::from_secs(24 * 60 * 60);
/// How many are forgotten in one transaction.
const AT_ONCE: i64 = 1_000;

/// Forgets the old submissions of a tenant that came to nothing, day after day while it has any.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForgetSubmissions {}

impl Job for ForgetSubmissions {
    const KIND: &'static str = "lead_forms.forget";
    const POLICY: Policy = Policy {
        attempts: u32::MAX,
        ..Policy::USUAL
    };

    fn unique_key(&self) -> Option<String> {
        Some("lead_forms".to_owned())
    }
}

/// Has them be forgotten from tomorrow on, unless that is so already.
pub(super) async fn enqueue(tx: &mut Tx) -> Result<()> {
    jobs::enqueue_as_system(tx, &ForgetSubmissions {}, When::After(DAILY)).await?;
    Ok(())
}

/// Does [`ForgetSubmissions`].
pub struct ForgetSubmissionsHandler;

impl Handler for ForgetSubmissionsHandler {
    type Job = ForgetSubmissions;

    async fn run(&self, _: ForgetSubmissions, run: &Run) -> Result<Done, Failure> {
        let forgotten = run.write(async |tx| {
            let before = tx.now() - TimeDelta::days(KEPT_DAYS);
            store::forget(tx, before, AT_ONCE).await
        });
        Ok(match forgotten.await? {
            (forgotten, _) if forgotten >= AT_ONCE as u64 => Done::Again(Duration::from_secs(1)),
            (_, true) => Done::Again(DAILY),
            (_, false) => Done::quietly(),
        })
    }
}
