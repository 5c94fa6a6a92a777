//! Bringing records in step with a service, both ways, and how that went.
//! - A stream is a kind of records of an account, with how far the service was read. Each has one job, which goes on for as
//!   long as the account is active: it ([`work`]) reads pages ([`reading`]) and writes them ([`page`]), and then waits for its turn.
//! - A run is one time that a stream was brought in step, in however many attempts. Where it stopped, the next one goes on.
//! - A link says which record here is which one there, and what both said when they last agreed: what is the same again is
//!   not written, in either direction, so that nothing echoes.
//! - What changes here is written there by a consumer of the event log ([`push`]).

mod filter;
mod forget;
mod graphql;
mod links;
mod model;
mod page;
mod push;
mod reading;
mod store;
mod streams;
mod webhook;
mod work;

pub use filter::{SyncRunFilter, SyncRunOrder};
pub use forget::ForgetRunsHandler;
pub use graphql::SyncQuery;
pub(super) use links::{Linked, some as some_links, unlink};
pub use model::{SyncMode, SyncRun, SyncRunOrderField, SyncRunStatus, SyncTrigger};
pub use push::Pushing;
pub(super) use store::cancel_running;
pub(super) use streams::{IntegrationStream, StreamsOf, forget as forget_streams};
pub use webhook::InboundSync;
pub use work::SyncHandler;

use crate::{
    base::{error::Result, ids::Typed as _},
    db::Tx,
    integrations::accounts::Integration,
    jobs::{self, When},
};

/// Records that are to be brought in step.
#[derive(Debug, Clone, Copy)]
pub(super) struct SyncRequest {
    /// All of them or what has changed; what has changed where that is known, if it is not said.
    pub(super) mode: Option<SyncMode>,
    /// What caused it.
    pub(super) trigger: SyncTrigger,
    /// Whether many records may be archived that are gone there.
    pub(super) may_remove: bool,
}

/// Has kinds of an account's records be brought in step now. One that is being brought there is once more, if all of them
/// are to be read anew or something has happened meanwhile.
///
/// # Errors
/// The database.
pub(super) async fn request(
    tx: &mut Tx,
    integration: &Integration,
    kinds: Vec<&'static str>,
    request: SyncRequest,
) -> Result<()> {
    for kind in kinds {
        streams::request(tx, integration, kind, request).await?;
        let job = work::Sync::of(integration.id.uuid(), kind);
        jobs::enqueue_as_system(tx, &job, When::Now).await?;
    }
    Ok(())
}
