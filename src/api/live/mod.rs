//! Subscriptions: each subscriber is notified of each change that it may see, once and in commit order.
//!
//! # How
//! - A subscription's resolver runs once to say what it watches ([`ResolverMode::Plan`]). After that it runs for each
//!   event, on behalf of a [`SharedSubscription`](shared::SharedSubscription): all subscribers with the same operation
//!   and the same visibility. So the cost of an event does not depend on the number of subscribers.
//! - The shared subscriptions of one visibility class of a tenant form a [`SubscriberGroup`]. It reads the tenant's
//!   feed and renders a batch of events for all of them on one snapshot: one statement per level of the response.
//! - A subscriber that resumes from a cursor first gets a private replay of what came after it, and joins the shared
//!   subscription at a position that its buffer of recent responses still covers; so there is neither a gap nor a
//!   duplicate.
//! - Subscribers that are up to date get a heartbeat that says so; a client that misses it knows that it may be stale.
//!   It costs the database nothing, since the [`crate::events::Hub`] polls the logs of all watched tenants in any case.
//! - A slow subscription delays no other: one that is heavy, or turns out to be, is dispatched in a lane of its own,
//!   one at a time per tenant, and is ended when it takes too long ([`dispatch`]).
//! - Rows whose changes are in no event, such as jobs, are looked at once a second while somebody subscribes to them
//!   ([`rows`]): one statement for each shared subscription, however many subscribers there are.
//! - Responses wait in the client's bounded [`SendQueue`]. A client that lags behind is ended with a cursor to resume from.
//! - Rights are those of the class. An event that may change them interrupts the subscribers it concerns, at its
//!   position in the order; they resume with the rights they have then.
//!
//! [`ResolverMode::Plan`]: crate::graphql::subscription::ResolverMode::Plan

mod connection_limits;
mod dispatch;
mod failure;
mod group;
mod handle;
mod open;
mod operation;
pub(super) mod page;
mod peer;
mod query;
mod replay;
mod rows;
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
    graphql::{RequestContext, RequestParts},
    platform::{redis::Presences, telemetry::metrics::Metrics},
};
pub(crate) use connection_limits::{ConnectionLimits, ConnectionPermit};
pub(crate) use failure::{Failure, Refused};
use group::SubscriberGroup;
pub(crate) use handle::SubscriptionHandle;
pub(crate) use open::{Recipient, Start};
pub(crate) use peer::{Peer, RightsCheck, rights_changed};
pub use query::LiveQuery;
pub(crate) use send_queue::{Delivery, OperationId, RenderedResponse, SendQueue};

/// The origin that logs and audit entries name for what subscriptions run.
const ORIGIN: &str = "subscription";

/// The responses to a batch of events may take as many bytes as this many of the largest single response.
const BATCH_RESPONSES: usize = 4;

/// What subscriptions run with.
pub(super) struct Runtime {
    pub(super) schema: Schema,
    pub(super) limits: Limits,
    pub(super) db: Db,
    pub(super) recorder: Recorder,
    pub(super) spending: Arc<Spending>,
    pub(super) metrics: Arc<Metrics>,
    /// How often subscribers that are up to date get a heartbeat.
    pub(super) heartbeat: Duration,
}

/// Where subscriptions get their events from, and where they are counted.
pub struct Sources {
    /// The event feeds of tenants.
    pub hub: Arc<Hub>,
    /// Who is viewing which record.
    pub presences: Arc<Presences>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// How often subscribers that are up to date get a heartbeat.
    pub heartbeat: Duration,
}

impl Runtime {
    /// The request context of one response.
    fn context(&self, actor: Arc<Actor>) -> Arc<RequestContext> {
        self.context_within(actor, self.limits.response_bytes)
    }

    /// The request context of a batch of events: one snapshot, hence one statement per level for all of them. Where the
    /// responses get too large together, each event is rendered by itself
    /// ([`render_alone`](shared::SharedSubscription::render_alone)).
    fn shared_context(&self, actor: Arc<Actor>) -> Arc<RequestContext> {
        self.context_within(actor, BATCH_RESPONSES * self.limits.response_bytes)
    }

    fn context_within(&self, actor: Arc<Actor>, response_bytes: usize) -> Arc<RequestContext> {
        let parts = RequestParts {
            db: self.db.clone(),
            recorder: self.recorder.clone(),
            origin: Origin::process(ORIGIN),
            response_bytes,
        };
        Arc::new(RequestContext::new(actor, parts))
    }
}

/// All subscriptions of a server.
pub(crate) struct Live {
    runtime: Runtime,
    hub: Arc<Hub>,
    presences: Arc<Presences>,
    groups: Mutex<HashMap<Class, Arc<SubscriberGroup>>>,
    /// The permit of each tenant's heavy subscriptions.
    heavy: Mutex<HashMap<TenantId, Weak<Semaphore>>>,
    next_handle: AtomicU64,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Live {
    pub(super) fn new(runtime: Runtime, hub: Arc<Hub>, presences: Arc<Presences>) -> Arc<Self> {
        Arc::new(Self {
            runtime,
            hub,
            presences,
            groups: Mutex::default(),
            heavy: Mutex::default(),
            next_handle: AtomicU64::new(0),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        })
    }

    /// Ends all subscriptions and their tasks.
    pub(crate) async fn finish(&self) {
        self.stop.cancel();
        for (_, group) in self.groups().drain() {
            group.closed.cancel();
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// The metrics.
    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.runtime.metrics
    }

    /// The permit of a tenant's heavy subscriptions: however many there are, one renders at a time, so that they leave
    /// connections to the tenant's other requests.
    fn heavy(&self, tenant: TenantId) -> Arc<Semaphore> {
        let mut all = self.heavy.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(&tenant).and_then(Weak::upgrade) {
            return known;
        }
        all.retain(|_, permits| permits.strong_count() > 0);
        let new = Arc::new(Semaphore::new(1));
        all.insert(tenant, Arc::downgrade(&new));
        new
    }

    fn groups(&self) -> MutexGuard<'_, HashMap<Class, Arc<SubscriberGroup>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
