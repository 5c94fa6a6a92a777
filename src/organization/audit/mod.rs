//! The audit log: who did what from where, and who tried to; append-only and chained per tenant.
//!
//! Every write leaves its entries by itself: the unit of work in `db/` appends one for each event of the transaction.
//! What has no event (a sign-in, a refusal) is appended where it happens, through a [`Recorder`] where the caller must
//! not wait.

pub(crate) mod log;
mod verify;

pub use log::{AuditEntry, AuditOrderField};
pub use verify::{BadHead, Broken, Head, Verified, verify};
