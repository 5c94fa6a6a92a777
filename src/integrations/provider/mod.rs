//! The contract of a service that records are kept in step with.
//!
//! A provider translates: it knows the service's addresses and shapes, and which of our records and fields are meant. It
//! keeps nothing. To add one: implement [`Provider`], and register it in [`Providers`].

mod about;
mod failure;
mod oauth;
mod registry;
mod session;

use futures_util::future::BoxFuture;
use serde_json::Value as Json;
use uuid::Uuid;

pub use about::{About, Authorization, BelongsTo, Budget, Kind};
pub use failure::ProviderFailure;
pub use oauth::{Grant, OAuthClient, Tokens};
pub use registry::Providers;
pub use session::{Call, Reply, Session};
pub(in crate::integrations) use session::{authorization, counter};

use crate::{
    base::error::Result,
    db::{ReadTx, Tx},
    organization::inbound::Incoming,
};
use chrono::{DateTime, Utc};

/// A service elsewhere.
pub trait Provider: Send + Sync + 'static {
    /// What it is.
    fn about(&self) -> &About;

    /// Whose account the credentials are for: asked once after they were given, which also shows that they are good.
    fn authenticate<'a>(
        &'a self,
        session: &'a Session,
    ) -> BoxFuture<'a, Result<Identity, ProviderFailure>>;

    /// Reads a page of a kind of records, those that changed last at the end, so that what changes meanwhile comes later.
    fn pull<'a>(
        &'a self,
        session: &'a Session,
        from: PullFrom<'a>,
    ) -> BoxFuture<'a, Result<Pulled, ProviderFailure>>;

    /// Writes what a record there says into ours, by the verbs that the API has as well: all rules hold. It is called
    /// within the transaction of the page, and not for what is the same as it was when both sides last agreed.
    ///
    /// # Errors
    /// What is wrong with the record, which is noted in the run; others go on.
    fn apply<'a>(
        &'a self,
        tx: &'a mut Tx,
        change: RemoteChange<'a>,
    ) -> BoxFuture<'a, Result<Applied>>;

    /// What the service is told of a record of ours, in the form that [`Self::pull`] has it; nothing when it is not told of
    /// this one. Read with the rights of whoever connected the account.
    ///
    /// # Errors
    /// The database.
    fn outgoing<'a>(
        &'a self,
        _tx: &'a mut ReadTx,
        _kind: &'static str,
        _record: Uuid,
    ) -> BoxFuture<'a, Result<Option<Json>>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Writes a record of ours there.
    fn push<'a>(
        &'a self,
        _session: &'a Session,
        push: Push<'a>,
    ) -> BoxFuture<'a, Result<Pushed, ProviderFailure>> {
        let refused = ProviderFailure::Refused {
            code: "NOT_PUSHED",
            message: format!("this service is not told of {}", push.kind),
        };
        Box::pin(std::future::ready(Err(refused)))
    }

    /// The kinds of records that a message of the service says to look at. It was verified; it is a hint, and what it says
    /// is read from the service itself.
    fn touched(&self, _message: &Incoming) -> Vec<&'static str> {
        self.about().kind_names()
    }

    /// Tells the service that its credentials are not used any more. What it answers changes nothing.
    fn revoke<'a>(&'a self, _session: &'a Session) -> BoxFuture<'a, Result<(), ProviderFailure>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Whose account it is, in the service's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// What programs call it. An account that is authorised again has to be the same.
    pub external_id: String,
    /// What people call it.
    pub name: String,
}

/// Where a page begins.
#[derive(Debug, Clone, Copy)]
pub struct PullFrom<'a> {
    /// The kind.
    pub kind: &'static str,
    /// How far it was read, as [`Pulled::cursor`] said last; none from the begin.
    pub cursor: Option<&'a str>,
    /// How many records a page has at the most.
    pub most: usize,
}

/// A page.
#[derive(Debug, Clone, Default)]
pub struct Pulled {
    /// Its records, each once.
    pub records: Vec<Remote>,
    /// How far the service is read with this page, at most 4,096 bytes.
    pub cursor: String,
    /// Whether there is more now.
    pub has_more: bool,
}

/// A record of the service.
#[derive(Debug, Clone)]
pub struct Remote {
    /// What the service calls it, at most 200 bytes.
    pub external_id: String,
    /// What it says, as far as both sides have it.
    pub state: RemoteState,
    /// When it last changed there.
    pub updated_at: Option<DateTime<Utc>>,
}

/// What a record of the service says.
#[derive(Debug, Clone, PartialEq)]
pub enum RemoteState {
    /// These fields, in the provider's own form; what is the same says the same.
    Present(Json),
    /// It is not there (any more).
    Gone,
}

/// A record of the service that is another than it was.
#[derive(Debug, Clone, Copy)]
pub struct RemoteChange<'a> {
    /// The kind.
    pub kind: &'static str,
    /// The record.
    pub remote: &'a Remote,
    /// The record of ours that it is, if it is known.
    pub record: Option<Uuid>,
}

/// What a record of the service came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// This record is new.
    Created(Uuid),
    /// This record was changed, or found to be the same person or thing.
    Updated(Uuid),
    /// Ours was archived, since it is gone there.
    Removed(Uuid),
    /// It is none of those that are kept in step.
    Skipped,
}

/// A record of ours that is written there.
#[derive(Debug, Clone, Copy)]
pub struct Push<'a> {
    /// The kind.
    pub kind: &'static str,
    /// What it says.
    pub fields: &'a Json,
    /// What it is called there, if it is there.
    pub external_id: Option<&'a str>,
    /// The same for each attempt at this change, so that a service that knows such keys does it once.
    pub idempotency_key: &'a str,
}

/// What was written there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// What it is called there.
    pub external_id: String,
}
