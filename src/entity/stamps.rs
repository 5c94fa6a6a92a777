//! When records came about and changed, and by whom.

use chrono::{DateTime, Utc};

use crate::db::Tx;

/// When a record came about and changed, by whom, and which version it is.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Stamps {
    /// When it was put away, if it was.
    pub archived_at: Option<DateTime<Utc>>,
    /// When it came about.
    pub created_at: DateTime<Utc>,
    /// By whom: `user:<uuid>` or `import:<source>`.
    pub created_by: String,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// By whom.
    pub updated_by: String,
    /// Counts changes from 1.
    pub version: i32,
}

impl Stamps {
    /// The stamps of a record that comes about now, or earlier when it is imported with its real date.
    #[must_use]
    pub fn new(tx: &Tx, created_at: Option<DateTime<Utc>>) -> Self {
        let at = created_at.unwrap_or(tx.now());
        Self {
            archived_at: None,
            created_at: at,
            created_by: tx.author(),
            updated_at: at,
            updated_by: tx.author(),
            version: 1,
        }
    }

    /// Counts a change that is made now.
    pub fn touch(&mut self, tx: &Tx) {
        self.updated_at = tx.now();
        self.updated_by = tx.author();
        self.version += 1;
    }
}
