//! The audit log: who did what from where, and who tried to; append-only and chained per tenant.
//!
//! Every write leaves its entries by itself: the door in `db/` appends one for each event of the transaction. What
//! has no event (a sign-in, a refusal) is appended by whoever sees it, through a [`Recorder`] where nobody may wait.

mod chain;
mod entry;
mod folding;
mod origin;
mod recorder;
mod redact;

pub(crate) use chain::append;
pub use entry::{Changes, Entry};
pub use origin::Origin;
pub use recorder::{Recorder, Recording, Whom};
