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
    platform::{Vault, outbound::Outbound},
};
use ledger::Health;

/// Deliveries that wait to be sent before it is worked out what else is to be.
const ENOUGH: i64 = 500;
/// How long a job goes on before others of the tenant have their turn.
const TURN: Duration = Duration::from_secs(20);

/// Sends what happens to the endpoints of tenants.
pub struct Webhooks {
    renderer: RendererHandle,
    outbound: Outbound,
    vault: Arc<Vault>,
    authority: Arc<dyn Authority>,
}

impl Webhooks {
    /// A consumer that renders, sends, signs and judges by these.
    #[must_use]
    pub fn new(
        renderer: RendererHandle,
        outbound: Outbound,
        vault: Arc<Vault>,
        authority: Arc<dyn Authority>,
    ) -> Self {
        Self {
            renderer,
            outbound,
            vault,
            authority,
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
            let mut is_done = true;
            if mark.seq < mark.last_seq && looked.pending < ENOUGH {
                match self.expand(run, &endpoint, mark).await? {
                    Some(upto) => is_done = upto >= mark.last_seq,
                    None => return Ok(Done::quietly()),
                }
            }
            if let Some(rest) = looked.health.rest {
                return Ok(Done::Again(rest));
            }
            let sent = self.send_due(run, &endpoint, looked.health).await?;
            match sent {
                Sent::Disabled => return Ok(Done::quietly()),
                Sent::Some if began.elapsed() < TURN && !run.cancelled().is_cancelled() => {}
                Sent::Some => return Ok(Done::Again(Duration::ZERO)),
                Sent::Rests(pause) | Sent::Waits(pause) => return Ok(Done::Again(pause)),
                Sent::Nothing if is_done => return Ok(Done::quietly()),
                Sent::Nothing => {}
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
    /// Nothing was due, and something will be after so long.
    Waits(Duration),
    /// The endpoint is left alone for so long.
    Rests(Duration),
    /// There is nothing to send.
    Nothing,
    /// The endpoint wants no more, or was given up.
    Disabled,
}
