//! Which schema a database has, and whether the servers of a version can serve it.
//!
//! A database is brought on by a new version while servers of the one before serve, so these go on with a schema that they
//! don't know: a migration only adds what they need not know (expand). One that takes something away (contract) is part of a
//! later version, when no server needs it any more, and sets the floor: the oldest migration whose servers can still serve.

use std::fmt;

use sqlx::PgConnection;

use super::{Db, Sql, SystemReason, migrate::Release};
use crate::base::error::{Error, Result};

/// What a database or a version of the product is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// The last migration.
    pub migration: i64,
    /// The revision of the policies.
    pub policies: i32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04} with policies {}", self.migration, self.policies)
    }
}

/// How a database stands to a version of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaState {
    /// It is at that version.
    Current,
    /// It has to be migrated first.
    Behind {
        /// What it is at; unknown before there were such records, and while the database is empty.
        have: Option<Version>,
        /// What the version wants.
        want: Version,
    },
    /// It is at a later version, which serves the servers of this one too.
    Newer {
        /// What it is at.
        have: Version,
        /// What the version knows.
        want: Version,
    },
    /// It is at a later version, which has taken away what the servers of this one need.
    TooNew {
        /// What it is at.
        have: Version,
        /// The oldest migration whose servers can serve.
        floor: i64,
        /// What the version knows.
        want: Version,
    },
}

impl SchemaState {
    /// Whether servers can serve.
    #[must_use]
    pub fn serves(&self) -> bool {
        matches!(self, Self::Current | Self::Newer { .. })
    }
}

impl fmt::Display for SchemaState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => write!(f, "the database's schema is the one of this version"),
            Self::Behind { have: None, want } => write!(
                f,
                "the database has no schema of Dealgraph, or one from before 0022, and this version needs {want}: run `dealgraph migrate` first"
            ),
            Self::Behind {
                have: Some(have),
                want,
            } => write!(
                f,
                "the database's schema is {have}, this version needs {want}: run `dealgraph migrate` first"
            ),
            Self::Newer { have, want } => write!(
                f,
                "the database's schema is {have}, newer than this version's {want}, and serves it"
            ),
            Self::TooNew { have, floor, want } => write!(
                f,
                "the database's schema is {have}, which serves versions from {floor:04} on, and this one knows {want}: run the newer version"
            ),
        }
    }
}

/// What a database says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Recorded {
    /// The migrations that were applied.
    pub migrations: Vec<i64>,
    /// The revision of the policies that were applied.
    pub policies: i32,
    /// The oldest migration whose servers can serve.
    pub floor: i64,
}

impl Recorded {
    /// What it is at; `None` when it says nothing.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        let migration = *self.migrations.iter().max()?;
        let policies = self.policies;
        Some(Version {
            migration,
            policies,
        })
    }
}

/// Whether there are records that the login may read.
const IS_THERE: &str = "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE n.nspname = 'app' AND c.relname = 'schema_version' \
       AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))";
const RECORDED: &str = "SELECT migrations, policies, floor FROM app.schema_version";

/// How the database stands to this version. One short transaction, or two statements of one before the first migration.
///
/// # Errors
/// The database does not answer.
pub async fn schema_state(db: &Db) -> Result<SchemaState> {
    schema_state_for(db, &Release::this()).await
}

/// How the database stands to a version.
///
/// # Errors
/// As [`schema_state`].
pub async fn schema_state_for(db: &Db, release: &Release) -> Result<SchemaState> {
    let mut tx = db.system(SystemReason::Health).await?;
    let mut recorded = Recorded::default();
    if tx.column::<bool>(Sql::new(IS_THERE)).await? == [true] {
        let found = tx.optional(Sql::new(RECORDED)).await?;
        recorded = found.ok_or_else(|| Error::internal("app.schema_version has no row"))?;
    }
    Ok(release.judge(&recorded))
}

/// What the database says of itself to its owner.
pub(super) async fn recorded(connection: &mut PgConnection) -> sqlx::Result<Recorded> {
    let is_there: bool = sqlx::query_scalar(IS_THERE)
        .fetch_one(&mut *connection)
        .await?;
    match is_there {
        true => sqlx::query_as(RECORDED).fetch_one(connection).await,
        false => Ok(Recorded::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_judged_by_what_it_has_and_what_it_has_given_up() {
        let release = Release::this();
        let want = release.version();
        let all: Vec<i64> = release.known().collect();
        let judge = |migrations: &[i64], policies, floor| {
            let migrations = migrations.to_vec();
            release.judge(&Recorded {
                migrations,
                policies,
                floor,
            })
        };
        let later = [all.as_slice(), &[want.migration + 1]].concat();
        let have = |migrations: &[i64], policies| Version {
            migration: *migrations.last().expect("some"),
            policies,
        };
        assert_eq!(judge(&all, want.policies, 0), SchemaState::Current);
        assert_eq!(
            judge(&all, want.policies, want.migration),
            SchemaState::Current
        );
        for (migrations, policies) in [(&later, want.policies), (&all, want.policies + 1)] {
            let have = have(migrations, policies);
            assert_eq!(
                judge(migrations, policies, 0),
                SchemaState::Newer { have, want }
            );
        }
        let floor = want.migration + 1;
        let too_new = SchemaState::TooNew {
            have: have(&later, want.policies),
            floor,
            want,
        };
        assert_eq!(judge(&later, want.policies, floor), too_new);
        // One that is missing is missed, whatever came after it.
        for missing in [&all[..all.len() - 1], &later[1..]] {
            let state = judge(missing, want.policies, 0);
            assert!(matches!(state, SchemaState::Behind { .. }), "{missing:?}");
        }
        let behind = judge(&all, want.policies - 1, 0);
        assert!(matches!(behind, SchemaState::Behind { .. }) && !behind.serves());
        assert_eq!(judge(&[], 0, 0), SchemaState::Behind { have: None, want });
        assert!(judge(&later, want.policies, 0).serves() && !too_new.serves());
        let said = judge(&all[..all.len() - 1], 0, 0).to_string();
        let wanted = format!("this version needs {:04}", want.migration);
        assert!(said.contains(&wanted) && said.contains("dealgraph migrate"));
    }
}
