//! What every record says of how it came about, in the schema.

use async_graphql::Object;
use chrono::{DateTime, Utc};

use super::ChangeAuthor;
use crate::entity::Stamps;

/// What every record says of how it came about.
#[Object(name = "RecordStamps")]
impl Stamps {
    /// When it was created.
    async fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    /// Who created it.
    async fn created_by(&self) -> ChangeAuthor {
        ChangeAuthor::new(&self.created_by)
    }

    /// Who changed it last.
    async fn updated_by(&self) -> ChangeAuthor {
        ChangeAuthor::new(&self.updated_by)
    }

    /// Counts changes; send it back as `expectedVersion` to not overwrite another change.
    async fn version(&self) -> i32 {
        self.version
    }
}
