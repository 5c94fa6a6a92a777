//! What the records of all domains have in common: stamps, an owner, a version, and being changed, archived, restored and
//! deleted, each with its event.

mod archive;
mod change;
mod delete;
mod diff;
mod ownership;
mod quota;
mod stamps;
mod store;

use serde_json::Value as Json;

pub use archive::{archive, restore};
pub(crate) use change::changes_by_fields;
pub use change::{Changeable, change, emit_changed, emit_created, emit_followed, lock, save, with};
pub use delete::delete;
pub use diff::{FieldDiff, shown_to};
pub use ownership::{
    IdPage, KindOf, Owned, OwnedKind, OwnedKinds, Ownership, owned_by, place_owners, require_owners,
};
pub use quota::{Quota, require_fewer, require_room};
pub use stamps::{CREATED, Stamps, UNARCHIVED};
pub use store::{insert, update};

use crate::{
    base::error::Result,
    db::{Tx, list::Record},
};

/// A record with stamps that row-level security judges by its `visible_to`.
pub trait Entity: Record {
    /// The record's stamps.
    fn stamps(&self) -> &Stamps;
    /// Who sees the record.
    fn visible_to(&self) -> &str;
    /// What the event log keeps of the record: its columns by their names, those that filters compare among them. Each is
    /// declared.
    fn columns(&self) -> Json;
    /// What has to be done before the record is deleted.
    ///
    /// # Errors
    /// Why it can't be deleted; the database.
    fn before_delete(&self, _tx: &mut Tx) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }
}
