//! What follows from a page of events for one who is not connected: rendered as for a subscriber, and kept by the caller.

use std::sync::Arc;

use super::{
    Failure, Live, Refused,
    operation::LiveOperation,
    shared::{SharedSubscription, SubscriptionKind},
};
use crate::{
    access::Actor,
    api::documents::Prepared,
    events::{FeedError, LoggedEvent},
    graphql::subscription::{Notification, ResolverMode, WatchPlan},
};

/// Events of one page, at most: their responses are in memory together.
const MOST: usize = 50;

/// One subscription of the reader, planned.
pub(in crate::api) struct Reader {
    subscription: SharedSubscription,
}

/// An event with what a subscription answers to it.
pub(in crate::api) struct Answer {
    /// What happened.
    pub(in crate::api) notification: Arc<Notification>,
    /// The response, as JSON.
    pub(in crate::api) payload: Arc<str>,
}

impl Live {
    /// Plans a subscription to the events of records.
    ///
    /// # Errors
    /// What the executor refuses; `SUBSCRIPTION_FIELDS` for one that watches a value.
    pub(in crate::api) async fn reader(
        &self,
        actor: &Arc<Actor>,
        request: &Prepared,
    ) -> Result<Reader, Refused> {
        let operation = LiveOperation::new(request)?;
        let (plan, _) = self.plan(actor, &operation).await?;
        let WatchPlan::Changes(watched, _) = plan else {
            let message = "expected a subscription to events, such as opportunityEvents";
            return Err(Failure::new("SUBSCRIPTION_FIELDS", message).into());
        };
        let kind = SubscriptionKind::Changes(watched);
        let subscription = SharedSubscription::new(operation, false, kind, 0);
        Ok(Reader { subscription })
    }

    /// The next events of a tenant's log after a number; `known` is how far it is at least.
    ///
    /// # Errors
    /// [`FeedError`].
    pub(in crate::api) async fn events_after(
        &self,
        actor: &Actor,
        after: i64,
        known: i64,
    ) -> Result<Vec<Arc<LoggedEvent>>, FeedError> {
        let feed = self.hub.feed(actor.tenant).await?;
        feed.hear(known);
        let mut events = feed.read(after).await?;
        events.truncate(MOST);
        Ok(events)
    }

    /// What a subscription answers to events, to those that `takes` wants; each by itself, so that memory holds no more
    /// than one response may take.
    ///
    /// # Errors
    /// As for a subscriber.
    pub(in crate::api) async fn answers(
        &self,
        actor: &Arc<Actor>,
        reader: &Reader,
        events: &[Arc<LoggedEvent>],
        takes: impl Fn(&Notification) -> bool,
    ) -> Result<Vec<Answer>, Refused> {
        let feed = self.hub.feed(actor.tenant).await;
        let feed = feed.map_err(Failure::from)?;
        let context = self.runtime.shared_context(Arc::clone(actor));
        let subscription = &reader.subscription;
        let notifications = subscription.notifications(&feed, &context, events).await?;
        let mut answers = Vec::new();
        for notification in notifications.into_iter().filter(takes) {
            let notification = Arc::new(notification);
            let mode = ResolverMode::Notify(Arc::clone(&notification));
            let context = match context.is_too_large() {
                true => self.runtime.context(Arc::clone(actor)),
                false => Arc::clone(&context),
            };
            let payload = subscription.render(&self.runtime, &context, mode).await?;
            answers.push(Answer {
                notification,
                payload,
            });
        }
        Ok(answers)
    }
}
