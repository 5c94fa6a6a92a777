//! Updates: what brings a database to a version does so once, whoever else does it and whoever holds locks meanwhile; an old
//! database comes out as a new one; and servers serve the schemas that they can.

mod at_once;
mod fixture;
mod indexes;
mod locks;
mod states;

use std::time::Duration;

use dealgraph::db::migrate::{Migration, MigrationType, Patience};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

/// A database of migration 0021 with a little data; its first lines say how it was made.
const FIXTURE: &str = include_str!("../fixtures/0021.sql");
/// How long a wait of the fixture's kind takes at the most.
const SOON: Duration = Duration::from_secs(20);

/// The patience of a run that a test waits for.
fn patience(total: Duration) -> Patience {
    Patience {
        total,
        ..Patience::default()
    }
}

/// A migration of a later version.
pub(crate) fn later(version: i64, sql: &str) -> Migration {
    Migration::new(
        version,
        "later".into(),
        MigrationType::Simple,
        AssertSqlSafe(sql.to_owned()).into_sql_str(),
        sql.starts_with("-- no-transaction"),
    )
}
