//! How a subscription begins: it is planned, told what it missed, and enters where all others are told.

use std::sync::Arc;

use tokio::sync::Notify;

use super::{
    Failure, Live, Message, OperationId, Outbox, Refused, Seat,
    operation::{Operation, Unanswered},
    replay::Reader,
    shared::{Behind, Kind, Subscriber},
};
use crate::{
    access::Actor,
    api::{attempts::Asked, documents::Prepared, spending},
    events::{EventCursor, Feed, FeedError},
    graphql::{
        RequestContext,
        subscription::{Plan, Planned, Turn},
    },
};

/// Where what an operation has to say is sent.
#[derive(Clone)]
pub(crate) struct Line {
    /// The operation, by its client's name for it.
    pub(crate) operation: OperationId,
    /// The client's queue.
    pub(crate) outbox: Arc<Outbox>,
}

impl Line {
    /// Sends answers, waiting for room.
    pub(super) async fn send_all(&self, messages: &[Arc<Message>]) -> Result<(), Failure> {
        for message in messages {
            let sent = self.outbox.send(&self.operation, message).await;
            sent.map_err(|_| Failure::new("GONE", "the client is gone"))?;
        }
        Ok(())
    }
}

/// Where a subscription begins.
#[derive(Debug, Clone)]
pub(crate) enum Start {
    /// Where its argument says, or now; the client is told when it is live.
    Asked,
    /// After an event, silently: it was only interrupted.
    After(i64),
    /// After a cursor that the transport brought.
    Cursor(EventCursor),
}

impl Live {
    /// Begins a subscription: plans it, tells what was missed, and enters it where all others are told. When this
    /// returns, everything that is committed from now on will arrive.
    ///
    /// # Errors
    /// What the executor refuses; `RESYNC` when there is no going on from the cursor; `UNAVAILABLE`.
    pub(in crate::api) async fn open(
        self: &Arc<Self>,
        actor: Arc<Actor>,
        asked: &Prepared,
        (line, start): (Line, Start),
    ) -> Result<Seat, Refused> {
        let operation = Operation::new(asked)?;
        let is_heavy = spending::is_heavy(&asked.measure);
        let is_interrupted = matches!(start, Start::After(_));
        if !is_interrupted {
            let named = Asked::of(&asked.document.parsed, asked.operation(), &asked.variables);
            named.suspect(&self.running.context(Arc::clone(&actor)));
        }
        let price = spending::of_event(&asked.measure);
        let price = Some(price).filter(|_| !is_interrupted);
        let (plan, context) = self.plan(&actor, &operation).await?;
        let feed = self.hub.feed(actor.tenant).await?;
        let value = |watched| Kind::Value {
            watched,
            outdated: Arc::new(Notify::new()),
        };
        let (kind, asked, looked_at) = match plan {
            Plan::Changes(watched, after) => (Kind::Changes(watched), after, None),
            Plan::Value(watched) => (value(watched), None, None),
            Plan::Presence(watched, record, announce) => {
                (value(watched), None, Some((record, announce)))
            }
        };
        let reader = Reader {
            actor: &actor,
            line: &line,
            price,
        };
        let place = match start {
            Start::After(seq) => Ok(seq),
            Start::Cursor(cursor) => feed.place(&cursor).await,
            Start::Asked => match asked {
                Some(cursor) => feed.place(&cursor).await,
                None => Ok(feed.position()),
            },
        };
        let mut after = place.map_err(|error| refused(error, &feed))?;
        let due = (feed.position() - after).max(0).unsigned_abs();
        let from = match self.is_little(reader, due) {
            true => after,
            false => feed.position(),
        };
        let mut seat = self.join((&actor, &feed), (operation, is_heavy), kind, from);
        if let Some((record, announce)) = looked_at {
            seat.look_at(&record, actor.person().filter(|_| announce));
        }
        let audience = &seat.audience;
        let is_value = match &audience.kind {
            Kind::Value { outdated, .. } => {
                outdated.notify_one();
                after = i64::MIN;
                true
            }
            Kind::Changes(_) => false,
        };
        // What comes before now and is told by a new audience, with whoever else comes back, is told to this one too.
        if !is_value && due > 0 && audience.position() == after {
            let paid = self.pay_for_past(reader, (&feed, after), due);
            if let Some(paid) = paid.await? {
                paid.settle(due);
            }
        }
        // Who is told nothing first lets the snapshot of the plan go: it would hold one connection and wait for another.
        let mut context = Some(context).filter(|_| !is_value && !is_interrupted);
        loop {
            let first = match is_value || is_interrupted {
                true => None,
                false => {
                    let context = context
                        .take()
                        .unwrap_or_else(|| self.running.context(Arc::clone(&actor)));
                    let synced = audience.synced(&self.running, &feed, &context, after);
                    Some(synced.await?)
                }
            };
            let subscriber = Subscriber {
                operation: Arc::clone(&line.operation),
                outbox: Arc::clone(&line.outbox),
                actor: Arc::clone(&actor),
                after,
            };
            let Err(Behind) = audience.enter(seat.id, subscriber, first) else {
                return Ok(seat);
            };
            after = self.catch_up(&seat, reader, after).await?;
        }
    }

    /// Has the resolver say what it watches.
    async fn plan(
        &self,
        actor: &Arc<Actor>,
        operation: &Operation,
    ) -> Result<(Plan, Arc<RequestContext>), Refused> {
        let context = self.running.context(Arc::clone(actor));
        let planned = Planned::default();
        let turn = Turn::Plan(planned.clone());
        let response = operation.run(&self.running.schema, &context, turn).await;
        if let Some(response) = response {
            return Err(Refused::Errors(response.errors));
        }
        match planned.take() {
            Some(plan) => Ok((plan, context)),
            None => {
                Err(Failure::new("SUBSCRIPTION_FIELDS", "there is nothing to subscribe to").into())
            }
        }
    }
}

impl From<Unanswered> for Refused {
    fn from(unanswered: Unanswered) -> Self {
        Self::Failure(match unanswered {
            Unanswered::Later => Failure::new(
                "UNAVAILABLE",
                "the database does not answer, try again later",
            ),
            Unanswered::Failed(failure) => failure,
        })
    }
}

pub(super) fn refused(error: FeedError, feed: &Feed) -> Failure {
    match error {
        FeedError::Lost => Failure::resync(
            "there is no going on from this cursor",
            Some(feed.cursor(feed.position()).to_string()),
        ),
        FeedError::Failed(error) => error.into(),
    }
}
