//! What a version of the product brings a database to.

use sqlx::migrate::{Migration, Migrator};

use super::{POLICIES, policies};
use crate::db::schema::{Recorded, SchemaState, Version};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The migrations and policies of a version of the product.
#[derive(Debug, Clone)]
pub struct Release {
    pub(super) migrations: Vec<Migration>,
    pub(super) policies: Vec<(&'static str, &'static str)>,
    pub(super) revision: i32,
}

impl Release {
    /// Those of this version.
    #[must_use]
    pub fn this() -> Self {
        Self {
            migrations: MIGRATIONS.iter().cloned().collect(),
            policies: POLICIES.clone(),
            revision: policies::revision(),
        }
    }

    /// A later version: the same, and one migration more.
    #[must_use]
    pub fn and(mut self, migration: Migration) -> Self {
        self.migrations.push(migration);
        self
    }

    /// A later version: the same, with another revision of the policies.
    #[must_use]
    pub fn with_policies(mut self, revision: i32) -> Self {
        self.revision = revision;
        self
    }

    /// The migrations, by their numbers.
    pub fn known(&self) -> impl Iterator<Item = i64> {
        self.migrations.iter().map(|migration| migration.version)
    }

    /// What a database is at that was brought to it.
    #[must_use]
    pub fn version(&self) -> Version {
        Version {
            migration: self.known().max().unwrap_or(0),
            policies: self.revision,
        }
    }

    /// Whether its servers can serve a database, by what the database says of itself.
    #[must_use]
    pub fn judge(&self, recorded: &Recorded) -> SchemaState {
        let want = self.version();
        let Some(have) = recorded.version() else {
            return SchemaState::Behind { have: None, want };
        };
        if recorded.floor > want.migration {
            let floor = recorded.floor;
            return SchemaState::TooNew { have, floor, want };
        }
        let has_all = self
            .known()
            .all(|migration| recorded.migrations.contains(&migration));
        if !has_all || have.policies < want.policies {
            let have = Some(have);
            return SchemaState::Behind { have, want };
        }
        if have == want {
            SchemaState::Current
        } else {
            SchemaState::Newer { have, want }
        }
    }
}
