//! The migrations: each once, in their order.
//!
//! One that begins with `-- no-transaction` is a single statement that can be run again, such as
//! `CREATE INDEX CONCURRENTLY IF NOT EXISTS`. All others are transactions, so that a run which ends in their middle leaves
//! nothing of them.

use std::{collections::BTreeMap, time::Instant};

use sqlx::{
    AssertSqlSafe, Executor as _, PgConnection,
    migrate::{Migrate as _, MigrateError as Refused, Migration},
};

use super::{MigrateError, Release, attempts::Attempts};
use crate::db::schema::{self, SchemaState, Version};

/// Where sqlx notes what was applied.
const TABLE: &str = "_sqlx_migrations";
/// Indexes that an interrupted `CONCURRENTLY` has left. That of a partitioned table is not one: it waits for its parts.
const BROKEN: &str = "SELECT c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
     WHERE NOT i.indisvalid AND c.relkind = 'i' AND c.relnamespace = 'public'::regnamespace";

/// The version that the database is at, if it is newer than the release and was brought there from it.
pub(super) async fn newer(
    connection: &mut PgConnection,
    release: &Release,
) -> Result<Option<Version>, MigrateError> {
    match release.judge(&schema::recorded(connection).await?) {
        SchemaState::Newer { have, .. } => Ok(Some(have)),
        SchemaState::TooNew { have, floor, want } => {
            Err(MigrateError::TooNew { have, floor, want })
        }
        SchemaState::Current | SchemaState::Behind { .. } => Ok(None),
    }
}

/// Applies those that were not applied yet; which ones those were.
pub(super) async fn apply(
    connection: &mut PgConnection,
    attempts: &mut Attempts,
    release: &Release,
) -> Result<Vec<i64>, MigrateError> {
    connection.ensure_migrations_table(TABLE).await?;
    if let Some(version) = connection.dirty_version(TABLE).await? {
        return Err(Refused::Dirty(version).into());
    }
    let applied = connection.list_applied_migrations(TABLE).await?;
    let applied: BTreeMap<i64, _> = applied
        .into_iter()
        .map(|applied| (applied.version, applied.checksum))
        .collect();
    let is_known = |version: &i64| release.migrations.iter().any(|m| m.version == *version);
    if let Some(version) = applied.keys().find(|version| !is_known(version)) {
        return Err(Refused::VersionMissing(*version).into());
    }
    let mut done = Vec::new();
    for migration in &release.migrations {
        match applied.get(&migration.version) {
            Some(checksum) if *checksum == migration.checksum => {}
            Some(_) => return Err(Refused::VersionMismatch(migration.version).into()),
            None => {
                apply_one(connection, attempts, migration).await?;
                done.push(migration.version);
            }
        }
    }
    Ok(done)
}

async fn apply_one(
    connection: &mut PgConnection,
    attempts: &mut Attempts,
    migration: &Migration,
) -> Result<(), MigrateError> {
    let step = format!(
        "migration {:04} ({})",
        migration.version, migration.description
    );
    let began = Instant::now();
    if migration.no_tx {
        let work = async |connection: &mut PgConnection| {
            drop_broken_indexes(connection, migration).await?;
            connection.apply(TABLE, migration).await?;
            Ok(())
        };
        attempts.wait_out(connection, &step, work).await?;
    } else {
        let work = async |connection: &mut PgConnection| {
            connection.apply(TABLE, migration).await?;
            Ok(())
        };
        attempts.attempt(connection, &step, work).await?;
    }
    tracing::info!(ms = began.elapsed().as_millis(), "{step} is applied");
    Ok(())
}

/// Drops the indexes that an earlier run of this very migration began and did not finish: they would count as there.
async fn drop_broken_indexes(
    connection: &mut PgConnection,
    migration: &Migration,
) -> Result<(), MigrateError> {
    let broken: Vec<String> = sqlx::query_scalar(BROKEN)
        .fetch_all(&mut *connection)
        .await?;
    let sql = migration.sql.as_str();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    for index in broken {
        if sql
            .split(|c| !is_word(c))
            .any(|word| word == index.as_str())
        {
            tracing::warn!(index, "an earlier run did not finish it: it is built anew");
            let drop = format!("DROP INDEX CONCURRENTLY IF EXISTS public.{index}");
            connection.execute(AssertSqlSafe(drop)).await?;
        }
    }
    Ok(())
}
