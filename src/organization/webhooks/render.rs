//! What the sender asks of whoever can run documents: this layer stands below the schema.

use std::sync::{Arc, OnceLock, Weak};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde_json::Value as Json;
use uuid::Uuid;

use super::WebhookSubscription;
use crate::{
    access::Actor,
    base::error::{Error, Result},
    events::{Change, EventCursor},
};

/// Runs subscriptions for those who are not connected.
pub trait Renderer: Send + Sync {
    /// Whether it is a subscription of events that the actor may have.
    fn check<'a>(
        &'a self,
        actor: &'a Arc<Actor>,
        subscription: &'a WebhookSubscription,
    ) -> BoxFuture<'a, Result<()>>;

    /// What the actor is sent for the next events after a number, in their order; each by the first subscription that
    /// takes it. `known` is how far the log is at least.
    fn render<'a>(
        &'a self,
        actor: &'a Arc<Actor>,
        subscriptions: &'a [WebhookSubscription],
        after: i64,
        known: i64,
    ) -> BoxFuture<'a, Result<Page, RenderFailure>>;
}

/// What follows from some events.
#[derive(Debug)]
pub struct Page {
    /// The last of these events; the same as `after` when there were none.
    pub upto: i64,
    /// What is to be sent.
    pub rendered: Vec<Rendered>,
}

/// The answer of a subscription to one event.
#[derive(Debug)]
pub struct Rendered {
    /// The event.
    pub cursor: EventCursor,
    /// What happened.
    pub change: Change,
    /// To what kind of record.
    pub entity: String,
    /// To which one.
    pub id: Uuid,
    /// In whose name.
    pub author: String,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// The field of the answer, without its name.
    pub data: Json,
    /// The errors of the answer.
    pub errors: Option<Json>,
}

/// Why nothing is answered.
#[derive(Debug, Clone)]
pub enum RenderFailure {
    /// The same may work later.
    Unavailable,
    /// A document does not fit the schema, or the rights of the actor: for people, what is wrong with it.
    Unreadable(String),
    /// The events after that number are not kept any more.
    LogLost,
}

/// Where the renderer is found once there is one: the schema, whose mutations ask it, is made before.
#[derive(Clone, Default)]
pub struct RendererHandle(Arc<OnceLock<Weak<dyn Renderer>>>);

impl RendererHandle {
    /// Says which one. The first time counts.
    pub fn set(&self, renderer: Weak<dyn Renderer>) {
        // Another one would be of another server.
        let _first = self.0.set(renderer);
    }

    pub(super) fn get(&self) -> Result<Arc<dyn Renderer>> {
        let renderer = self.0.get().and_then(Weak::upgrade);
        renderer.ok_or(Error::Unavailable("this server"))
    }
}
