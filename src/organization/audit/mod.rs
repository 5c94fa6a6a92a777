//! The audit log: who did what from where, and who tried to; append-only and chained per tenant.
//!
//! Every write leaves its entries by itself: the door in `db/` appends one for each event of the transaction. What
//! has no event (a sign-in, a refusal) is appended by whoever sees it, through a [`Recorder`] where nobody may wait.

mod attempts;
mod chain;
mod diff;
mod entry;
mod folding;
mod graphql;
mod log;
mod origin;
mod recorder;
mod redact;
mod verify;

pub(crate) use attempts::{MOST_IDS, NamedId, Suspicion};
pub(crate) use chain::append;
pub use diff::{FieldDiff, shown_to};
pub use entry::{Changes, Entry};
pub use graphql::{AuditFilter, AuditOrder, AuditQuery};
pub use log::{AuditEntry, AuditOrderField};
pub use origin::Origin;
pub use recorder::{Recorder, Recording, Whom};
pub use verify::{BadHead, Broken, Head, Verified, verify};
