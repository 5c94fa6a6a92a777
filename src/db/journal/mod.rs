//! What a transaction leaves beside its rows: events in the transactional outbox and entries in the audit log, both
//! numbered and chained per tenant. The unit of work appends them as its last statements; what has no transaction (a
//! sign-in, a refusal) goes through a [`Recorder`].

mod attempts;
pub(crate) mod chain;
mod due;
mod entry;
mod folding;
mod hints;
pub mod idempotency;
mod origin;
mod outbox;
mod recorder;
mod redact;

pub(crate) use attempts::{MOST_IDS, NamedId, Suspicion};
pub(crate) use chain::append as append_entries;
pub(crate) use due::FirstDue;
pub use entry::{Changes, Entry, is_circumstance};
pub use hints::Hints;
pub use idempotency::{Claimed, Committed, IdempotencyClaim, IdempotencyKey};
pub use origin::{Origin, RequestWork};
pub(crate) use outbox::{Commit, append, append_pending};
pub use outbox::{Event, EventKind, EventSubject, Pending};
pub use recorder::{Recorder, Recording, Whom};
