//! When records came about and changed, and by whom.

use chrono::{DateTime, Utc};
use dealgraph_derive::Columns;

use crate::{
    access::Sensitivity,
    db::{Columns as _, Part, Read, Tx, Written, columns::Column},
};

/// When a record came about and changed, by whom, and which version it is.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow, Columns)]
pub struct Stamps {
    /// When it was archived, if it is.
    #[column(read)]
    pub archived_at: Option<DateTime<Utc>>,
    /// When it came about.
    #[column(once)]
    pub created_at: DateTime<Utc>,
    /// By whom: `user:<uuid>` or `import:<source>`.
    #[column(once)]
    pub created_by: String,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// By whom.
    pub updated_by: String,
    /// Counts changes from 1.
    pub version: i32,
}

impl Stamps {
    /// The stamps of a record that is created now, or earlier when it is imported with its real date.
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

/// The stamps of records that are not archived.
pub const UNARCHIVED: &[Part] = &[
    without("archived_at", "NULL::timestamptz"),
    Part::Parts(Stamps::PARTS.split_at(1).1),
];

/// The stamps of records that keep none of their last change.
pub const CREATED: &[Part] = &[
    without("archived_at", "NULL::timestamptz"),
    Stamps::PARTS[1],
    Stamps::PARTS[2],
    without("updated_at", "t.created_at"),
    without("updated_by", "t.created_by"),
    Stamps::PARTS[5],
];

/// What stands for a stamp that there is no column of.
const fn without(name: &'static str, read: &'static str) -> Part {
    Part::Column(Column {
        name,
        sensitivity: Sensitivity::Plain,
        written: Written::Never,
        read: Read::As(read),
        is_long: false,
    })
}
