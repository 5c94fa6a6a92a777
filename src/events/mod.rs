//! What happened, in the order it was committed: the numbered event log of each tenant.
//!
//! A verb emits events into its transaction; the door in `db/` appends them as its last statements. The table is
//! the truth. A [`Hints`] message after the commit only tells other servers to look sooner.

mod hints;
mod outbox;

pub use hints::Hints;
pub use outbox::{Event, EventKind};
pub(crate) use outbox::{append, append_story};
