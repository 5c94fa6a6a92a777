//! Reading a run on: pages are asked for and written, until there are no more, and what is gone there is found.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    links,
    model::SyncMode,
    page::Writing,
    store,
    work::{SyncHandler, Working},
};
use crate::{
    access::Actor,
    base::secret::Secret,
    integrations::{
        accounts::{Nobody, credentials::Shut},
        provider::{ProviderFailure, PullFrom, Pulled, Remote, RemoteState},
    },
    jobs::{Failure, Run},
};

/// Records of a page.
const PAGE: usize = 100;
/// How long a job goes on before others of the tenant have their turn.
const TURN: Duration = Duration::from_secs(30);
/// So many records may be archived without asking, and a quarter of all.
const REMOVED_UNASKED: i64 = 20;

/// How a part of a run ends.
pub(super) enum Ended {
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

impl SyncHandler {
    /// Reads pages and writes them.
    pub(super) async fn read_on(&self, working: &mut Working, run: &Run) -> Result<Ended, Failure> {
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
        actor: Arc<Actor>,
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
}
