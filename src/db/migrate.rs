//! Bringing a database to this version: `migrations/` once each, then every `policies/` file whose text changed, then
//! stored text to the forms of this version.
//!
//! Both are compiled in. Several servers may start at once: one migrates, the others wait for it by trying a lock
//! (a blocking advisory lock would deadlock with concurrent index builds).

use std::{sync::LazyLock, time::Duration};

use include_dir::{Dir, include_dir};
use sha2::{Digest as _, Sha256};
use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, PgConnection, migrate::Migrator,
    postgres::PgConnectOptions,
};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

static POLICY_FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/policies");

/// The policy files in the order they are applied, which is that of their names: name and text.
pub static POLICIES: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
    let files = POLICY_FILES.files().filter_map(|file| {
        let name = file.path().to_str()?;
        Some((name, file.contents_utf8()?))
    });
    let mut files: Vec<_> = files.collect();
    files.sort_unstable();
    files
});

/// What only a superuser can take away from everybody, in the product's database.
pub const SUPERUSER: &str = include_str!("../../policies/superuser/large_objects.sql");
/// The policy file with the procedures that those after it call.
const PROCEDURES: (&str, &str) = (
    "02_tables.sql",
    include_str!("../../policies/02_tables.sql"),
);
/// Who owns the tables; the policies name it.
pub const OWNER: &str = "dealgraph_owner";
/// The advisory lock that one migration at a time holds.
const LOCK: i64 = 0x6465_616c_6772_6170;
/// The statement that analyzes the tables of the current user; the parts of a partitioned one come with it.
const OWN_TABLES: &str = "SELECT 'ANALYZE ' || string_agg(c.oid::regclass::text, ', ' ORDER BY c.oid) \
     FROM pg_class c \
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND pg_get_userbyid(c.relowner) = current_user";
/// How long to wait for another server's migration.
const LOCK_PATIENCE: Duration = Duration::from_secs(120);

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
    /// Another server has been migrating for too long.
    #[error("another server has held the migration lock for {} s, look what it is doing", LOCK_PATIENCE.as_secs())]
    Locked,
}

/// What was done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Policy files applied, because their text was new.
    pub policies_applied: Vec<&'static str>,
}

/// Makes the owner and its database on a new cluster, as a superuser; for clusters that are all ours. Idempotent.
///
/// # Errors
/// [`MigrateError::Database`].
pub async fn prepare_cluster(
    superuser: &PgConnectOptions,
    database: &str,
) -> Result<(), MigrateError> {
    let mut connection = PgConnection::connect_with(superuser).await?;
    let exists: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
            .bind(OWNER)
            .fetch_one(&mut connection)
            .await?;
    if !exists {
        connection
            .execute("CREATE ROLE dealgraph_owner LOGIN CREATEROLE")
            .await?;
    }
    let exists: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(database)
            .fetch_one(&mut connection)
            .await?;
    if !exists {
        let name = database.replace('"', "");
        connection
            .execute(AssertSqlSafe(format!(
                "CREATE DATABASE \"{name}\" OWNER dealgraph_owner"
            )))
            .await?;
    }
    // All of the cluster is ours: nobody has business in the other databases.
    connection
        .execute("REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC")
        .await?;
    connection.close().await?;
    let superuser = superuser.clone().database(database);
    let mut connection = PgConnection::connect_with(&superuser).await?;
    connection.execute(SUPERUSER).await?;
    connection.close().await?;
    Ok(())
}

/// Brings the database to this version, as the owner login.
///
/// # Errors
/// [`MigrateError`]; migrations and policy files that came before the failing one stay applied.
pub async fn run(owner: &PgConnectOptions) -> Result<Report, MigrateError> {
    let mut connection = PgConnection::connect_with(owner).await?;
    let login: String = sqlx::query_scalar("SELECT current_user::text")
        .fetch_one(&mut connection)
        .await?;
    if login != OWNER {
        return Err(MigrateError::NotOwner(login));
    }
    lock(&mut connection).await?;
    // Policies are dropped if they exist before they are made; Postgres would note each that does not.
    connection
        .execute("SET lock_timeout = '5s'; SET client_min_messages = warning")
        .await?;
    let mut migrator = Migrator {
        ..Migrator::DEFAULT
    };
    migrator.migrations = MIGRATIONS.migrations.clone();
    migrator.set_locking(false);
    migrator.run(&mut connection).await?;

    connection
        .execute(
            "CREATE TABLE IF NOT EXISTS app.applied_policies (
                name text PRIMARY KEY, hash text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())",
        )
        .await?;
    let mut report = Report::default();
    for &(name, text) in POLICIES.iter() {
        if apply(&mut connection, name, text)
            .await
            .map_err(|source| MigrateError::Policy { name, source })?
        {
            report.policies_applied.push(name);
        }
    }
    super::forms::bring(&mut connection).await?;
    connection.close().await?;
    Ok(report)
}

/// Lets the planner know the data, after much of it was loaded at once.
///
/// # Errors
/// [`MigrateError::Database`].
pub async fn analyze(owner: &PgConnectOptions) -> Result<(), MigrateError> {
    let mut connection = PgConnection::connect_with(owner).await?;
    // The bare word is about the whole database: Postgres would warn of each catalogue that is not the owner's.
    let statement: Option<String> = sqlx::query_scalar(OWN_TABLES)
        .fetch_one(&mut connection)
        .await?;
    if let Some(statement) = statement {
        connection.execute(AssertSqlSafe(statement)).await?;
    }
    Ok(connection.close().await?)
}

async fn lock(connection: &mut PgConnection) -> Result<(), MigrateError> {
    let attempts = LOCK_PATIENCE.as_millis() / 250;
    for _ in 0..attempts {
        let got: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(LOCK)
            .fetch_one(&mut *connection)
            .await?;
        if got {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Err(MigrateError::Locked)
}

/// What a policy file is known by once it was applied. The files after the procedures do what the procedures say, so they
/// are others when those are.
fn fingerprint(name: &str, text: &str, (procedures, theirs): (&str, &str)) -> String {
    let mut digest = Sha256::new_with_prefix(text);
    if name > procedures {
        digest.update(theirs);
    }
    let digest = digest.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Applies a policy file unless this very text was applied before; tells whether it did.
async fn apply(
    connection: &mut PgConnection,
    name: &'static str,
    text: &'static str,
) -> Result<bool, sqlx::Error> {
    let hash = fingerprint(name, text, PROCEDURES);
    let before: Option<String> =
        sqlx::query_scalar("SELECT hash FROM app.applied_policies WHERE name = $1")
            .bind(name)
            .fetch_optional(&mut *connection)
            .await?;
    // The verification reads what all the others did, so it runs every time.
    if before.as_ref() == Some(&hash) && !name.starts_with("99") {
        return Ok(false);
    }
    let mut tx = connection.begin().await?;
    tx.execute(AssertSqlSafe(text)).await?;
    sqlx::query(
        "INSERT INTO app.applied_policies (name, hash) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET hash = excluded.hash, applied_at = now()",
    )
    .bind(name)
    .bind(&hash)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(before.as_ref() != Some(&hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_applied_again_when_the_procedures_that_it_calls_change() {
        let changed = (PROCEDURES.0, "others");
        for &(name, text) in POLICIES.iter() {
            assert_eq!(
                fingerprint(name, text, PROCEDURES) != fingerprint(name, text, changed),
                name > PROCEDURES.0,
                "{name}"
            );
        }
        assert!(POLICIES.contains(&PROCEDURES));
        assert!(
            POLICIES.is_sorted(),
            "files are applied in the order of their names"
        );
    }
}
