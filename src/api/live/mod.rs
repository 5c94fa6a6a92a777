//! Subscriptions: every subscriber is told of every change that it may see, once, in order.
//!
//! # How
//! - A subscription's resolver is run once to say what it watches ([`turn`]). Then it is run for each event by an
//!   [`shared`]: all who asked the same and see the same. So an event is worked out once, however many listen.
//! - Audiences of one visibility class of a tenant make a [`group`]. It reads the tenant's feed and runs its audiences
//!   for a batch of events on one snapshot: one statement per level of the answer.
//! - Who joins with a cursor is first told privately what came after it, and enters the audience where that keeps its
//!   latest messages; so there is neither a gap nor a double.
//! - Who is up to date is told so every now and then, as a pulse: by its absence a client knows that it is not. It costs
//!   the database nothing, since the [`crate::events::Hub`] looks at the logs of all watched tenants in any case.
//! - Nobody waits for the slow: an audience that is heavy, or turns out to be, is told aside, in turns with others of its
//!   tenant that are, and ended when it takes too long ([`dispatch`]).
//! - What is sent waits in the client's [`send_queue`]. Whoever does not take it is told where to resume.
//! - Rights are those of the class. An event that may change them interrupts whom it concerns, in its place in the
//!   order; they come back with the rights they have then.

mod connection_limits;
mod dispatch;
mod failure;
mod group;
mod handle;
mod open;
mod operation;
mod peer;
mod query;
mod replay;
mod send_queue;
mod shared;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, atomic::AtomicU64},
    time::Duration,
};

use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Schema, Spending, limits::Limits};
use crate::{
    access::{Actor, Class},
    base::ids::TenantId,
    db::{
        Db,
        journal::{Origin, Recorder},
    },
    events::Hub,
    graphql::RequestContext,
    platform::{redis::Presences, telemetry::metrics::Metrics},
};
pub(crate) use connection_limits::{Admission, Pass};
pub(crate) use failure::{Failure, Refused};
use group::Circle;
pub(crate) use handle::Seat;
pub(crate) use open::{Line, Start};
pub(crate) use peer::{Checked, Peer, rights_changed};
pub use query::LiveQuery;
pub(crate) use send_queue::{Message, OperationId, Outbox, Parcel};

/// Under this name the log knows what is run for subscriptions.
const ORIGIN: &str = "subscription";

/// The answers to a batch of events may come to as much as so many of the largest.
const SHARED: usize = 4;

/// What subscriptions are run with.
pub(super) struct Running {
    schema: Schema,
    limits: Limits,
    db: Db,
    recorder: Recorder,
    spending: Arc<Spending>,
    pub(super) metrics: Arc<Metrics>,
    /// How often those who are up to date are told so.
    pulse: Duration,
}

/// Where subscriptions get what they tell of, and where they are counted.
pub struct Sources {
    /// What happened.
    pub hub: Arc<Hub>,
    /// Who looks at what.
    pub presences: Arc<Presences>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// How often those who are up to date are told so.
    pub pulse: Duration,
}

impl Running {
    /// What one answer is worked out with.
    fn context(&self, actor: Arc<Actor>) -> Arc<RequestContext> {
        self.context_within(actor, self.limits.response_bytes)
    }

    /// What the answers to a batch of events are worked out with: on one snapshot, which is a statement per level for all
    /// of them. Where that comes to too much, each is worked out by itself ([`Audience::one_by_one`]).
    ///
    /// [`Audience::one_by_one`]: shared::Audience::one_by_one
    fn shared_context(&self, actor: Arc<Actor>) -> Arc<RequestContext> {
        self.context_within(actor, SHARED * self.limits.response_bytes)
    }

    fn context_within(&self, actor: Arc<Actor>, bytes: usize) -> Arc<RequestContext> {
        let parts = (self.db.clone(), self.recorder.clone());
        let origin = Origin::process(ORIGIN);
        Arc::new(RequestContext::new(parts, actor, (origin, bytes)))
    }
}

/// All subscriptions of a server.
pub(crate) struct Live {
    running: Running,
    hub: Arc<Hub>,
    presences: Arc<Presences>,
    circles: Mutex<HashMap<Class, Arc<Circle>>>,
    /// The turns of those that are heavy, in each tenant.
    heavy: Mutex<HashMap<TenantId, Weak<Semaphore>>>,
    seats: AtomicU64,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Live {
    pub(super) fn new(
        schema: Schema,
        (db, recorder): (Db, Recorder),
        (limits, spending): (Limits, Arc<Spending>),
        sources: Sources,
    ) -> Arc<Self> {
        let Sources {
            hub,
            presences,
            metrics,
            pulse,
        } = sources;
        Arc::new(Self {
            running: Running {
                schema,
                limits,
                db,
                recorder,
                spending,
                metrics,
                pulse,
            },
            hub,
            presences,
            circles: Mutex::default(),
            heavy: Mutex::default(),
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

    /// The turns of those of a tenant that are heavy: however many there are, one is worked out at a time, so that they
    /// leave connections to everybody else.
    fn heavy(&self, tenant: TenantId) -> Arc<Semaphore> {
        let mut all = self.heavy.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(&tenant).and_then(Weak::upgrade) {
            return known;
        }
        all.retain(|_, turns| turns.strong_count() > 0);
        let new = Arc::new(Semaphore::new(1));
        all.insert(tenant, Arc::downgrade(&new));
        new
    }

    fn circles(&self) -> MutexGuard<'_, HashMap<Class, Arc<Circle>>> {
        self.circles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
