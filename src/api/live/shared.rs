//! All subscribers of a visibility class with the same operation: each response is rendered once and sent to each of
//! them.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use futures_util::future::try_join_all;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    Delivery, Failure, OperationId, RenderedResponse, Runtime, SendQueue,
    operation::{LiveOperation, RenderError},
    send_queue::Full,
};
use crate::{
    access::Actor,
    db::list,
    events::{Change, Feed, LoggedEvent, Relevance, Watched},
    graphql::{
        RequestContext,
        subscription::{Look, Notification, ResolverMode},
    },
};

/// Recent responses that are buffered for subscribers that reconnect after a short break.
const BUFFERED: usize = 128;
/// Most bytes of them.
const BUFFERED_BYTES: usize = 1024 * 1024;

/// One operation, run once for all of a class that subscribed to it.
pub(super) struct SharedSubscription {
    pub(super) operation: LiveOperation,
    pub(super) kind: SubscriptionKind,
    /// Whether it is always isolated.
    pub(super) is_heavy: bool,
    /// Whether it is isolated now.
    is_isolated: AtomicBool,
    /// Cancelled when the last subscriber has left.
    pub(super) left: CancellationToken,
    state: Mutex<SharedState>,
}

/// What its subscribers receive.
pub(super) enum SubscriptionKind {
    /// What happens to records.
    Changes(Watched),
    /// A live value, whenever it has changed.
    Value {
        /// What it follows from.
        watched: Watched,
        /// Notified when it may have changed.
        outdated: Arc<Notify>,
    },
    /// Rows whose changes are in no event, looked at again and again.
    Rows(Look),
}

struct SharedState {
    /// The number of the last event that subscribers were notified of.
    position: i64,
    /// The number of the last event at which the rights of subscribers were looked after.
    checked: i64,
    /// The latest responses: all after `recent_after`.
    recent: VecDeque<Arc<RenderedResponse>>,
    recent_bytes: usize,
    recent_after: i64,
    /// The number of the last response that was sent to all.
    notified: i64,
    /// The latest `SYNCED`.
    synced: Option<Arc<RenderedResponse>>,
    subscribers: HashMap<u64, Subscriber>,
    /// How many subscribers there are, those that are still opening included.
    handles: usize,
    /// How it has ended.
    ended: Option<Ending>,
}

/// How a shared subscription has ended.
#[derive(Debug, Clone)]
enum Ending {
    /// For a reason.
    Failed(Failure),
    /// There is nothing more to say.
    Completed,
}

/// One operation of one client.
pub(super) struct Subscriber {
    pub(super) operation: OperationId,
    pub(super) queue: Arc<SendQueue>,
    pub(super) actor: Arc<Actor>,
    /// The last event it was notified of.
    pub(super) after: i64,
}

/// A subscriber is too far behind to join, or its queue is too full: it needs a private replay first.
pub(super) struct Behind;

impl SharedSubscription {
    pub(super) fn new(
        operation: LiveOperation,
        is_heavy: bool,
        kind: SubscriptionKind,
        position: i64,
    ) -> Self {
        Self {
            operation,
            kind,
            is_heavy,
            is_isolated: AtomicBool::new(is_heavy),
            left: CancellationToken::new(),
            state: Mutex::new(SharedState {
                position,
                checked: position,
                recent: VecDeque::new(),
                recent_bytes: 0,
                recent_after: position,
                notified: position,
                synced: None,
                subscribers: HashMap::new(),
                handles: 0,
                ended: None,
            }),
        }
    }

    pub(super) fn watched(&self) -> &Watched {
        match &self.kind {
            SubscriptionKind::Changes(watched) | SubscriptionKind::Value { watched, .. } => watched,
            SubscriptionKind::Rows(look) => look.watched(),
        }
    }

    /// Whether it is isolated.
    pub(super) fn is_isolated(&self) -> bool {
        self.is_isolated.load(Ordering::Acquire)
    }

    /// Isolates it or not; whether that is a change.
    pub(super) fn set_isolated(&self, is_isolated: bool) -> bool {
        self.is_isolated.swap(is_isolated, Ordering::AcqRel) != is_isolated
    }

    pub(super) fn position(&self) -> i64 {
        self.state().position
    }

    /// The number of the last event at which subscribers whose rights it may have changed were interrupted.
    pub(super) fn checked(&self) -> i64 {
        self.state().checked
    }

    /// Notes that they were, if the subscription has come to the event.
    pub(super) fn note_checked(&self, seq: i64) {
        let mut state = self.state();
        if state.position >= seq {
            state.checked = state.checked.max(seq);
        }
    }

    pub(super) fn add_handle(&self) {
        self.state().handles += 1;
    }

    /// Removes a subscriber; whether it was the last.
    pub(super) fn remove(&self, handle: u64) -> bool {
        let mut state = self.state();
        state.subscribers.remove(&handle);
        state.handles -= 1;
        state.handles == 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.state().handles == 0
    }

    /// Joins a subscriber: it gets `first`, then what it missed, and from then on what all get.
    pub(super) fn enter(
        &self,
        handle: u64,
        subscriber: Subscriber,
        first: Option<Arc<RenderedResponse>>,
    ) -> Result<(), Behind> {
        let mut state = self.state();
        // It may have ended while this one was opening.
        if let Some(Ending::Failed(failure)) = &state.ended {
            let failed = Delivery::Failed(subscriber.operation, failure.clone());
            subscriber.queue.put(failed);
            return Ok(());
        }
        let is_resuming = matches!(self.kind, SubscriptionKind::Changes(_));
        if is_resuming && subscriber.after < state.recent_after {
            return Err(Behind);
        }
        let missed = state
            .recent
            .iter()
            .filter(|response| response.seq > subscriber.after);
        let responses: Vec<_> = first.iter().chain(missed).cloned().collect();
        let pushed = subscriber.queue.push_all(&subscriber.operation, &responses);
        pushed.map_err(|Full| Behind)?;
        if let Some(Ending::Completed) = state.ended {
            let completed = Delivery::Completed(subscriber.operation);
            subscriber.queue.put(completed);
            return Ok(());
        }
        state.subscribers.insert(handle, subscriber);
        Ok(())
    }

    /// Renders the responses to events, in their order.
    pub(super) async fn responses(
        &self,
        runtime: &Runtime,
        feed: &Feed,
        context: &Arc<RequestContext>,
        events: &[Arc<LoggedEvent>],
    ) -> Result<Vec<Arc<RenderedResponse>>, RenderError> {
        let notifications = self.notifications(feed, context, events).await?;
        let rendered = notifications.into_iter().map(async |notification| {
            let (seq, cursor) = (notification.cursor.seq, notification.cursor.to_string());
            let payload = self.render(
                runtime,
                context,
                ResolverMode::Notify(Arc::new(notification)),
            );
            Ok(Arc::new(RenderedResponse {
                seq,
                cursor,
                payload: payload.await?,
            }))
        });
        try_join_all(rendered).await
    }

    /// Renders one event by itself, where all that are due are too large together: so memory never holds more than one
    /// response may take.
    pub(super) async fn render_alone(
        &self,
        runtime: &Runtime,
        feed: &Feed,
        actor: &Arc<Actor>,
        event: &Arc<LoggedEvent>,
    ) -> Result<Vec<Arc<RenderedResponse>>, RenderError> {
        let context = runtime.context(Arc::clone(actor));
        let event = std::slice::from_ref(event);
        self.responses(runtime, feed, &context, event).await
    }

    /// What the class is notified of for events.
    pub(super) async fn notifications(
        &self,
        feed: &Feed,
        context: &Arc<RequestContext>,
        events: &[Arc<LoggedEvent>],
    ) -> Result<Vec<Notification>, RenderError> {
        let (watched, actor) = (self.watched(), context.actor());
        let relevances: Vec<_> = events
            .iter()
            .map(|event| (event, watched.relevance(actor, event)))
            .filter(|(_, relevance)| *relevance != Relevance::Known(None))
            .collect();
        let undecided: Vec<_> = relevances
            .iter()
            .filter(|(_, relevance)| matches!(relevance, Relevance::Depends { .. }))
            .map(|(event, _)| event.id)
            .collect();
        let met = match undecided.is_empty() {
            true => Vec::new(),
            false => {
                let ask = context.read(async |tx| {
                    list::matching(tx, watched.table, undecided, &watched.filter).await
                });
                ask.await.map_err(|_| RenderError::Unavailable)?
            }
        };
        let notification = |(event, relevance): (&Arc<LoggedEvent>, Relevance)| {
            let change = match relevance {
                Relevance::Known(change) => change,
                Relevance::Depends { met: change, .. } if met.contains(&event.id) => Some(change),
                Relevance::Depends { unmet, .. } => unmet,
            };
            Some(Notification {
                change: change?,
                cursor: feed.cursor(event.seq),
                was_seen: watched.was_seen(actor, event),
                event: Some(Arc::clone(event)),
            })
        };
        Ok(relevances.into_iter().filter_map(notification).collect())
    }

    /// `SYNCED`: everything up to a position has been delivered.
    pub(super) async fn synced(
        &self,
        runtime: &Runtime,
        feed: &Feed,
        context: &Arc<RequestContext>,
        seq: i64,
    ) -> Result<Arc<RenderedResponse>, RenderError> {
        if let Some(known) = self
            .state()
            .synced
            .as_ref()
            .filter(|known| known.seq == seq)
        {
            return Ok(Arc::clone(known));
        }
        let cursor = feed.cursor(seq);
        let text = cursor.to_string();
        let nothing = Notification {
            change: Change::Synced,
            cursor,
            event: None,
            was_seen: false,
        };
        let payload = self.render(runtime, context, ResolverMode::Notify(Arc::new(nothing)));
        let response = Arc::new(RenderedResponse {
            seq,
            cursor: text,
            payload: payload.await?,
        });
        self.state().synced = Some(Arc::clone(&response));
        Ok(response)
    }

    pub(super) async fn render(
        &self,
        runtime: &Runtime,
        context: &Arc<RequestContext>,
        mode: ResolverMode,
    ) -> Result<Arc<str>, RenderError> {
        runtime.metrics.live.answers.inc();
        self.look(runtime, context, mode).await
    }

    /// Renders what may turn out to be nothing new, which counts for no answer.
    pub(super) async fn look(
        &self,
        runtime: &Runtime,
        context: &Arc<RequestContext>,
        mode: ResolverMode,
    ) -> Result<Arc<str>, RenderError> {
        self.operation
            .render(&runtime.schema, &runtime.limits, context, mode)
            .await
    }

    /// Notifies all subscribers of the events that they were not notified of yet. A subscription that was made while the
    /// events were read may be behind their first: it is left for the next batch, or it would miss what lies between.
    pub(super) async fn notify(
        &self,
        runtime: &Runtime,
        feed: &Feed,
        context: &Arc<RequestContext>,
        events: &[Arc<LoggedEvent>],
    ) -> Result<(), RenderError> {
        let (Some(first), Some(last)) = (events.first(), events.last()) else {
            return Ok(());
        };
        let (position, last) = (self.position(), last.seq);
        if position + 1 < first.seq {
            return Ok(());
        }
        let fresh = events.partition_point(|event| event.seq <= position);
        let events = &events[fresh..];
        let responses = match &self.kind {
            SubscriptionKind::Changes(_) => {
                match self.responses(runtime, feed, context, events).await {
                    _ if context.is_too_large() => {
                        for event in events {
                            let responses =
                                self.render_alone(runtime, feed, context.actor(), event);
                            let responses = responses.await?;
                            self.state().send(runtime, feed, responses, event.seq);
                        }
                        return Ok(());
                    }
                    responses => responses?,
                }
            }
            SubscriptionKind::Value { watched, outdated } => {
                let concerns = |event: &Arc<LoggedEvent>| {
                    watched.relevance(context.actor(), event) != Relevance::Known(None)
                };
                if events.iter().any(concerns) {
                    outdated.notify_one();
                }
                Vec::new()
            }
            SubscriptionKind::Rows(_) => Vec::new(),
        };
        self.state().send(runtime, feed, responses, last);
        Ok(())
    }

    /// Sends a live value, if it differs from the last one.
    pub(super) fn send_value(&self, runtime: &Runtime, feed: &Feed, payload: Arc<str>) {
        let mut state = self.state();
        if state.is_other_value(&payload) {
            // Values have numbers of their own; nothing resumes from them.
            let seq = state.notified + 1;
            let response = RenderedResponse {
                seq,
                cursor: String::new(),
                payload,
            };
            state.recent.clear();
            state.recent_bytes = 0;
            let position = state.position;
            state.send(runtime, feed, vec![Arc::new(response)], position);
        }
    }

    /// Whether a live value differs from the last one.
    pub(super) fn is_other_value(&self, payload: &Arc<str>) -> bool {
        self.state().is_other_value(payload)
    }

    /// Sends rows that have changed, to whoever has subscribed by now.
    pub(super) fn send_rows(&self, runtime: &Runtime, feed: &Feed, payload: Arc<str>) {
        let mut state = self.state();
        let response = RenderedResponse {
            seq: state.notified + 1,
            cursor: String::new(),
            payload,
        };
        let position = state.position;
        state.send(runtime, feed, vec![Arc::new(response)], position);
        state.recent.clear();
        state.recent_bytes = 0;
    }

    /// Sends `SYNCED` to all, if the database says that there is nothing newer; whether it did.
    pub(super) async fn heartbeat(
        &self,
        runtime: &Runtime,
        feed: &Feed,
        context: &Arc<RequestContext>,
    ) -> Result<bool, RenderError> {
        if !matches!(self.kind, SubscriptionKind::Changes(_)) {
            return Ok(true);
        }
        let position = self.position();
        if !feed.is_current(position) {
            return Ok(false);
        }
        let response = self.synced(runtime, feed, context, position).await?;
        let mut state = self.state();
        // It is out of date if events were delivered meanwhile.
        if state.position != position {
            return Ok(false);
        }
        state.notified = position;
        // A subscriber that comes from a faster server may be ahead of this one.
        let here = |subscriber: &&Subscriber| subscriber.after <= position;
        for subscriber in state.subscribers.values().filter(here) {
            // A full queue holds responses whose cursors will do.
            _ = subscriber.queue.push(&subscriber.operation, &response);
        }
        Ok(true)
    }

    /// Ends all subscribers, and those that are still opening, for one reason.
    pub(super) fn end(&self, failure: &Failure) {
        self.state().ended = Some(Ending::Failed(failure.clone()));
        self.fail(failure);
    }

    /// Ends all subscribers, and those that are still opening, since there is nothing more to say.
    pub(super) fn complete(&self) {
        let mut state = self.state();
        state.ended = Some(Ending::Completed);
        for (_, subscriber) in state.subscribers.drain() {
            let completed = Delivery::Completed(subscriber.operation);
            subscriber.queue.put(completed);
        }
    }

    /// Ends all subscribers, for one reason.
    pub(super) fn fail(&self, failure: &Failure) {
        for (_, subscriber) in self.state().subscribers.drain() {
            let operation = subscriber.operation;
            subscriber
                .queue
                .put(Delivery::Failed(operation, failure.clone()));
        }
    }

    /// Interrupts subscribers whose rights an event may have changed: they resume when these are known.
    pub(super) fn recheck(&self, seq: i64, is_concerned: impl Fn(&Actor) -> bool) {
        let since = Instant::now();
        let mut state = self.state();
        let concerned = state
            .subscribers
            .extract_if(|_, subscriber| is_concerned(&subscriber.actor));
        for (_, subscriber) in concerned {
            // A subscriber that comes from a faster server may be ahead of that.
            let seq = seq.max(subscriber.after);
            let delivery = Delivery::Recheck(subscriber.operation, seq, since);
            subscriber.queue.put(delivery);
        }
    }

    fn state(&self) -> MutexGuard<'_, SharedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SharedState {
    fn is_other_value(&self, payload: &Arc<str>) -> bool {
        let last = self.recent.back();
        last.is_none_or(|last| last.payload != *payload)
    }

    fn send(
        &mut self,
        runtime: &Runtime,
        feed: &Feed,
        responses: Vec<Arc<RenderedResponse>>,
        position: i64,
    ) {
        for response in &responses {
            let (mut lagging, mut sent) = (Vec::new(), 0);
            for (handle, subscriber) in &self.subscribers {
                if response.seq <= subscriber.after {
                    continue;
                }
                if subscriber
                    .queue
                    .push(&subscriber.operation, response)
                    .is_err()
                {
                    lagging.push(*handle);
                } else {
                    sent += 1;
                }
            }
            runtime.metrics.live.messages.inc_by(sent);
            for handle in lagging {
                if let Some(slow) = self.subscribers.remove(&handle) {
                    runtime.metrics.live.lagged.inc();
                    let from = || feed.cursor(self.notified.max(slow.after)).to_string();
                    let failure = Failure::lagged((!response.cursor.is_empty()).then(from));
                    slow.queue.put(Delivery::Failed(slow.operation, failure));
                }
            }
            self.notified = response.seq;
        }
        for response in responses {
            self.recent_bytes += response.payload.len();
            self.recent.push_back(response);
        }
        // The last one stays, however large: a live value that is to be compared with the next.
        while self.recent.len() > BUFFERED
            || (self.recent.len() > 1 && self.recent_bytes > BUFFERED_BYTES)
        {
            let Some(oldest) = self.recent.pop_front() else {
                break;
            };
            self.recent_bytes -= oldest.payload.len();
            self.recent_after = oldest.seq;
        }
        self.position = position.max(self.position);
    }
}
