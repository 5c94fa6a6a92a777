//! Dispatching events to the shared subscriptions of a group. Most share a lane: a batch of events is rendered for all
//! of them on one snapshot. A subscription that would delay the others is isolated in a lane of its own, with its own
//! pace and connection; one that is too slow even there is ended.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::Instrument as _;

use super::{
    Failure, Live, Runtime,
    group::{PAUSE, SubscriberGroup},
    operation::RenderError,
    shared::SharedSubscription,
};
use crate::{
    access::Actor,
    base::ids::Typed as _,
    events::{FeedError, LoggedEvent},
    platform::telemetry,
};

/// How soon a heartbeat that could not be sent is tried again.
const HEARTBEAT_PAUSE: Duration = Duration::from_secs(1);
/// The shared lane may spend one part in this many of the time that one event may take.
const SHARED_PART: u32 = 2;
/// A subscription that was isolated for a delay rejoins once it needs less than one part in this many of that time.
const QUICK_PART: u32 = 10;
/// A subscription is ended when one event has taken too long this many times.
const TRIES: u32 = 3;

/// Kinds of records whose events may change rights.
const ACCESS: [&str; 5] = ["member", "role", "apiKey", "team", "tenant"];

/// Which subscriptions of a group are dispatched together.
pub(super) enum Lane {
    /// All that are not isolated.
    Shared,
    /// One by itself.
    Isolated(Arc<SharedSubscription>),
}

/// Why events are not delivered yet.
enum Undelivered {
    /// The database does not answer.
    Unavailable,
    /// It took too long.
    TooSlow,
}

impl Live {
    /// Dispatches to a lane for as long as it has subscriptions.
    pub(super) fn spawn_lane(self: &Arc<Self>, group: &Arc<SubscriberGroup>, lane: Lane) {
        let (live, group) = (Arc::clone(self), Arc::clone(group));
        self.tasks
            .spawn(async move { group.dispatch(&live, &lane).await });
    }
}

impl Lane {
    fn subscriptions(&self, group: &SubscriberGroup) -> Vec<Arc<SharedSubscription>> {
        match self {
            Self::Shared => {
                let all = group.all().into_iter();
                all.filter(|subscription| !subscription.is_isolated())
                    .collect()
            }
            Self::Isolated(subscription) => vec![Arc::clone(subscription)],
        }
    }

    /// Resolves when its subscription has no subscribers any more.
    async fn left(&self) {
        match self {
            Self::Shared => std::future::pending().await,
            Self::Isolated(subscription) => subscription.left.cancelled().await,
        }
    }

    /// Resolves when a subscription has joined, whose position may be behind.
    async fn joined(&self, group: &SubscriberGroup) {
        match self {
            Self::Shared => group.joined.notified().await,
            Self::Isolated(_) => std::future::pending().await,
        }
    }
}

impl SubscriberGroup {
    /// Dispatches all events, until there are no subscribers or the feed is lost.
    async fn dispatch(self: Arc<Self>, live: &Arc<Live>, lane: &Lane) {
        let runtime = &live.runtime;
        let mut heartbeat_at = Instant::now() + runtime.heartbeat;
        // The batch size, and how often in a row a batch of one was too slow.
        let (mut batch, mut tries) = (usize::MAX, 0);
        loop {
            let subscriptions = lane.subscriptions(&self);
            let positions = subscriptions
                .iter()
                .map(|subscription| subscription.position());
            let from = positions.min();
            tokio::select! {
                () = self.closed.cancelled() => return,
                () = lane.left() => return,
                () = lane.joined(&self) => continue,
                () = sleep_until(heartbeat_at) => {
                    let sent = self.heartbeat(runtime, &subscriptions).await;
                    heartbeat_at = Instant::now() + if sent { runtime.heartbeat } else { HEARTBEAT_PAUSE };
                    continue;
                }
                () = async {
                    match from {
                        Some(from) => self.feed.wait_past(from).await,
                        None => std::future::pending().await,
                    }
                } => {}
            }
            let Some(from) = from else { continue };
            let events = match self.feed.read(from).await {
                Ok(events) => events,
                Err(FeedError::Lost) => {
                    let cursor = self.feed.cursor(self.feed.position()).to_string();
                    let why = "what happened before this is not kept any more";
                    let failure = Failure::resync(why, Some(cursor));
                    return match lane {
                        Lane::Shared => self.fail(&failure),
                        Lane::Isolated(subscription) => subscription.end(&failure),
                    };
                }
                Err(FeedError::Failed(_)) => {
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let events = &events[..events.len().min(batch)];
            let notified = match lane {
                Lane::Shared => self.notify_shared(live, &subscriptions, events).await,
                Lane::Isolated(subscription) => {
                    self.notify_isolated(live, subscription, events).await
                }
            };
            match notified {
                Ok(took) => {
                    (batch, tries) = (batch.saturating_mul(2), 0);
                    if let Lane::Isolated(subscription) = lane
                        && !subscription.is_heavy
                        && took < runtime.limits.event_time / QUICK_PART
                    {
                        subscription.set_isolated(false);
                        self.joined.notify_one();
                        return;
                    }
                }
                Err(Undelivered::Unavailable) => sleep(PAUSE).await,
                Err(Undelivered::TooSlow) if events.len() > 1 => batch = events.len().div_ceil(2),
                Err(Undelivered::TooSlow) => {
                    tries += 1;
                    if let Lane::Isolated(subscription) = lane
                        && tries == TRIES
                    {
                        let cursor = self.feed.cursor(subscription.position()).to_string();
                        subscription.fail(&Failure::too_slow(cursor));
                        tries = 0;
                    }
                }
            }
        }
    }

    /// Notifies the shared lane. Subscriptions that are not notified in time are isolated, so that the others wait no
    /// longer.
    async fn notify_shared(
        self: &Arc<Self>,
        live: &Arc<Live>,
        subscriptions: &[Arc<SharedSubscription>],
        events: &[Arc<LoggedEvent>],
    ) -> Result<Duration, Undelivered> {
        let began = Instant::now();
        let patience = live.runtime.limits.event_time / SHARED_PART;
        for part in events.split_inclusive(changes_rights) {
            let Some(last) = part.last() else { continue };
            let notified = timeout(patience, self.notify(&live.runtime, subscriptions, part)).await;
            match notified {
                Ok(notified) => notified.map_err(|_| Undelivered::Unavailable)?,
                Err(_) => {
                    let late = subscriptions
                        .iter()
                        .filter(|subscription| subscription.position() < last.seq);
                    for subscription in late.filter(|subscription| subscription.set_isolated(true))
                    {
                        live.spawn_lane(self, Lane::Isolated(Arc::clone(subscription)));
                    }
                    recheck(subscriptions, last);
                    // The lane has other members from here on.
                    return Ok(began.elapsed());
                }
            }
            recheck(subscriptions, last);
        }
        Ok(began.elapsed())
    }

    /// Notifies an isolated subscription, while no other of the tenant renders.
    async fn notify_isolated(
        &self,
        live: &Arc<Live>,
        subscription: &Arc<SharedSubscription>,
        events: &[Arc<LoggedEvent>],
    ) -> Result<Duration, Undelivered> {
        let _permit = self.heavy.acquire().await;
        let began = Instant::now();
        let one = std::slice::from_ref(subscription);
        for part in events.split_inclusive(changes_rights) {
            let Some(last) = part.last() else { continue };
            let notified = self.notify(&live.runtime, one, part);
            let notified = timeout(live.runtime.limits.event_time, notified).await;
            notified
                .map_err(|_| Undelivered::TooSlow)?
                .map_err(|_| Undelivered::Unavailable)?;
            recheck(one, last);
        }
        Ok(began.elapsed())
    }

    /// Notifies subscriptions of events, all rendered on one snapshot.
    async fn notify(
        &self,
        runtime: &Runtime,
        subscriptions: &[Arc<SharedSubscription>],
        events: &[Arc<LoggedEvent>],
    ) -> Result<(), RenderError> {
        let context = self.shared_context(runtime);
        let traces = events.iter().filter_map(|event| event.trace.as_deref());
        let span = telemetry::delivery_span(events.len(), traces);
        let notified = subscriptions
            .iter()
            .map(|subscription| subscription.notify(runtime, &self.feed, &context, events));
        for notified in join_all(notified).instrument(span).await {
            notified?;
        }
        let now = context.db().clock().now();
        for event in events {
            runtime.metrics.live.note_lag(now - event.occurred_at);
        }
        Ok(())
    }

    /// Sends a heartbeat to all subscriptions that are up to date; whether all are.
    async fn heartbeat(
        &self,
        runtime: &Runtime,
        subscriptions: &[Arc<SharedSubscription>],
    ) -> bool {
        let context = self.shared_context(runtime);
        let mut all = true;
        for subscription in subscriptions {
            let sent = subscription.heartbeat(runtime, &self.feed, &context).await;
            all &= sent.unwrap_or(false);
        }
        all
    }
}

/// Whether an event may change rights: nothing after it is delivered before the rights it concerns are checked.
fn changes_rights(event: &Arc<LoggedEvent>) -> bool {
    ACCESS.contains(&event.entity.as_str())
}

/// Interrupts subscribers whose rights an event may have changed, at its position in the order: subscriptions past it have
/// done so already, and those before it will when they reach it. Notes that this was done.
fn recheck(subscriptions: &[Arc<SharedSubscription>], event: &Arc<LoggedEvent>) {
    if changes_rights(event) {
        let here = subscriptions
            .iter()
            .filter(|subscription| subscription.position() == event.seq);
        for subscription in here {
            subscription.recheck(event.seq, |actor| concerns(event, actor));
        }
    }
    for subscription in subscriptions {
        subscription.note_checked(event.seq);
    }
}

/// Whether an event may have changed the actor's rights.
fn concerns(event: &LoggedEvent, actor: &Actor) -> bool {
    match event.entity.as_str() {
        "member" | "apiKey" => actor.row_id() == event.id,
        "role" => actor
            .custom_role
            .is_some_and(|role| role.uuid() == event.id),
        _ => true,
    }
}
