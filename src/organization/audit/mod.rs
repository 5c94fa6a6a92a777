//! The audit log: who did what from where, and who tried to; append-only and chained per tenant.
//!
//! Every write leaves its entries by itself: the door in `db/` appends one for each event of the transaction. What
//! has no event (a sign-in, a refusal) is appended by whoever sees it, through a [`Recorder`] where nobody may wait.

pub(crate) mod log;
mod verify;

pub use log::{AuditEntry, AuditOrderField};
pub use verify::{BadHead, Broken, Head, Verified, verify};
