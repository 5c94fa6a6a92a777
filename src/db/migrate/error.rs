//! Why a database could not be brought to a version.

use std::time::Duration;

use super::{distribute::Obstacle, schema};

/// Why a database could not be brought to this version.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database does not answer or refused a statement.
    #[error("the database refused: {0}")]
    Database(#[from] sqlx::Error),
    /// A migration failed or was changed after it had been applied.
    #[error("migration failed: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A policy file failed.
    #[error("policies/{name} failed: {source}")]
    Policy {
        /// Which one.
        name: &'static str,
        /// Why.
        source: sqlx::Error,
    },
    /// The login is not the owner that the policies name.
    #[error(
        "migrations run as dealgraph_owner, not as {0}: tables of another owner would not be protected"
    )]
    NotOwner(String),
    /// Another run has been migrating for too long.
    #[error("another `dealgraph migrate` has had its turn for {} s: {holder}. Look what it is doing", waited.as_secs())]
    Turn {
        /// How long it was waited for.
        waited: Duration,
        /// Who it is.
        holder: String,
    },
    /// Somebody has been holding a lock for too long.
    #[error(
        "{step}: {attempts} attempts in {} s did not get {lock}. Nothing of this step was done; run `dealgraph migrate` again once they have let go",
        waited.as_secs()
    )]
    Blocked {
        /// What waited.
        step: String,
        /// How often it was tried.
        attempts: u32,
        /// For how long.
        waited: Duration,
        /// Which lock, and who holds it.
        lock: String,
    },
    /// The statements of the session reach different sessions of Postgres.
    #[error(
        "DEALGRAPH_OWNER_DATABASE_URL leads through a pooler that changes sessions between statements, and the lock of a migration belongs to a session: let it lead to Postgres itself"
    )]
    Pooled,
    /// The database is newer, and does not go with this version any more.
    #[error(
        "the database's schema is {have}, which serves versions from {floor:04} on, and this one is {want}: run the newer version"
    )]
    TooNew {
        /// What the database is at.
        have: schema::Version,
        /// The oldest migration whose servers can still serve.
        floor: i64,
        /// What this version is.
        want: schema::Version,
    },
    /// There is no cluster that the tables could be distributed over.
    #[error(
        "nothing is distributed: {0}. See docs/operators/citus.md; without --distribute a database stays on one node"
    )]
    NoCluster(String),
    /// The schema is not what Citus takes.
    #[error("nothing is distributed, since Citus does not take this schema: {}", list(.0))]
    Unshardable(Vec<Obstacle>),
    /// A shard is not secured as its table is.
    #[error(
        "the tables are distributed, and {wrong} placements of shards are not secured as their tables are; the first is {table}, shard {shard}: \
         row-level security, forced, policies, grants on columns and on the table are `{said}` and should be `{wanted}`. Start no server"
    )]
    Unsecured {
        /// The table.
        table: String,
        /// The shard, and the node that it is on.
        shard: String,
        /// What it has.
        said: String,
        /// What the table has.
        wanted: String,
        /// How many there are like this.
        wrong: usize,
    },
}

fn list(obstacles: &[Obstacle]) -> String {
    let said: Vec<_> = obstacles.iter().map(ToString::to_string).collect();
    said.join("; ")
}

impl MigrateError {
    /// Whether it failed for what somebody else was doing at the moment, so that another attempt may succeed.
    pub(super) fn is_contention(&self) -> bool {
        let Some(sqlx::Error::Database(error)) = self.of_database() else {
            return false;
        };
        match error.code().as_deref() {
            // Not available in time, deadlock, serialization failure.
            Some("55P03" | "40P01" | "40001") => true,
            // Roles are the cluster's, and another database of it may be brought to this version at the same time.
            Some("XX000") => error.message().contains("concurrently updated"),
            _ => false,
        }
    }

    /// Whether it was cancelled from outside.
    pub(super) fn is_cancelled(&self) -> bool {
        matches!(self.of_database(), Some(sqlx::Error::Database(error)) if error.code().as_deref() == Some("57014"))
    }

    fn of_database(&self) -> Option<&sqlx::Error> {
        match self {
            Self::Database(error) | Self::Policy { source: error, .. } => Some(error),
            Self::Migration(
                sqlx::migrate::MigrateError::Execute(error)
                | sqlx::migrate::MigrateError::ExecuteMigration(error, _),
            ) => Some(error),
            _ => None,
        }
    }
}
