//! Subscriptions: every subscriber is told of every change that it may see, once, in order.
//!
//! # How
//! - A subscription's resolver is run once to say what it watches ([`turn`]). Then it is run for each event by an
//!   [`audience`]: all who asked the same and see the same. So an event is worked out once, however many listen.
//! - Audiences of one visibility class of a tenant make a [`circle`]. It reads the tenant's feed and runs its audiences
//!   for a batch of events on one snapshot: one statement per level of the answer.
//! - Who joins with a cursor is first told privately what came after it, and enters the audience where that keeps its
//!   latest messages; so there is neither a gap nor a double.
//! - What is sent waits in the client's [`outbox`]. Whoever does not take it is told where to resume.
//! - Rights are those of the class. An event that may change them interrupts whom it concerns, in its place in the
//!   order; they come back with the rights they have then.

mod admission;
mod audience;
mod circle;
mod failure;
mod operation;
mod outbox;
mod peer;
mod query;
mod told;
mod turn;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_graphql::Request;
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{RequestContext, Schema, limits::Limits};
use crate::{
    audit::{Origin, Recorder},
    auth::{Actor, Class},
    cache::{Presences, Present, Stay},
    db::Db,
    events::{EventCursor, Feed, FeedError, Hub},
    ids::UserId,
    telemetry::metrics::Metrics,
};
pub(crate) use admission::{Admission, Pass};
use audience::{Audience, Behind, Kind, Subscriber};
use circle::Circle;
pub(crate) use failure::{Failure, Refused};
use operation::{Operation, Unanswered};
pub(crate) use outbox::{Message, OperationId, Outbox, Parcel};
pub(crate) use peer::{Checked, Peer, rights_changed};
use turn::{Plan, Planned, Turn};
pub use {
    query::LiveQuery,
    told::{FieldChange, Told},
    turn::{Turns, changes, presence, value},
};

/// A new audience begins with whoever came back after no more events than this, so that others who come back find it
/// all there.
const SHARED_RETURN: i64 = 128;
/// Under this name the log knows what is run for subscriptions.
const ORIGIN: &str = "subscription";

/// What subscriptions are run with.
pub(super) struct Running {
    schema: Schema,
    limits: Limits,
    db: Db,
    recorder: Recorder,
    pub(super) metrics: Arc<Metrics>,
}

/// Where subscriptions get what they tell of, and where they are counted.
pub struct Sources {
    /// What happened.
    pub hub: Arc<Hub>,
    /// Who looks at what.
    pub presences: Arc<Presences>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

impl Running {
    fn context(&self, actor: Arc<Actor>) -> Arc<RequestContext> {
        let parts = (self.db.clone(), self.recorder.clone());
        Arc::new(RequestContext::new(parts, actor, Origin::process(ORIGIN)))
    }
}

/// All subscriptions of a server.
pub(crate) struct Live {
    running: Running,
    hub: Arc<Hub>,
    presences: Arc<Presences>,
    circles: Mutex<HashMap<Class, Arc<Circle>>>,
    seats: AtomicU64,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Where what an operation has to say is sent.
#[derive(Clone)]
pub(crate) struct Line {
    /// The operation, by its client's name for it.
    pub(crate) operation: OperationId,
    /// The client's queue.
    pub(crate) outbox: Arc<Outbox>,
}

/// A subscription under way; dropped, it ends.
pub(crate) struct Seat {
    live: Arc<Live>,
    circle: Arc<Circle>,
    audience: Arc<Audience>,
    id: u64,
    /// Held for as long as the client looks at a record.
    _stay: Option<Stay>,
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
    pub(super) fn new(
        schema: Schema,
        (db, recorder): (Db, Recorder),
        limits: Limits,
        sources: Sources,
    ) -> Arc<Self> {
        let Sources {
            hub,
            presences,
            metrics,
        } = sources;
        Arc::new(Self {
            running: Running {
                schema,
                limits,
                db,
                recorder,
                metrics,
            },
            hub,
            presences,
            circles: Mutex::default(),
            seats: AtomicU64::new(0),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        })
    }

    /// Ends all that runs for subscriptions.
    pub(crate) async fn finish(&self) {
        self.stop.cancel();
        for (_, circle) in self.circles().drain() {
            circle.closed.cancel();
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// What is counted.
    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.running.metrics
    }

    /// Begins a subscription: plans it, tells what was missed, and enters it where all others are told. When this
    /// returns, everything that is committed from now on will arrive.
    ///
    /// # Errors
    /// What the executor refuses; `RESYNC` when there is no going on from the cursor; `UNAVAILABLE`.
    pub(crate) async fn open(
        self: &Arc<Self>,
        actor: Arc<Actor>,
        request: Request,
        (line, start): (Line, Start),
    ) -> Result<Seat, Refused> {
        let operation = Operation::new(request)?;
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
        let is_interrupted = matches!(start, Start::After(_));
        let place = match start {
            Start::After(seq) => Ok(seq),
            Start::Cursor(cursor) => feed.place(&cursor).await,
            Start::Asked => match asked {
                Some(cursor) => feed.place(&cursor).await,
                None => Ok(feed.position()),
            },
        };
        let mut after = place.map_err(|error| refused(error, &feed))?;
        let mut seat = self.join((&actor, &feed), operation, kind, after);
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
        let mut context = Some(context);
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
            after = self.catch_up(&seat, &actor, &line, after).await?;
        }
    }

    /// Tells a subscriber a page of what came after an event; answers how far that is.
    async fn catch_up(
        &self,
        seat: &Seat,
        actor: &Arc<Actor>,
        line: &Line,
        after: i64,
    ) -> Result<i64, Refused> {
        let feed = &seat.circle.feed;
        let events = feed
            .read(after)
            .await
            .map_err(|error| refused(error, feed))?;
        let Some(last) = events.last() else {
            // The audience is further than the feed for a moment only.
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            return Ok(after);
        };
        let context = self.running.context(Arc::clone(actor));
        let messages = seat
            .audience
            .messages(&self.running, feed, &context, &events)
            .await?;
        // The snapshot is not held while the client takes its time.
        drop(context);
        for message in &messages {
            let sent = line.outbox.send(&line.operation, message).await;
            sent.map_err(|_| Failure::new("GONE", "the client is gone"))?;
        }
        Ok(last.seq)
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

    /// Finds the audience of an operation, or makes it.
    fn join(
        self: &Arc<Self>,
        (actor, feed): (&Arc<Actor>, &Arc<Feed>),
        operation: Operation,
        kind: Kind,
        after: i64,
    ) -> Seat {
        let class = actor.class(operation.is_personal);
        let mut circles = self.circles();
        let known = circles
            .get(&class)
            .filter(|circle| Arc::ptr_eq(&circle.feed, feed) && !circle.closed.is_cancelled());
        let circle = match known {
            Some(circle) => Arc::clone(circle),
            None => {
                let new = Circle::new(class.clone(), Arc::clone(actor), Arc::clone(feed));
                let new = Arc::new(new);
                circles.insert(class, Arc::clone(&new));
                let (live, circle) = (Arc::clone(self), Arc::clone(&new));
                self.tasks
                    .spawn(async move { circle.run(&live.running).await });
                new
            }
        };
        let audience = circle.audience(&operation.key).unwrap_or_else(|| {
            let position = feed.position();
            let from = match position - after {
                0..=SHARED_RETURN => after,
                _ => position,
            };
            let audience = Arc::new(Audience::new(operation, kind, from));
            circle.add(Arc::clone(&audience));
            if matches!(audience.kind, Kind::Value { .. }) {
                let (live, circle, audience) =
                    (Arc::clone(self), Arc::clone(&circle), Arc::clone(&audience));
                self.tasks
                    .spawn(async move { circle.keep_value(&live.running, &audience).await });
            }
            audience
        });
        audience.take_seat();
        self.running.metrics.subscriptions.inc();
        Seat {
            live: Arc::clone(self),
            circle,
            audience,
            id: self.seats.fetch_add(1, Ordering::Relaxed),
            _stay: None,
        }
    }

    fn circles(&self) -> MutexGuard<'_, HashMap<Class, Arc<Circle>>> {
        self.circles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Wants to know who looks at a record, and looks too when it is a person.
    fn look_at(&mut self, record: &str, person: Option<UserId>) {
        let Kind::Value { outdated, .. } = &self.audience.kind else {
            return;
        };
        let now = self.live.running.db.clock().now();
        let who = person.map(|user| Present {
            since_ms: now.timestamp_millis(),
            user,
        });
        let place = (self.circle.feed.tenant(), record);
        self._stay = Some(self.live.presences.enter(place, who, outdated));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.live.running.metrics.subscriptions.dec();
        if !self.audience.leave(self.id) {
            return;
        }
        let mut circles = self.live.circles();
        if self.circle.remove_if_empty(&self.audience) {
            self.circle.closed.cancel();
            let is_known = circles
                .get(&self.circle.class)
                .is_some_and(|known| Arc::ptr_eq(known, &self.circle));
            if is_known {
                circles.remove(&self.circle.class);
            }
        }
        // One that waits for its value to change is told that nobody is left.
        if let Kind::Value { outdated, .. } = &self.audience.kind {
            outdated.notify_one();
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

fn refused(error: FeedError, feed: &Feed) -> Failure {
    match error {
        FeedError::Lost => Failure::resync(
            "there is no going on from this cursor",
            Some(feed.cursor(feed.position()).to_string()),
        ),
        FeedError::Failed(error) => error.into(),
    }
}
