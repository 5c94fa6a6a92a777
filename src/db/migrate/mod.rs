//! Bringing a database to this version: `migrations/` once each, then every `policies/` file whose text changed, then
//! stored text to the forms of this version. All of it is compiled in.
//!
//! It may run while servers of the version before serve, and many times at once:
//!
//! - one run has its turn, the others wait for it by trying a lock (`turn`);
//! - a step waits for a lock of a table for less time than requests wait behind it, and is tried again after a pause, within
//!   a limit on all waiting (`attempts`); who holds the lock is looked up meanwhile (`watch`); while it holds one, it waits
//!   for no other (`locks`);
//! - a step is a transaction, or a single statement that can be run again after it broke (`steps`, `policies`);
//! - a run of an older version changes nothing in a newer database (`schema` says which versions serve which).
//!
//! A database in a Citus cluster can be spread over it afterwards (`distribute`).

mod attempts;
mod cluster;
pub mod distribute;
mod error;
mod locks;
mod policies;
mod release;
mod steps;
mod turn;
mod watch;

use std::time::Duration;

use sqlx::{Connection as _, Executor as _, PgConnection, postgres::PgConnectOptions};

use attempts::Attempts;
pub use cluster::{analyze, prepare_cluster};
use distribute::Distributed;
pub use error::MigrateError;
pub use policies::{POLICIES, SUPERUSER};
pub use release::Release;
pub use sqlx::migrate::{Migration, MigrationType};

use super::schema;

/// Who owns the tables; the policies name it.
pub const OWNER: &str = "dealgraph_owner";
/// What its connections are called, where Postgres lists them.
const APPLICATION: &str = "dealgraph-migrate";

/// How long a run waits for others. Work itself is not limited: an index takes as long as it takes.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For locks, all steps together, and for the turn.
    pub total: Duration,
    /// For a lock at the first attempt of a step.
    pub lock: Duration,
    /// For a lock at any attempt. Requests wait behind an attempt, and give up after two seconds; Postgres looks for
    /// deadlocks after one.
    pub longest_lock: Duration,
    /// Between two attempts, at the most.
    pub longest_pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            total: Duration::from_secs(600),
            lock: Duration::from_millis(250),
            longest_lock: Duration::from_millis(800),
            longest_pause: Duration::from_secs(5),
        }
    }
}

/// What was done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Migrations applied.
    pub migrations_applied: Vec<i64>,
    /// Policy files applied, because their text was new.
    pub policies_applied: Vec<&'static str>,
    /// How many attempts ended because of somebody else's lock, and were repeated.
    pub repeated: u32,
    /// The newer version that the database is at already, in which case nothing was done.
    pub newer: Option<schema::Version>,
    /// What was distributed, if that was asked for.
    pub distributed: Option<Distributed>,
    /// Tables that a distributed database does not have distributed: they were made since.
    pub not_distributed: Vec<String>,
}

/// Brings the database to this version, as the owner login.
///
/// # Errors
/// [`MigrateError`]; migrations and policy files that came before the failing one stay applied, and another run goes on
/// from there.
pub async fn run(owner: &PgConnectOptions) -> Result<Report, MigrateError> {
    Release::this().run(owner, Patience::default()).await
}

impl Release {
    /// Brings the database to this version, as the owner login.
    ///
    /// # Errors
    /// As [`run`].
    pub async fn run(
        &self,
        owner: &PgConnectOptions,
        patience: Patience,
    ) -> Result<Report, MigrateError> {
        self.run_and_distribute(owner, patience, None).await
    }

    /// Brings the database to this version, as the owner login, and distributes it over the Citus cluster that it is in, cut
    /// into so many shards.
    ///
    /// # Errors
    /// As [`run`]; [`MigrateError::NoCluster`], [`MigrateError::Unshardable`], [`MigrateError::Unsecured`].
    pub async fn distribute(
        &self,
        owner: &PgConnectOptions,
        patience: Patience,
        shards: u32,
    ) -> Result<Report, MigrateError> {
        self.run_and_distribute(owner, patience, Some(shards)).await
    }

    async fn run_and_distribute(
        &self,
        owner: &PgConnectOptions,
        patience: Patience,
        shards: Option<u32>,
    ) -> Result<Report, MigrateError> {
        let owner = owner.clone().application_name(APPLICATION);
        let mut connection = PgConnection::connect_with(&owner).await?;
        let login: String = sqlx::query_scalar("SELECT current_user::text")
            .fetch_one(&mut connection)
            .await?;
        if login != OWNER {
            return Err(MigrateError::NotOwner(login));
        }
        // Policies are dropped if they exist before they are made; Postgres would note each that does not. What the login
        // or the database sets as the longest statement is not for these. On a Citus cluster a transaction changes several
        // tables, which it can over one connection to each worker; elsewhere nobody reads that setting.
        connection
            .execute(
                "SET client_min_messages = warning; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
                 SET citus.multi_shard_modify_mode = 'sequential'",
            )
            .await?;
        let mut attempts = Attempts::new(&owner, &mut connection, patience).await?;
        turn::take(&mut connection, &mut attempts).await?;
        let mut report = self.bring(&mut connection, &mut attempts).await?;
        if let Some(shards) = shards.filter(|_| report.newer.is_none()) {
            let done = distribute::distribute(&mut connection, &mut attempts, shards).await?;
            report.distributed = Some(done);
        }
        report.not_distributed = distribute::forgotten(&mut connection).await?;
        // The turn ends with the connection.
        connection.close().await?;
        Ok(report)
    }

    async fn bring(
        &self,
        connection: &mut PgConnection,
        attempts: &mut Attempts,
    ) -> Result<Report, MigrateError> {
        let mut report = Report::default();
        if let Some(newer) = steps::newer(connection, self).await? {
            tracing::warn!(
                "the database is at {newer}, which is newer than this version's {}: nothing is changed",
                self.version()
            );
            report.newer = Some(newer);
            return Ok(report);
        }
        report.migrations_applied = steps::apply(connection, attempts, self).await?;
        report.policies_applied = policies::apply_all(connection, attempts, self).await?;
        attempts
            .attempt(connection, "the forms of text", async |connection| {
                Ok(super::forms::bring(connection).await?)
            })
            .await?;
        report.repeated = attempts.repeated();
        Ok(report)
    }
}
