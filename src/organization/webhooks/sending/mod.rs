//! The consumer of the event log that sends it to endpoints. Each endpoint has one job at a time, which
//! 1. works out what follows from the events after the endpoint's mark ([`expand`]): the bodies are written with the mark
//!    in one transaction;
//! 2. sends what is due ([`exchange`]), noting each attempt before and after ([`ledger`]).
//!
//! Nothing is worked out while enough waits to be sent: the event log itself is the queue, and keeps what an endpoint that
//! is away has not been sent. An endpoint that can't be reached is left alone for a while, and then asked with one delivery
//! before it gets the others.

mod body;
mod exchange;
mod expand;
mod ledger;
mod notice;
mod schedule;

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use uuid::Uuid;

use super::{RendererHandle, WebhookEndpoint};
use crate::{
    access::{Actor, Subject},
    base::ids::{Typed as _, WebhookEndpointId},
    db::list,
    jobs::{
        Authority, Done, Failure, Policy, Run,
        consumers::{self, Consumer},
    },
    platform::{Vault, mail::Mailer, outbound::Outbound},
};
use ledger::Health;

/// Deliveries that wait to be sent before it is worked out what else is to be.
const ENOUGH: i64 = 500;
/// How long a job waits for what it can't read yet.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a job goes on before others of the tenant have their turn.
const TURN: Duration = Duration::from_secs(20);

/// Sends what happens to the endpoints of tenants.
pub struct Webhooks {
    renderer: RendererHandle,
    outbound: Outbound,
    vault: Arc<Vault>,
    authority: Arc<dyn Authority>,
    mailer: Mailer,
    app_url: String,
}

/// What webhooks are sent with.
#[expect(missing_docs, reason = "the names and types say it")]
pub struct WebhookParts {
    pub renderer: RendererHandle,
    pub outbound: Outbound,
    pub vault: Arc<Vault>,
    pub authority: Arc<dyn Authority>,
    pub mailer: Mailer,
    /// Where people find the frontend.
    pub app_url: String,
}

impl Webhooks {
    /// A consumer that renders, sends, signs, judges and tells people by these.
    #[must_use]
    pub fn new(parts: WebhookParts) -> Self {
        let WebhookParts {
            renderer,
            outbound,
            vault,
            authority,
            mailer,
            app_url,
        } = parts;
        Self {
            renderer,
            outbound,
            vault,
            authority,
            mailer,
            app_url,
        }
    }

    /// Whoever answers for an endpoint, with their rights now.
    async fn actor(
        &self,
        run: &Run,
        endpoint: &WebhookEndpoint,
    ) -> Result<Option<Arc<Actor>>, Failure> {
        match Subject::of(&endpoint.fields.runs_as) {
            Some(subject) => Ok(self.authority.actor(run.tenant(), subject).await?),
            None => Ok(None),
        }
    }
}

impl Consumer for Webhooks {
    const KIND: &'static str = "webhooks.send";
    const POLICY: Policy = Policy {
        // One that waits for a slow receiver takes nobody's place, so these bound what a tenant has others wait with.
        per_tenant: Some(8),
        first_pause: Duration::from_secs(2),
        longest_pause: Duration::from_secs(60),
        time_limit: Duration::from_secs(120),
        ..Policy::USUAL
    };

    async fn catch_up(&self, instance: Uuid, run: &Run) -> Result<Done, Failure> {
        let id = WebhookEndpointId::from_uuid(instance);
        let began = Instant::now();
        loop {
            let looked = run.write(async |tx| {
                Ok(Looked {
                    endpoint: list::find::<WebhookEndpoint>(tx, instance).await?,
                    mark: consumers::mark::<Self>(tx, instance).await?,
                    health: ledger::health(tx, id).await?,
                    pending: ledger::pending(tx, id, ENOUGH).await?,
                })
            });
            let looked = looked.await?;
            // It is deleted or disabled: nothing is to be sent any more.
            let (Some(endpoint), Some(mark)) = (looked.endpoint, looked.mark) else {
                return Ok(Done::quietly());
            };
            let metrics = &run.db().metrics().webhooks;
            metrics.note_behind(mark.last_seq - mark.seq);
            let mut is_done = true;
            if mark.seq < mark.last_seq && looked.pending < ENOUGH {
                match self.expand(run, &endpoint, mark).await? {
                    // The log is known to go on, and this server can't read it yet.
                    Some(upto) if upto == mark.seq => return Ok(Done::Again(PAUSE)),
                    Some(upto) => is_done = upto >= mark.last_seq,
                    None => return Ok(Done::quietly()),
                }
            }
            let sent = match looked.health.rest {
                Some(rest) => Sent::Waits(rest),
                None => self.send_due(run, &endpoint, looked.health).await?,
            };
            let has_time = began.elapsed() < TURN && !run.cancelled().is_cancelled();
            match sent {
                Sent::Disabled => return Ok(Done::quietly()),
                Sent::Nothing if is_done => return Ok(Done::quietly()),
                Sent::Waits(pause) if is_done => return Ok(Done::Again(pause)),
                // There is more to send, or to work out.
                _ if has_time => {}
                _ => return Ok(Done::Again(Duration::ZERO)),
            }
        }
    }
}

/// How an endpoint stands.
struct Looked {
    endpoint: Option<WebhookEndpoint>,
    mark: Option<consumers::Mark>,
    health: Health,
    pending: i64,
}

/// What came of sending what is due.
enum Sent {
    /// Something was sent; there may be more.
    Some,
    /// Nothing is due, or the endpoint is left alone, for so long.
    Waits(Duration),
    /// There is nothing to send.
    Nothing,
    /// The endpoint wants no more, or was given up.
    Disabled,
}
