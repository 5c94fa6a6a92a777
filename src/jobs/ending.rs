//! How a job ends, or goes back into the queue: noted for as long as it is the worker's.

use std::time::Duration;

use serde_json::Value as Json;
use uuid::Uuid;

use super::{Claim, Done, Failure, Policy, claim::by};
use crate::{
    base::{
        error::Result,
        ids::{TenantId, Typed as _},
    },
    db::{Db, Sql, Tx},
};

/// The longest message that is kept of a failure, in bytes.
const MESSAGE_BYTES: usize = 1_000;

/// What becomes of a job that was taken.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    pub(super) tenant: TenantId,
    pub(super) job: Uuid,
    pub(super) fence: i64,
    pub(super) outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    Succeeded(Json),
    /// It went well, and nobody is shown that it did.
    Forgotten,
    /// To be tried again after so long.
    Retried(Duration, &'static str, String),
    /// To go on after so long; the attempt does not count.
    Postponed(Duration),
    Failed(&'static str, String),
    Cancelled,
}

impl Outcome {
    /// What an attempt comes to; nothing when it has ended the job by itself.
    pub(super) fn of(
        attempt: Result<Done, Failure>,
        claim: &Claim,
        policy: Policy,
        chance: f64,
    ) -> Option<Self> {
        let failure = match attempt {
            Ok(Done::With(_)) if !policy.is_kept => return Some(Self::Forgotten),
            Ok(Done::With(result)) => return Some(Self::Succeeded(result)),
            Ok(Done::Finished) => return None,
            Ok(Done::Again(pause)) => return Some(Self::Postponed(pause)),
            Err(failure) => failure,
        };
        let attempts = claim.attempts.unsigned_abs();
        if failure.is_lasting || attempts >= policy.attempts {
            return Some(Self::Failed(failure.code, failure.message));
        }
        let pause = policy.pause(attempts, chance);
        let pause = failure.retry_after.map_or(pause, |after| after.max(pause));
        Some(Self::Retried(pause, failure.code, failure.message))
    }

    /// For metrics and log lines.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Succeeded(_) | Self::Forgotten => "succeeded",
            Self::Retried(..) => "retried",
            Self::Postponed(_) => "postponed",
            Self::Failed(..) => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    fn status(&self) -> &'static str {
        match self {
            Self::Succeeded(_) | Self::Forgotten => "SUCCEEDED",
            Self::Retried(..) | Self::Postponed(_) => "QUEUED",
            Self::Failed(..) => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    fn pause(&self) -> Option<Duration> {
        match self {
            Self::Retried(pause, ..) | Self::Postponed(pause) => Some(*pause),
            _ => None,
        }
    }

    fn error(&self) -> (Option<&'static str>, Option<String>) {
        match self {
            Self::Retried(_, code, message) | Self::Failed(code, message) => {
                let message = &message[..message.floor_char_boundary(MESSAGE_BYTES)];
                (Some(code), Some(message.to_owned()))
            }
            _ => (None, None),
        }
    }

    fn result(&self) -> Option<Json> {
        match self {
            Self::Succeeded(result) if !result.is_null() => Some(result.clone()),
            _ => None,
        }
    }
}

impl Ending {
    pub(super) fn of(claim: &Claim, outcome: Outcome) -> Self {
        Self {
            tenant: claim.tenant_id,
            job: claim.job_id.uuid(),
            fence: claim.fence,
            outcome,
        }
    }
}

/// Notes endings of one tenant. `frees` says that other jobs may have waited for these to end.
///
/// # Errors
/// The database.
pub(super) async fn note(
    db: &Db,
    tenant: TenantId,
    endings: &[Ending],
    frees: bool,
) -> Result<usize> {
    let (worker, origin) = by(tenant);
    let noted = db.write(&worker, &origin, async |tx| {
        note_in(tx, endings, frees).await
    });
    noted.await
}

/// The same in a unit of work. Those of jobs that are another worker's by now are nobody's; tells how many it noted. A job
/// that went well and was put into the queue once more meanwhile goes back there.
///
/// # Errors
/// The database.
pub(super) async fn note_in(tx: &mut Tx, endings: &[Ending], frees: bool) -> Result<usize> {
    fn each<T>(endings: &[Ending], of: impl Fn(&Outcome) -> T) -> Vec<T> {
        endings.iter().map(|ending| of(&ending.outcome)).collect()
    }
    let jobs: Vec<_> = endings.iter().map(|ending| ending.job).collect();
    let fences: Vec<_> = endings.iter().map(|ending| ending.fence).collect();
    let pause_s = |outcome: &Outcome| outcome.pause().map(|pause| pause.as_secs_f64());
    let refund = |outcome: &Outcome| i32::from(matches!(outcome, Outcome::Postponed(_)));
    // Those that went well so far, and can be done once more at once.
    let goes_on = |outcome: &Outcome| {
        matches!(
            outcome,
            Outcome::Succeeded(_) | Outcome::Forgotten | Outcome::Postponed(_)
        )
    };
    let forgotten = |outcome: &Outcome| matches!(outcome, Outcome::Forgotten);
    let sql = Sql::new(
        "UPDATE jobs j SET \
         status = CASE WHEN e.pause_s IS NOT NULL AND j.cancel_requested_at IS NOT NULL THEN 'CANCELLED' \
         WHEN e.goes_on AND j.again AND j.cancel_requested_at IS NULL THEN 'QUEUED' ELSE e.status END, \
         due_at = CASE WHEN j.cancel_requested_at IS NOT NULL THEN NULL WHEN e.goes_on AND j.again THEN now() \
         ELSE now() + make_interval(secs => e.pause_s) END, \
         ended_at = CASE WHEN j.cancel_requested_at IS NULL AND (e.pause_s IS NOT NULL OR e.goes_on AND j.again) THEN NULL \
         ELSE now() END, \
         attempts = CASE WHEN e.goes_on AND j.again THEN 0 ELSE j.attempts - e.refund END, again = false, \
         result = e.result, error_code = e.error_code, error_message = e.error_message \
         FROM unnest(",
    )
    .bind(jobs)
    .push("::uuid[], ")
    .bind(fences)
    .push("::bigint[], ")
    .bind(each(endings, |outcome| outcome.status().to_owned()))
    .push("::text[], ")
    .bind(each(endings, pause_s))
    .push("::float8[], ")
    .bind(each(endings, refund))
    .push("::integer[], ")
    .bind(each(endings, goes_on))
    .push("::boolean[], ")
    .bind(each(endings, Outcome::result))
    .push("::jsonb[], ")
    .bind(each(endings, |outcome| outcome.error().0.map(str::to_owned)))
    .push("::text[], ")
    .bind(each(endings, |outcome| outcome.error().1))
    .push(
        "::text[]) AS e(job_id, fence, status, pause_s, refund, goes_on, result, error_code, error_message) \
         WHERE j.tenant_id = ",
    )
    .bind(tx.tenant())
    .push(
        " AND j.job_id = e.job_id AND j.fence = e.fence AND j.status = 'RUNNING' \
         RETURNING coalesce(j.due_at <= now(), false)",
    );
    let noted: Vec<bool> = tx.column(sql).await?;
    if each(endings, forgotten).contains(&true) {
        let of = |ending: &&Ending| forgotten(&ending.outcome);
        let jobs: Vec<_> = endings.iter().filter(of).map(|ending| ending.job).collect();
        let sql = Sql::new("DELETE FROM jobs WHERE status = 'SUCCEEDED' AND tenant_id = ");
        let sql = sql.bind(tx.tenant()).push(" AND job_id").one_of(&jobs);
        tx.execute(sql).await?;
    }
    let pauses = endings.iter().filter_map(|ending| ending.outcome.pause());
    let pause = match frees || noted.contains(&true) {
        true => Some(Duration::ZERO),
        false => pauses.min(),
    };
    if let Some(pause) = pause {
        tx.has_enqueued(None, pause);
    }
    Ok(noted.len())
}
