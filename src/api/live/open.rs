//! Opening a subscription: plan what it watches, replay what it missed, join the shared subscription.

use std::sync::Arc;

use tokio::sync::Notify;

use super::{
    Failure, Live, OperationId, Refused, RenderedResponse, SendQueue, SubscriptionHandle,
    operation::{LiveOperation, RenderError},
    replay::Replay,
    shared::{Behind, Subscriber, SubscriptionKind},
};
use crate::{
    access::Actor,
    api::{documents::Prepared, probes::RootFields, spending},
    events::{EventCursor, Feed, FeedError},
    graphql::{
        RequestContext,
        subscription::{Looking, PlanSlot, ResolverMode, WatchPlan},
    },
};

/// Where the deliveries of an operation go.
#[derive(Clone)]
pub(crate) struct Recipient {
    /// The operation, by its client's id for it.
    pub(crate) operation: OperationId,
    /// The client's queue.
    pub(crate) queue: Arc<SendQueue>,
}

impl Recipient {
    /// Sends responses, waiting while the queue is full.
    pub(super) async fn send_all(
        &self,
        responses: &[Arc<RenderedResponse>],
    ) -> Result<(), Failure> {
        for response in responses {
            let sent = self.queue.send(&self.operation, response).await;
            sent.map_err(|_| Failure::new("GONE", "the client is gone"))?;
        }
        Ok(())
    }
}

/// Where a subscription begins.
#[derive(Debug, Clone)]
pub(crate) enum Start {
    /// Where its argument says, or now; the client gets `SYNCED` when it is live.
    Requested,
    /// After an event, silently: the server interrupted it.
    AfterEvent(i64),
    /// After a cursor that came with the transport (`Last-Event-ID`).
    Cursor(EventCursor),
}

impl Live {
    /// Opens a subscription. When this returns, everything that is committed from now on will be delivered.
    ///
    /// # Errors
    /// What the executor refuses; `RESYNC` when there is no going on from the cursor; `UNAVAILABLE`.
    pub(in crate::api) async fn open(
        self: &Arc<Self>,
        actor: Arc<Actor>,
        request: &Prepared,
        recipient: Recipient,
        start: Start,
    ) -> Result<SubscriptionHandle, Refused> {
        let operation = LiveOperation::new(request)?;
        let is_heavy = spending::is_heavy(&request.measure);
        let is_interrupted = matches!(start, Start::AfterEvent(_));
        if !is_interrupted {
            let named = RootFields::of(
                &request.document.parsed,
                request.operation(),
                &request.variables,
            );
            named.enqueue(&self.runtime.context(Arc::clone(&actor)));
        }
        let price = spending::of_event(&request.measure);
        let price = Some(price).filter(|_| !is_interrupted);
        let (plan, context) = self.plan(&actor, &operation).await?;
        let feed = self.hub.feed(actor.tenant).await?;
        let value = |watched| SubscriptionKind::Value {
            watched,
            outdated: Arc::new(Notify::new()),
        };
        let (kind, argument, viewed) = match plan {
            WatchPlan::Changes(watched, after) => (SubscriptionKind::Changes(watched), after, None),
            WatchPlan::Value(watched) => (value(watched), None, None),
            WatchPlan::Presence(watched, record, announce) => {
                (value(watched), None, Some((record, announce)))
            }
            WatchPlan::Rows(look) => (SubscriptionKind::Rows(look), None, None),
        };
        let replay = Replay {
            actor: &actor,
            recipient: &recipient,
            price,
        };
        let position = match start {
            Start::AfterEvent(seq) => Ok(seq),
            Start::Cursor(cursor) => feed.position_of(&cursor).await,
            Start::Requested => match argument {
                Some(cursor) => feed.position_of(&cursor).await,
                None => Ok(feed.position()),
            },
        };
        let mut after = position.map_err(|error| refused(error, &feed))?;
        let due = (feed.position() - after).max(0).unsigned_abs();
        let from = match self.is_little(replay, due) {
            true => after,
            false => feed.position(),
        };
        let mut handle = self.join(&actor, &feed, operation, is_heavy, kind, from);
        if let Some((record, announce)) = viewed {
            handle.view(&record, actor.person().filter(|_| announce));
        }
        let subscription = &handle.subscription;
        let is_value = match &subscription.kind {
            SubscriptionKind::Value { outdated, .. } => {
                outdated.notify_one();
                true
            }
            SubscriptionKind::Rows(_) => true,
            SubscriptionKind::Changes(_) => false,
        };
        if is_value {
            after = i64::MIN;
        }
        let opened = match &subscription.kind {
            SubscriptionKind::Rows(look) if look.is_of_changes() && !is_interrupted => {
                Some(self.opened(&handle, &context).await?)
            }
            _ => None,
        };
        // A new shared subscription replays from here for all that resume with this one; this one pays for it now.
        if !is_value && due > 0 && subscription.position() == after {
            let paid = self.charge_replay(replay, &feed, after, due);
            if let Some(paid) = paid.await? {
                paid.settle(due);
            }
        }
        // Without a first response the plan's snapshot is dropped: it would hold one connection and wait for another.
        let mut context = Some(context).filter(|_| !is_value && !is_interrupted);
        loop {
            let first = match is_value || is_interrupted {
                true => opened.clone(),
                false => {
                    let context = context
                        .take()
                        .unwrap_or_else(|| self.runtime.context(Arc::clone(&actor)));
                    let synced = subscription.synced(&self.runtime, &feed, &context, after);
                    Some(synced.await?)
                }
            };
            let subscriber = Subscriber {
                operation: Arc::clone(&recipient.operation),
                queue: Arc::clone(&recipient.queue),
                actor: Arc::clone(&actor),
                after,
            };
            let Err(Behind) = subscription.enter(handle.id, subscriber, first) else {
                // While it was interrupted, others were told of changes.
                if let SubscriptionKind::Rows(look) = &subscription.kind
                    && is_interrupted
                {
                    look.tell_anew();
                }
                return Ok(handle);
            };
            after = self.catch_up(&handle, replay, after).await?;
        }
    }

    /// What a subscriber to changes of rows is sent first: it is told of all that changes from now on.
    async fn opened(
        &self,
        handle: &SubscriptionHandle,
        context: &Arc<RequestContext>,
    ) -> Result<Arc<RenderedResponse>, RenderError> {
        let mode = ResolverMode::Look(Looking::Opened);
        let payload = handle.subscription.render(&self.runtime, context, mode);
        Ok(Arc::new(RenderedResponse {
            seq: 0,
            cursor: String::new(),
            payload: payload.await?,
        }))
    }

    /// Runs the resolver to say what it watches.
    pub(super) async fn plan(
        &self,
        actor: &Arc<Actor>,
        operation: &LiveOperation,
    ) -> Result<(WatchPlan, Arc<RequestContext>), Refused> {
        let context = self.runtime.context(Arc::clone(actor));
        let slot = PlanSlot::default();
        let mode = ResolverMode::Plan(slot.clone());
        let response = operation.run(&self.runtime.schema, &context, mode).await;
        if let Some(response) = response {
            return Err(Refused::Errors(response.errors));
        }
        match slot.take() {
            Some(plan) => Ok((plan, context)),
            None => {
                Err(Failure::new("SUBSCRIPTION_FIELDS", "there is nothing to subscribe to").into())
            }
        }
    }
}

impl From<RenderError> for Refused {
    fn from(unanswered: RenderError) -> Self {
        Self::Failure(match unanswered {
            RenderError::Unavailable => Failure::new(
                "UNAVAILABLE",
                "the database does not answer, try again later",
            ),
            RenderError::Failed(failure) => failure,
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
