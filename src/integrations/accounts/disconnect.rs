//! Disconnecting an account: at once nothing is kept in step any more, and what links records to it goes, in batches. What
//! came about through it stays, or is archived, from where it can be restored.

use std::sync::Arc;

use async_graphql::Enum;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{Integration, IntegrationStatus, Synchronizer, store};
use crate::{
    base::{
        error::{Error, Result},
        ids::{IntegrationId, Typed as _},
    },
    db::{Tx, journal::EventKind, list},
    entity,
    integrations::{
        provider::{Remote, RemoteChange, RemoteState},
        sync::{self, Linked},
    },
    jobs::{self, Done, Failure, Handler, Job, Run, When},
};

/// What becomes of records that came about through an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize, Deserialize)]
#[graphql(name = "IntegrationCreatedRecords")]
pub enum CreatedRecords {
    /// They stay as they are.
    Keep,
    /// They are archived. Those that were there before, and were found to be the same, stay.
    Archive,
}

/// Disconnects an account, and has what links records to it be taken away.
///
/// # Errors
/// `ALREADY_DISCONNECTED`; `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`.
pub(super) async fn disconnect(
    tx: &mut Tx,
    id: (IntegrationId, Option<i32>),
    created: CreatedRecords,
) -> Result<Integration> {
    let now = tx.now();
    let act = async |tx: &mut Tx, integration: &mut Integration| {
        if integration.fields.status == IntegrationStatus::Disconnected {
            let message = "it is disconnected already";
            return Err(Error::invalid("ALREADY_DISCONNECTED", "id", message));
        }
        let status = IntegrationStatus::Disconnected;
        integration.fields.stand(status, None, now);
        // Another account may be connected in its place.
        integration.fields.external_account = None;
        store::set_credentials(tx, integration.id, None).await?;
        store::note_pushed(tx, integration.id, None).await?;
        sync::forget_streams(tx, integration.id).await
    };
    let integration = entity::change(tx, id, EventKind::Revoked, act).await?;
    let job = Unlink {
        integration: integration.id.uuid(),
        created,
    };
    jobs::enqueue_as_system(tx, &job, When::Now).await?;
    Ok(integration)
}

/// Takes away what links records to an account.
#[derive(Serialize, Deserialize)]
pub struct Unlink {
    integration: Uuid,
    created: CreatedRecords,
}

impl Job for Unlink {
    const KIND: &'static str = "integrations.unlink";

    fn unique_key(&self) -> Option<String> {
        Some(self.integration.to_string())
    }
}

/// Does [`Unlink`].
pub struct DisconnectHandler(Arc<Synchronizer>);

impl DisconnectHandler {
    /// With what accounts are kept in step with.
    #[must_use]
    pub fn new(synchronizer: Arc<Synchronizer>) -> Self {
        Self(synchronizer)
    }

    /// Takes the next links away; how many, and whether their records were archived.
    async fn next(&self, run: &Run, job: &Unlink) -> Result<Vec<Linked>, Failure> {
        let id = IntegrationId::from_uuid(job.integration);
        let read = run.read_session();
        let read = read.run(async |tx| {
            let integration: Option<Integration> = list::find(tx, job.integration).await?;
            Ok((integration, sync::some_links(tx, id).await?))
        });
        let (integration, links) = read.await?;
        // Somebody has connected it again.
        let Some(integration) = integration
            .filter(|integration| integration.fields.status == IntegrationStatus::Disconnected)
        else {
            return Ok(Vec::new());
        };
        if links.is_empty() {
            return Ok(links);
        }
        let actor = self.0.actor(run.tenant(), &integration).await?.ok();
        let provider = self.0.connector.provider_of(&integration).ok();
        let archiving = (job.created == CreatedRecords::Archive)
            .then(|| actor.clone().zip(provider))
            .flatten();
        let unlinked = match archiving {
            Some((actor, provider)) => {
                let mut problem = None;
                for link in links.iter().filter(|link| link.is_created) {
                    let remote = Remote {
                        external_id: link.external_id.clone(),
                        state: RemoteState::Gone,
                        updated_at: None,
                    };
                    let Some(kind) = provider.about().kind(&link.kind) else {
                        continue;
                    };
                    let archived = self.0.connector.db.write(&actor, run.origin(), async |tx| {
                        let change = RemoteChange {
                            kind: kind.name,
                            remote: &remote,
                            record: Some(link.record_id),
                        };
                        provider.apply(tx, change).await
                    });
                    match archived.await {
                        Ok(_) => {}
                        // It is gone already, or out of the sight of who connected it: then it stays.
                        Err(error) if error.is_users() => problem = Some(error),
                        Err(error) => return Err(error.into()),
                    }
                }
                if let Some(error) = problem {
                    tracing::info!(
                        code = error.code(),
                        "some records of an integration were not archived"
                    );
                }
                links
            }
            None => links,
        };
        run.write(async |tx| sync::unlink(tx, id, &unlinked).await)
            .await?;
        Ok(unlinked)
    }
}

impl Handler for DisconnectHandler {
    type Job = Unlink;

    async fn run(&self, job: Unlink, run: &Run) -> Result<Done, Failure> {
        // Whoever disconnected their own account may not write what runs say.
        run.write(async |tx| {
            let found: Option<Integration> = list::find(tx, job.integration).await?;
            let is_over =
                |found: &Integration| found.fields.status == IntegrationStatus::Disconnected;
            match found.filter(is_over) {
                Some(integration) => sync::cancel_running(tx, integration.id).await,
                None => Ok(()),
            }
        })
        .await?;
        let mut done = 0;
        loop {
            let unlinked = self.next(run, &job).await?;
            if unlinked.is_empty() {
                return Ok(Done::With(json!({ "unlinked": done })));
            }
            done += unlinked.len();
            let counted = i64::try_from(done).unwrap_or(i64::MAX);
            run.progress(counted, None, "records are unlinked").await?;
            if run.cancelled().is_cancelled() {
                return Ok(Done::Again(std::time::Duration::ZERO));
            }
        }
    }
}
