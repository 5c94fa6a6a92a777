//! All of a visibility class who asked the same: whatever is told is worked out once and sent to each.

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
    Failure, Message, OperationId, Outbox, Parcel, Running,
    operation::{Operation, Unanswered},
    send_queue::Full,
};
use crate::{
    access::Actor,
    db::list,
    events::{Change, Feed, Logged, Outlook, Watched},
    graphql::{
        RequestContext,
        subscription::{Happening, Turn},
    },
};

/// Messages that are kept for those who come back after a short break.
const KEPT: usize = 128;
/// Most bytes of them.
const KEPT_BYTES: usize = 1024 * 1024;

/// Who asked the same and sees the same.
pub(super) struct Audience {
    pub(super) operation: Operation,
    pub(super) kind: Kind,
    /// Whether it is always told by itself.
    pub(super) is_heavy: bool,
    /// Whether it is told by itself now.
    is_aside: AtomicBool,
    /// Nobody is here any more.
    pub(super) left: CancellationToken,
    state: Mutex<State>,
}

/// What they are told.
pub(super) enum Kind {
    /// What happens to records.
    Changes(Watched),
    /// A value, whenever it is another one.
    Value {
        /// What it follows from.
        watched: Watched,
        /// Told when it may be another one.
        outdated: Arc<Notify>,
    },
}

struct State {
    /// All up to this event is told.
    position: i64,
    /// The latest messages: all after a number.
    kept: VecDeque<Arc<Message>>,
    kept_bytes: usize,
    kept_after: i64,
    /// The place of the last message that was sent to all.
    told: i64,
    /// The last announcement of a place.
    synced: Option<Arc<Message>>,
    subscribers: HashMap<u64, Subscriber>,
    /// Who is here, or on the way.
    seats: usize,
    /// Why nobody is told anything any more.
    ended: Option<Failure>,
}

/// One operation of one client.
pub(super) struct Subscriber {
    pub(super) operation: OperationId,
    pub(super) outbox: Arc<Outbox>,
    pub(super) actor: Arc<Actor>,
    /// What it has been told already.
    pub(super) after: i64,
}

/// A subscriber is too far behind to enter, or has too much waiting: it has to be told privately first.
pub(super) struct Behind;

impl Audience {
    pub(super) fn new((operation, is_heavy): (Operation, bool), kind: Kind, position: i64) -> Self {
        Self {
            operation,
            kind,
            is_heavy,
            is_aside: AtomicBool::new(is_heavy),
            left: CancellationToken::new(),
            state: Mutex::new(State {
                position,
                kept: VecDeque::new(),
                kept_bytes: 0,
                kept_after: position,
                told: position,
                synced: None,
                subscribers: HashMap::new(),
                seats: 0,
                ended: None,
            }),
        }
    }

    pub(super) fn watched(&self) -> &Watched {
        match &self.kind {
            Kind::Changes(watched) | Kind::Value { watched, .. } => watched,
        }
    }

    /// Whether it is told by itself.
    pub(super) fn is_aside(&self) -> bool {
        self.is_aside.load(Ordering::Acquire)
    }

    /// Has it told by itself or not from now on; whether that is news.
    pub(super) fn set_aside(&self, is_aside: bool) -> bool {
        self.is_aside.swap(is_aside, Ordering::AcqRel) != is_aside
    }

    pub(super) fn position(&self) -> i64 {
        self.state().position
    }

    pub(super) fn take_seat(&self) {
        self.state().seats += 1;
    }

    /// Whether nobody is left.
    pub(super) fn leave(&self, seat: u64) -> bool {
        let mut state = self.state();
        state.subscribers.remove(&seat);
        state.seats -= 1;
        state.seats == 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.state().seats == 0
    }

    /// Lets a subscriber in: first the announcement, then what it missed, and from then on what all are told.
    pub(super) fn enter(
        &self,
        seat: u64,
        subscriber: Subscriber,
        first: Option<Arc<Message>>,
    ) -> Result<(), Behind> {
        let mut state = self.state();
        // It may have ended while this one was on the way.
        if let Some(failure) = &state.ended {
            let failed = Parcel::Failed(subscriber.operation, failure.clone());
            subscriber.outbox.put(failed);
            return Ok(());
        }
        let is_resuming = matches!(self.kind, Kind::Changes(_));
        if is_resuming && subscriber.after < state.kept_after {
            return Err(Behind);
        }
        let missed = state
            .kept
            .iter()
            .filter(|message| message.seq > subscriber.after);
        let messages: Vec<_> = first.iter().chain(missed).cloned().collect();
        let pushed = subscriber.outbox.push_all(&subscriber.operation, &messages);
        pushed.map_err(|Full| Behind)?;
        state.subscribers.insert(seat, subscriber);
        Ok(())
    }

    /// Works out what a class is told of events, in their order.
    pub(super) async fn messages(
        &self,
        running: &Running,
        feed: &Feed,
        context: &Arc<RequestContext>,
        events: &[Arc<Logged>],
    ) -> Result<Vec<Arc<Message>>, Unanswered> {
        let happenings = self.happenings(feed, context, events).await?;
        let rendered = happenings.into_iter().map(async |happening| {
            let (seq, cursor) = (happening.cursor.seq, happening.cursor.to_string());
            let payload = self.render(running, context, Turn::Tell(Arc::new(happening)));
            Ok(Arc::new(Message {
                seq,
                cursor,
                payload: payload.await?,
            }))
        });
        try_join_all(rendered).await
    }

    /// Works out what is told of one event by itself, where all that are due are too much together: so there is never more
    /// in memory than one answer may come to.
    pub(super) async fn alone(
        &self,
        running: &Running,
        feed: &Feed,
        actor: &Arc<Actor>,
        event: &Arc<Logged>,
    ) -> Result<Vec<Arc<Message>>, Unanswered> {
        let context = running.context(Arc::clone(actor));
        let event = std::slice::from_ref(event);
        self.messages(running, feed, &context, event).await
    }

    async fn happenings(
        &self,
        feed: &Feed,
        context: &Arc<RequestContext>,
        events: &[Arc<Logged>],
    ) -> Result<Vec<Happening>, Unanswered> {
        let (watched, actor) = (self.watched(), context.actor());
        let outlooks: Vec<_> = events
            .iter()
            .map(|event| (event, watched.outlook(actor, event)))
            .filter(|(_, outlook)| *outlook != Outlook::Told(None))
            .collect();
        let asked: Vec<_> = outlooks
            .iter()
            .filter(|(_, outlook)| matches!(outlook, Outlook::Depends { .. }))
            .map(|(event, _)| event.id)
            .collect();
        let met = match asked.is_empty() {
            true => Vec::new(),
            false => {
                let table = (watched.table, watched.id_column);
                let ask = context
                    .read(async |tx| list::matching(tx, table, asked, &watched.filter).await);
                ask.await.map_err(|_| Unanswered::Later)?
            }
        };
        let happening = |(event, outlook): (&Arc<Logged>, Outlook)| {
            let change = match outlook {
                Outlook::Told(change) => change,
                Outlook::Depends { met: change, .. } if met.contains(&event.id) => Some(change),
                Outlook::Depends { unmet, .. } => unmet,
            };
            Some(Happening {
                change: change?,
                cursor: feed.cursor(event.seq),
                was_seen: watched.was_seen(actor, event),
                event: Some(Arc::clone(event)),
            })
        };
        Ok(outlooks.into_iter().filter_map(happening).collect())
    }

    /// The announcement that all up to a place is told.
    pub(super) async fn synced(
        &self,
        running: &Running,
        feed: &Feed,
        context: &Arc<RequestContext>,
        seq: i64,
    ) -> Result<Arc<Message>, Unanswered> {
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
        let nothing = Happening {
            change: Change::Synced,
            cursor,
            event: None,
            was_seen: false,
        };
        let payload = self.render(running, context, Turn::Tell(Arc::new(nothing)));
        let message = Arc::new(Message {
            seq,
            cursor: text,
            payload: payload.await?,
        });
        self.state().synced = Some(Arc::clone(&message));
        Ok(message)
    }

    pub(super) async fn render(
        &self,
        running: &Running,
        context: &Arc<RequestContext>,
        turn: Turn,
    ) -> Result<Arc<str>, Unanswered> {
        running.metrics.rendered.inc();
        let with = (&running.schema, &running.limits);
        self.operation.render(with, context, turn).await
    }

    /// Tells all of events, unless they were told already. An audience that came about while the events were read may
    /// be further behind than where they begin: it is left for the next time, or it would miss what lies between.
    pub(super) async fn tell(
        &self,
        running: &Running,
        feed: &Feed,
        context: &Arc<RequestContext>,
        events: &[Arc<Logged>],
    ) -> Result<(), Unanswered> {
        let (Some(first), Some(last)) = (events.first(), events.last()) else {
            return Ok(());
        };
        let (position, last) = (self.position(), last.seq);
        if position + 1 < first.seq {
            return Ok(());
        }
        let fresh = events.partition_point(|event| event.seq <= position);
        let events = &events[fresh..];
        let messages = match &self.kind {
            Kind::Changes(_) => match self.messages(running, feed, context, events).await {
                _ if context.is_too_large() => {
                    for event in events {
                        let messages = self.alone(running, feed, context.actor(), event);
                        let messages = messages.await?;
                        self.state().send(running, feed, messages, event.seq);
                    }
                    return Ok(());
                }
                messages => messages?,
            },
            Kind::Value { watched, outdated } => {
                let concerns = |event: &Arc<Logged>| {
                    watched.outlook(context.actor(), event) != Outlook::Told(None)
                };
                if events.iter().any(concerns) {
                    outdated.notify_one();
                }
                Vec::new()
            }
        };
        self.state().send(running, feed, messages, last);
        Ok(())
    }

    /// Sends the value to all whose last one was another. With `again`, also to those who have not had any.
    pub(super) fn send_value(&self, running: &Running, feed: &Feed, payload: Arc<str>) {
        let mut state = self.state();
        let is_new = state.kept.back().is_none_or(|last| last.payload != payload);
        if is_new {
            // Values are numbered by themselves; nobody resumes from them.
            let seq = state.told + 1;
            let message = Message {
                seq,
                cursor: String::new(),
                payload,
            };
            state.kept.clear();
            state.kept_bytes = 0;
            let position = state.position;
            state.send(running, feed, vec![Arc::new(message)], position);
        }
    }

    /// Tells all that they have been told everything, if that is so by the word of the database; whether it was.
    pub(super) async fn pulse(
        &self,
        running: &Running,
        feed: &Feed,
        context: &Arc<RequestContext>,
    ) -> Result<bool, Unanswered> {
        if matches!(self.kind, Kind::Value { .. }) {
            return Ok(true);
        }
        let position = self.position();
        if !feed.is_current(position) {
            return Ok(false);
        }
        let message = self.synced(running, feed, context, position).await?;
        let mut state = self.state();
        // What was told meanwhile makes it old news.
        if state.position != position {
            return Ok(false);
        }
        state.told = position;
        // Who came from a server that was quicker has been told more than this one knows.
        let here = |subscriber: &&Subscriber| subscriber.after <= position;
        for subscriber in state.subscribers.values().filter(here) {
            // No room means that messages wait whose cursors will do.
            _ = subscriber.outbox.push(&subscriber.operation, &message);
        }
        Ok(true)
    }

    /// Ends all operations, and those of whoever is on the way, for one reason.
    pub(super) fn end(&self, failure: &Failure) {
        self.state().ended = Some(failure.clone());
        self.fail(failure);
    }

    /// Ends all operations, for one reason.
    pub(super) fn fail(&self, failure: &Failure) {
        for (_, subscriber) in self.state().subscribers.drain() {
            let operation = subscriber.operation;
            subscriber
                .outbox
                .put(Parcel::Failed(operation, failure.clone()));
        }
    }

    /// Interrupts those whose rights an event may have changed: they come back when these are known.
    pub(super) fn recheck(&self, seq: i64, is_concerned: impl Fn(&Actor) -> bool) {
        let since = Instant::now();
        let mut state = self.state();
        let concerned = state
            .subscribers
            .extract_if(|_, subscriber| is_concerned(&subscriber.actor));
        for (_, subscriber) in concerned {
            // Who came from a server that was quicker has been told more than that.
            let seq = seq.max(subscriber.after);
            let parcel = Parcel::Recheck(subscriber.operation, seq, since);
            subscriber.outbox.put(parcel);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn send(&mut self, running: &Running, feed: &Feed, messages: Vec<Arc<Message>>, position: i64) {
        for message in &messages {
            let mut lagging = Vec::new();
            for (seat, subscriber) in &self.subscribers {
                if message.seq <= subscriber.after {
                    continue;
                }
                if subscriber
                    .outbox
                    .push(&subscriber.operation, message)
                    .is_err()
                {
                    lagging.push(*seat);
                }
            }
            running.metrics.sent.inc_by(self.subscribers.len() as u64);
            for seat in lagging {
                if let Some(slow) = self.subscribers.remove(&seat) {
                    running.metrics.lagged.inc();
                    let resume = feed.cursor(self.told.max(slow.after)).to_string();
                    let failure = Failure::lagged(resume);
                    slow.outbox.put(Parcel::Failed(slow.operation, failure));
                }
            }
            self.told = message.seq;
        }
        for message in messages {
            self.kept_bytes += message.payload.len();
            self.kept.push_back(message);
        }
        // The last one is kept however large: a value that is to be compared with the next.
        while self.kept.len() > KEPT || (self.kept.len() > 1 && self.kept_bytes > KEPT_BYTES) {
            let Some(oldest) = self.kept.pop_front() else {
                break;
            };
            self.kept_bytes -= oldest.payload.len();
            self.kept_after = oldest.seq;
        }
        self.position = position.max(self.position);
    }
}
