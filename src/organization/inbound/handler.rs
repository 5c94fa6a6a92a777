//! What messages come to: a handler for each kind that an endpoint can name.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::BoxFuture;

use super::model::InboundHandlerKind;
use crate::{
    base::{
        error::Result,
        ids::{InboundEndpointId, InboundMessageId, IntegrationId, LeadFormId},
    },
    db::Tx,
};

/// A message to be handled.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Its id, the same however often it is handled.
    pub id: InboundMessageId,
    /// The endpoint that it came to.
    pub endpoint: InboundEndpointId,
    /// What the sender calls it.
    pub message_id: String,
    /// The type of the body.
    pub content_type: Option<String>,
    /// The body, as it came.
    pub body: Vec<u8>,
    /// What is done with it.
    pub handler: InboundHandlerKind,
    /// The form that it goes to, if it goes to one.
    pub lead_form: Option<LeadFormId>,
    /// The account whose service sent it, if it is one that records are kept in step with.
    pub integration: Option<IntegrationId>,
}

/// What a message came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handled {
    /// What it says was done.
    Processed,
    /// There was nothing to do.
    Ignored,
}

/// Does what messages of a kind of endpoint say.
pub trait InboundHandler: Send + Sync + 'static {
    /// Handles one, in the transaction that notes it and ends its job: all of that happens, once, or nothing of it. So it
    /// asks nobody else; what takes that is put into the queue here.
    ///
    /// # Errors
    /// Why it can't be done; one that the sender could mend is not tried again.
    fn handle<'a>(
        &'a self,
        tx: &'a mut Tx,
        message: &'a Incoming,
    ) -> BoxFuture<'a, Result<Handled>>;
}

/// Leaves messages to be read.
struct StoreOnly;

impl InboundHandler for StoreOnly {
    fn handle<'a>(&'a self, _: &'a mut Tx, _: &'a Incoming) -> BoxFuture<'a, Result<Handled>> {
        Box::pin(std::future::ready(Ok(Handled::Processed)))
    }
}

/// The handlers that a server has.
#[derive(Clone)]
pub struct InboundHandlers(BTreeMap<InboundHandlerKind, Arc<dyn InboundHandler>>);

impl Default for InboundHandlers {
    fn default() -> Self {
        Self(BTreeMap::new()).with(InboundHandlerKind::StoreOnly, StoreOnly)
    }
}

impl InboundHandlers {
    /// With another one.
    #[must_use]
    pub fn with(mut self, kind: InboundHandlerKind, handler: impl InboundHandler) -> Self {
        self.0.insert(kind, Arc::new(handler));
        self
    }

    pub(super) fn get(&self, kind: InboundHandlerKind) -> Option<&Arc<dyn InboundHandler>> {
        self.0.get(&kind)
    }
}
