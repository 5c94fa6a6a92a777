//! Writing there what changes here: a consumer of the event log for each active account whose service is told.
//!
//! What came from the account itself is not told back, and what the service knows already is not told again. The service is
//! asked before it is noted here that it was, so a crash in between means once more, with the same idempotency key.

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

use super::links::{self, NewLink, Seen};
use crate::{
    access::Actor,
    base::{
        error::{Error, Result},
        ids::{IntegrationId, Typed as _},
    },
    db::list,
    events::{self, FeedError, LoggedEvent},
    integrations::{
        accounts::{Connector, Integration, IntegrationStatus, Synchronizer, credentials::Shut},
        provider::{Kind, Provider, ProviderFailure, Push, Session},
    },
    jobs::{
        Done, Failure, Policy, Run,
        consumers::{self, Consumer},
    },
};

/// How long it waits for a service that is out of order.
const REST: Duration = Duration::from_secs(60);

/// Writes to services what changes here.
pub struct Pushing(Arc<Synchronizer>);

impl Pushing {
    /// With what accounts are kept in step with.
    #[must_use]
    pub fn new(synchronizer: Arc<Synchronizer>) -> Self {
        Self(synchronizer)
    }
}

impl Consumer for Pushing {
    const KIND: &'static str = "integrations.push";
    const POLICY: Policy = Policy {
        per_tenant: Some(4),
        first_pause: Duration::from_secs(5),
        longest_pause: Duration::from_secs(5 * 60),
        time_limit: Duration::from_secs(5 * 60),
        ..Policy::USUAL
    };

    async fn catch_up(&self, instance: Uuid, run: &Run) -> Result<Done, Failure> {
        let looked = run.write(async |tx| {
            let integration: Option<Integration> = list::find(tx, instance).await?;
            Ok((integration, consumers::mark::<Self>(tx, instance).await?))
        });
        let (Some(integration), Some(mark)) = looked.await? else {
            return Ok(Done::quietly());
        };
        if integration.fields.status != IntegrationStatus::Active {
            run.write(async |tx| self.0.leave(tx, &integration, mark.seq).await)
                .await?;
            return Ok(Done::quietly());
        }
        let tenant = run.tenant();
        let events = match events::after(run.db(), tenant, mark.seq, mark.last_seq).await {
            Ok(events) => events,
            Err(FeedError::Failed(error)) => return Err(error.into()),
            Err(FeedError::Lost) => {
                // What happened meanwhile is not told: the next full run shows where both sides differ.
                tracing::warn!(%integration.id, "a service was not told what is not kept any more");
                let skipped = run.write(async |tx| {
                    consumers::advance::<Self>(tx, instance, mark.seq, mark.last_seq).await
                });
                skipped.await?;
                return Ok(Done::quietly());
            }
        };
        let Some(last) = events.last() else {
            return Ok(Done::quietly());
        };
        if let Some(pause) = self.tell(run, &integration, &events).await? {
            return Ok(Done::Again(pause));
        }
        let upto = last.seq;
        run.write(async |tx| consumers::advance::<Self>(tx, instance, mark.seq, upto).await)
            .await?;
        match upto < mark.last_seq {
            true => Ok(Done::Again(Duration::ZERO)),
            false => Ok(Done::quietly()),
        }
    }
}

/// A record that has changed here.
struct Changed {
    kind: Kind,
    record: Uuid,
    version: i32,
}

impl Pushing {
    /// Tells a service what has changed; how long to wait before the same is tried again, if it could not be told now.
    async fn tell(
        &self,
        run: &Run,
        integration: &Integration,
        events: &[Arc<LoggedEvent>],
    ) -> Result<Option<Duration>, Failure> {
        let (synchronizer, connector) = (&self.0, self.0.connector.as_ref());
        let Ok(provider) = connector.provider_of(integration) else {
            return Ok(Some(REST));
        };
        let changed = changed(integration, provider.as_ref(), events);
        if changed.is_empty() {
            return Ok(None);
        }
        let actor = match synchronizer.actor(run.tenant(), integration).await? {
            Ok(actor) => actor,
            Err(nobody) => {
                let code = nobody.code();
                synchronizer
                    .need_reauthorization(run, integration, code)
                    .await?;
                return Ok(Some(REST));
            }
        };
        let mut refused = None;
        let mut left = changed.iter();
        let mut next = left.next();
        while let Some(one) = next {
            let opened = connector.open(run.tenant(), integration, refused.as_ref());
            let told = match run.outside(opened).await {
                Ok(opened) => {
                    let asking = Asking {
                        connector,
                        integration,
                        provider: provider.as_ref(),
                        session: &opened.session,
                        actor: &actor,
                    };
                    (asking.one(run, one).await, Some(opened.used))
                }
                Err(shut) => (Err(shut), None),
            };
            match told {
                (Ok(()), _) => next = left.next(),
                (Err(Shut::Server(error)), _) => return Err(error.into()),
                (Err(Shut::Provider(failure)), used) => match failure {
                    // Once more with other credentials, if there are any.
                    ProviderFailure::Unauthorized if refused.is_none() && used.is_some() => {
                        refused = used;
                    }
                    ProviderFailure::Unauthorized => {
                        let code = failure.code();
                        synchronizer
                            .need_reauthorization(run, integration, code)
                            .await?;
                        return Ok(Some(REST));
                    }
                    ProviderFailure::Limited(pause) => return Ok(Some(pause)),
                    ProviderFailure::Unavailable { .. } => return Ok(Some(REST)),
                    // It never takes this one; others are not kept from it.
                    ProviderFailure::Refused { .. } | ProviderFailure::CursorLost => {
                        let code = failure.code();
                        tracing::info!(code, integration = %integration.id, "a service does not take a record");
                        run.db().metrics().integrations.note_push("refused");
                        next = left.next();
                    }
                },
            }
        }
        Ok(None)
    }
}

/// The records of events that a service is told of, each once.
fn changed(
    integration: &Integration,
    provider: &dyn Provider,
    events: &[Arc<LoggedEvent>],
) -> Vec<Changed> {
    let own = integration.id.to_string();
    let mut changed: Vec<Changed> = Vec::new();
    for event in events.iter().filter(|event| event.actor != own) {
        let kinds = provider.about().kinds.iter();
        for kind in kinds.filter(|kind| kind.is_pushed && kind.record == event.entity) {
            changed.retain(|one| one.record != event.id || one.kind != *kind);
            changed.push(Changed {
                kind: *kind,
                record: event.id,
                version: event.version,
            });
        }
    }
    changed
}

/// What a service is asked with.
struct Asking<'a> {
    connector: &'a Connector,
    integration: &'a Integration,
    provider: &'a dyn Provider,
    session: &'a Session,
    actor: &'a Arc<Actor>,
}

impl Asking<'_> {
    /// Tells it of one record, if it does not know that.
    async fn one(&self, run: &Run, changed: &Changed) -> Result<(), Shut> {
        let (id, kind): (IntegrationId, _) = (self.integration.id, changed.kind.name);
        let bookkeeping = run.read_session();
        let link = bookkeeping
            .run(async |tx| links::of_record(tx, (id, kind), changed.record).await)
            .await?;
        let session = self.connector.db.read_session(Arc::clone(self.actor));
        let outgoing =
            session.run(async |tx| self.provider.outgoing(tx, kind, changed.record).await);
        let Some(fields) = outgoing.await? else {
            return Ok(());
        };
        let metrics = &run.db().metrics().integrations;
        let hash = links::hash(&fields);
        if link.as_ref().is_some_and(|link| link.hash == hash) {
            metrics.note_push("unchanged");
            return Ok(());
        }
        let key = format!(
            "{}-{}-{}",
            id.uuid().simple(),
            changed.record.simple(),
            changed.version
        );
        let push = Push {
            kind,
            fields: &fields,
            external_id: link.as_ref().map(|link| link.external_id.as_str()),
            idempotency_key: &key,
        };
        let pushed = run.outside(self.provider.push(self.session, push)).await?;
        metrics.note_push("written");
        let new = NewLink {
            external_id: pushed.external_id,
            record: changed.record,
            is_created: false,
            hash,
            updated_at: None,
        };
        let noted = run.write(async |tx| {
            links::put(tx, self.integration, kind, vec![new], Seen::Pushed).await
        });
        noted.await.map_err(|failure| match failure.code {
            "LEASE_LOST" => Shut::Server(Error::TakenOver),
            _ => Shut::Server(Error::Unavailable("the database")),
        })
    }
}
