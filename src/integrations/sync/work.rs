//! The job of a stream: read pages and write them, until there are no more, and then wait for its turn.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    forget, links,
    model::{SyncMode, SyncTrigger},
    page::Writing,
    store::{self, Going},
};
use crate::{
    base::{
        ids::{IntegrationId, Typed as _},
        secret::Secret,
    },
    db::list,
    integrations::{
        accounts::{Integration, IntegrationStatus, Nobody, Synchronizer, credentials::Shut},
        provider::{Provider, ProviderFailure, PullFrom, Pulled, Remote, RemoteState},
    },
    jobs::{Done, Failure, Handler, Job, Policy, Run},
};

/// Records of a page.
const PAGE: usize = 100;
/// How long a job goes on before others of the tenant have their turn.
const TURN: Duration = Duration::from_secs(30);
/// How long it is waited after a failure, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(60 * 60));
/// So many records may be archived without asking, and a quarter of all.
const REMOVED_UNASKED: i64 = 20;

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
pub struct SyncHandler(Arc<Synchronizer>);

impl SyncHandler {
    /// With what accounts are kept in step with.
    #[must_use]
    pub fn new(synchronizer: Arc<Synchronizer>) -> Self {
        Self(synchronizer)
    }
}

/// A run that this attempt has.
struct Working {
    integration: Integration,
    kind: &'static str,
    provider: Arc<dyn Provider>,
    fence: i64,
    cursor: Option<String>,
    failures: i32,
    going: Going,
}

/// How a part of a run ends.
enum Ended {
    /// All is read.
    Well,
    /// Others have their turn.
    TurnOver,
    /// The service or its budget wants a pause.
    Paused(Duration),
    /// It can't go on.
    Failed(ProviderFailure),
    /// Nobody answers for the account.
    Unanswered(Nobody),
    /// Too many records are gone there.
    TooManyRemovals(i64),
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

    /// Reads pages and writes them.
    async fn read_on(&self, working: &mut Working, run: &Run) -> Result<Ended, Failure> {
        let began = Instant::now();
        let tenant = run.tenant();
        let actor = match self.0.actor(tenant, &working.integration).await? {
            Ok(actor) => actor,
            Err(nobody) => return Ok(Ended::Unanswered(nobody)),
        };
        let mut refused: Option<Secret<String>> = None;
        let mut is_anew = false;
        loop {
            let opened = run.outside(self.0.connector.open(
                tenant,
                &working.integration,
                refused.as_ref(),
            ));
            let opened = match opened.await {
                Ok(opened) => opened,
                Err(Shut::Provider(ProviderFailure::Limited(pause))) => {
                    return Ok(Ended::Paused(pause));
                }
                Err(Shut::Provider(failure)) => return Ok(Ended::Failed(failure)),
                Err(Shut::Server(error)) => return Err(error.into()),
            };
            let from = PullFrom {
                kind: working.kind,
                cursor: working.cursor.as_deref(),
                most: PAGE,
            };
            let pulled = match run
                .outside(working.provider.pull(&opened.session, from))
                .await
            {
                Ok(pulled) => pulled,
                // Once more with other credentials, if there are any.
                Err(ProviderFailure::Unauthorized) if refused.is_none() => {
                    refused = Some(opened.used);
                    continue;
                }
                Err(ProviderFailure::Limited(pause)) => return Ok(Ended::Paused(pause)),
                Err(ProviderFailure::CursorLost) if !is_anew => {
                    is_anew = true;
                    let (id, kind) = (working.integration.id, working.kind);
                    let going = working.going.sync_run_id;
                    run.write(async |tx| store::begin_anew(tx, (id, kind), going).await)
                        .await?;
                    (working.cursor, working.going.mode) = (None, SyncMode::Full);
                    continue;
                }
                Err(failure) => return Ok(Ended::Failed(failure)),
            };
            if let Err(failure) = check(&pulled, working.cursor.as_deref()) {
                return Ok(Ended::Failed(failure));
            }
            let writing = Writing {
                db: &self.0.connector.db,
                origin: run.origin(),
                provider: working.provider.as_ref(),
                actor: Arc::clone(&actor),
                integration: &working.integration,
                kind: working.kind,
                fence: working.fence,
                going: &working.going,
            };
            let counts = writing.write(&pulled.records, Some(&pulled.cursor)).await?;
            working.going.read_count += counts.read;
            working.cursor = Some(pulled.cursor);
            let message = format!("{} are brought in step", working.kind);
            run.progress(working.going.read_count, None, &message)
                .await?;
            if !pulled.has_more {
                break;
            }
            if began.elapsed() > TURN || run.cancelled().is_cancelled() {
                return Ok(Ended::TurnOver);
            }
        }
        match working.going.mode {
            SyncMode::Full => self.remove_unseen(working, actor, run).await,
            SyncMode::Incremental => Ok(Ended::Well),
        }
    }

    /// Archives what is linked and was not seen in a run that has read all.
    async fn remove_unseen(
        &self,
        working: &Working,
        actor: Arc<crate::access::Actor>,
        run: &Run,
    ) -> Result<Ended, Failure> {
        let stream = (working.integration.id, working.kind);
        let going = working.going.sync_run_id;
        let session = run.read_session();
        let counted = session.run(async |tx| links::count_unseen(tx, stream, going).await);
        let (unseen, all) = counted.await?;
        if unseen > REMOVED_UNASKED && unseen * 4 > all && !working.going.may_remove {
            return Ok(Ended::TooManyRemovals(unseen));
        }
        let writing = Writing {
            db: &self.0.connector.db,
            origin: run.origin(),
            provider: working.provider.as_ref(),
            actor,
            integration: &working.integration,
            kind: working.kind,
            fence: working.fence,
            going: &working.going,
        };
        let most = i64::try_from(PAGE).unwrap_or(i64::MAX);
        let mut after = String::new();
        loop {
            let session = run.read_session();
            let next = (after.as_str(), most);
            let found = session.run(async |tx| links::unseen(tx, stream, going, next).await);
            let found = found.await?;
            let Some(last) = found.last() else {
                return Ok(Ended::Well);
            };
            let gone = found.iter().map(|link| Remote {
                external_id: link.external_id.clone(),
                state: RemoteState::Gone,
                updated_at: None,
            });
            // Those that can't be archived are noted, and found again by the next run that reads all.
            writing.write(&gone.collect::<Vec<_>>(), None).await?;
            after.clone_from(&last.external_id);
        }
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

/// What a page may be. A service is as little to be trusted as anybody.
fn check(pulled: &Pulled, before: Option<&str>) -> Result<(), ProviderFailure> {
    if pulled.cursor.len() > 4_096 || pulled.cursor.contains('\0') {
        return Err(ProviderFailure::unreadable("its cursor is too long"));
    }
    if pulled.records.len() > PAGE * 10 {
        return Err(ProviderFailure::unreadable("its page is too long"));
    }
    if pulled.has_more && before == Some(&pulled.cursor) {
        return Err(ProviderFailure::unreadable("its pages never end"));
    }
    let is_id = |id: &str| (1..=200).contains(&id.len()) && !id.contains('\0');
    let mut ids: Vec<_> = pulled.records.iter().map(|one| &one.external_id).collect();
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    if ids.len() < all || !ids.iter().all(|id| is_id(id)) {
        return Err(ProviderFailure::unreadable(
            "an id in it is none, or there twice",
        ));
    }
    Ok(())
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

    fn pulled(ids: &[&str], cursor: &str, has_more: bool) -> Pulled {
        let record = |id: &&str| Remote {
            external_id: (*id).to_owned(),
            state: RemoteState::Gone,
            updated_at: None,
        };
        Pulled {
            records: ids.iter().map(record).collect(),
            cursor: cursor.to_owned(),
            has_more,
        }
    }

    #[test]
    fn pages_that_would_never_end_or_name_a_record_twice_are_none() {
        let is_page = |page: &Pulled, before| check(page, before).is_ok();
        assert!(is_page(&pulled(&["1", "2"], "b", true), Some("a")));
        assert!(is_page(&pulled(&[], "a", false), Some("a")));
        assert!(!is_page(&pulled(&["1"], "a", true), Some("a")));
        assert!(!is_page(&pulled(&["1", "1"], "b", false), None));
        assert!(!is_page(&pulled(&[""], "b", false), None));
        assert!(!is_page(&pulled(&[&"x".repeat(201)], "b", false), None));
        assert!(!is_page(&pulled(&[], &"x".repeat(4_097), false), None));
    }

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
