//! The job of a stream: a run is begun or goes on, is read on ([`super::reading`]), and how it ends is noted with its next
//! turn.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    forget,
    model::{SyncMode, SyncTrigger},
    reading::Ended,
    store::{self, Going},
};
use crate::{
    base::ids::{IntegrationId, Typed as _},
    db::list,
    integrations::{
        accounts::{Integration, IntegrationStatus, Synchronizer},
        provider::{Provider, ProviderFailure},
    },
    jobs::{Done, Failure, Handler, Job, Policy, Run},
};

/// How long it is waited after a failure, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(60 * 60));

/// Keeps a kind of an account's records in step.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sync {
    integration: Uuid,
    kind: String,
}

impl Sync {
    pub(super) fn of(integration: Uuid, kind: &str) -> Self {
        Self {
            integration,
            kind: kind.to_owned(),
        }
    }
}

impl Job for Sync {
    const KIND: &'static str = "integrations.sync";
    const POLICY: Policy = Policy {
        // What can't be done now is done later: how an account fails is its own record's business.
        attempts: i32::MAX.unsigned_abs(),
        first_pause: Duration::from_secs(5),
        longest_pause: Duration::from_secs(5 * 60),
        time_limit: Duration::from_secs(5 * 60),
        per_tenant: Some(4),
        is_kept: false,
    };

    fn unique_key(&self) -> Option<String> {
        Some(format!("{}:{}", self.integration, self.kind))
    }
}

/// Does [`Sync`].
pub struct SyncHandler(pub(super) Arc<Synchronizer>);

impl SyncHandler {
    /// With what accounts are kept in step with.
    #[must_use]
    pub fn new(synchronizer: Arc<Synchronizer>) -> Self {
        Self(synchronizer)
    }
}

/// A run that this attempt has.
pub(super) struct Working {
    pub(super) integration: Integration,
    pub(super) kind: &'static str,
    pub(super) provider: Arc<dyn Provider>,
    pub(super) fence: i64,
    pub(super) cursor: Option<String>,
    failures: i32,
    pub(super) going: Going,
}

impl Handler for SyncHandler {
    type Job = Sync;

    async fn run(&self, job: Sync, run: &Run) -> Result<Done, Failure> {
        let Some(mut working) = self.begin(&job, run).await? else {
            return Ok(Done::quietly());
        };
        match self.read_on(&mut working, run).await {
            Ok(ended) => self.end(&working, ended, run).await,
            Err(failure) if failure.code == "LEASE_LOST" => Err(failure),
            // Whatever it is, the account says so.
            Err(failure) => {
                let error = (failure.code, failure.message.as_str());
                let next = Some(pause(working.failures));
                self.fail(&working, error, next, run).await
            }
        }
    }
}

impl SyncHandler {
    /// Takes the stream, and begins a run unless one goes on. Nothing when the account is not active.
    async fn begin(&self, job: &Sync, run: &Run) -> Result<Option<Working>, Failure> {
        let id = IntegrationId::from_uuid(job.integration);
        let begun = run.write(async |tx| {
            let found: Option<Integration> = list::find(tx, job.integration).await?;
            let active = |found: &Integration| found.fields.status == IntegrationStatus::Active;
            let Some(integration) = found.filter(active) else {
                return Ok(None);
            };
            let Some(taken) = store::take(tx, (id, &job.kind)).await? else {
                return Ok(None);
            };
            let going = match taken.sync_run_id {
                Some(run) => store::going(tx, run).await?,
                None => None,
            };
            let going = match going {
                Some(going) => going,
                None => {
                    let mode = match (taken.next_mode, &taken.cursor) {
                        (Some(mode), Some(_)) => mode,
                        (_, None) => SyncMode::Full,
                        (None, Some(_)) => SyncMode::Incremental,
                    };
                    let trigger = taken.next_trigger.unwrap_or(match taken.failures {
                        0 => SyncTrigger::Schedule,
                        _ => SyncTrigger::Retry,
                    });
                    forget::enqueue(tx).await?;
                    store::begin(tx, &integration, &job.kind, &taken, (mode, trigger)).await?
                }
            };
            self.0.follow(tx, &integration).await?;
            Ok(Some((integration, taken, going)))
        });
        let Some((integration, taken, going)) = begun.await? else {
            return Ok(None);
        };
        let provider = self.0.connector.provider_of(&integration).cloned();
        let known = provider.and_then(|provider| {
            let kind = provider.about().kind(&job.kind).map(|kind| kind.name);
            let missing = || ProviderFailure::Refused {
                code: "KIND_UNKNOWN",
                message: "the service does not have these records any more".to_owned(),
            };
            kind.ok_or_else(missing).map(|kind| (kind, provider))
        });
        let (kind, provider) = match known {
            Ok(known) => known,
            Err(failure) => {
                let error = (failure.code(), failure.message());
                let pause = Some(PAUSES.1);
                run.write(async |tx| {
                    let stream = (id, job.kind.as_str());
                    let error = (error.0, error.1.as_str());
                    store::fail(tx, stream, going.sync_run_id, error, pause).await
                })
                .await?;
                return Err(Failure::passing(failure.code(), failure.message()).after(PAUSES.1));
            }
        };
        let full = going.mode == SyncMode::Full && going.read_count == 0;
        Ok(Some(Working {
            cursor: taken.cursor.filter(|_| !full),
            fence: taken.fence,
            failures: taken.failures,
            integration,
            kind,
            provider,
            going,
        }))
    }

    /// Notes how a run ended, and when the stream is looked at next.
    async fn end(&self, working: &Working, ended: Ended, run: &Run) -> Result<Done, Failure> {
        let stream = (working.integration.id, working.kind);
        let id = working.going.sync_run_id;
        let metrics = &run.db().metrics().integrations;
        match ended {
            Ended::Well => {
                let next = working.turn();
                let is_asked = run.write(async |tx| {
                    store::hold(tx, stream, working.fence).await?;
                    store::succeed(tx, stream, &working.going, next).await
                });
                let is_asked = is_asked.await?;
                metrics.note_run("succeeded");
                Ok(Done::Again(if is_asked { Duration::ZERO } else { next }))
            }
            Ended::TurnOver => Ok(Done::Again(Duration::ZERO)),
            Ended::Paused(pause) => {
                let noted = run.write(async |tx| {
                    store::hold(tx, stream, working.fence).await?;
                    store::note_pause(tx, stream, id, pause).await
                });
                noted.await?;
                metrics.note_run("paused");
                Ok(Done::Again(pause))
            }
            Ended::Failed(ProviderFailure::Unauthorized) => {
                let failure = ProviderFailure::Unauthorized;
                let (code, message) = (failure.code(), failure.message());
                self.stop(working, (code, &message), run).await
            }
            Ended::Unanswered(nobody) => {
                self.stop(working, (nobody.code(), nobody.message()), run)
                    .await
            }
            Ended::Failed(failure) => {
                let message = failure.message();
                let error = (failure.code(), message.as_str());
                self.fail(working, error, Some(pause(working.failures)), run)
                    .await
            }
            Ended::TooManyRemovals(count) => {
                let message = format!(
                    "{count} records are gone at the service, more than a quarter of all: nothing was archived; look there, \
                     and bring all in step with allowRemovals if that is right"
                );
                let error = ("TOO_MANY_REMOVALS", message.as_str());
                self.fail(working, error, Some(working.turn()), run).await
            }
        }
    }

    /// Ends a run that did not come to its end, to be tried again after so long.
    async fn fail(
        &self,
        working: &Working,
        error: (&str, &str),
        next: Option<Duration>,
        run: &Run,
    ) -> Result<Done, Failure> {
        let stream = (working.integration.id, working.kind);
        let noted = run.write(async |tx| {
            store::hold(tx, stream, working.fence).await?;
            store::fail(tx, stream, working.going.sync_run_id, error, next).await
        });
        noted.await?;
        run.db().metrics().integrations.note_run("failed");
        Ok(next.map_or_else(Done::quietly, Done::Again))
    }

    /// The same, until somebody authorises the account again.
    async fn stop(
        &self,
        working: &Working,
        (code, message): (&'static str, &str),
        run: &Run,
    ) -> Result<Done, Failure> {
        let done = self.fail(working, (code, message), None, run).await?;
        self.0
            .need_reauthorization(run, &working.integration, code)
            .await?;
        Ok(done)
    }
}

impl Working {
    /// How long it is from one time that the account is looked at to the next.
    fn turn(&self) -> Duration {
        let minutes = self.integration.fields.sync_every_minutes.unsigned_abs();
        Duration::from_secs(u64::from(minutes) * 60)
    }
}

/// How long after so many failures in a row it is tried again.
fn pause(failures: i32) -> Duration {
    let doubled = 2f64.powi(failures.clamp(0, 20));
    let pause = PAUSES.0.as_secs_f64() * doubled;
    let pause = pause.min(PAUSES.1.as_secs_f64());
    Duration::from_secs_f64(pause * (0.75 + fastrand::f64() / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let within = |failures, least: u64, most: u64| {
            let pause = pause(failures).as_secs();
            assert!((least..=most).contains(&pause), "{failures}: {pause}");
        };
        within(0, 22, 38);
        within(1, 45, 75);
        within(30, 2_700, 4_500);
    }
}
