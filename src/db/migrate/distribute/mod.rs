//! Distributing a database over a Citus cluster: tenants by shard, what all share on every node.
//!
//! One transaction drops the foreign keys (Citus takes a table with its keys in no order), makes the tables known to Citus,
//! and puts the keys back as they were. It is done again whenever something is new, and then for that alone. What Citus asks
//! of the schema is judged first, by the catalogue.

mod conditions;
mod functions;
mod plan;
mod shards;
mod tables;

use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, PgConnection, postgres::PgConnectOptions,
};

pub use conditions::Obstacle;
pub use functions::{FUNCTIONS, Runs};
pub use plan::{LOGINS, Plan};
pub use tables::{EVERYWHERE, ON_COORDINATOR, Place, Table};

use super::{APPLICATION, MigrateError, attempts::Attempts};

/// The oldest version of Citus that has grants on columns reach the shards.
const OLDEST: (u32, u32) = (13, 1);
/// In how many shards tables are cut unless something else is said: Citus' own default.
pub const SHARDS: u32 = 32;

const VERSION: &str =
    "SELECT extversion::text FROM pg_catalog.pg_extension WHERE extname = 'citus'";
/// Whether this is the coordinator, whether it is known to the cluster under an address, and how many nodes take shards.
const NODES: &str = "SELECT (SELECT groupid FROM pg_catalog.pg_dist_local_group) = 0, \
        coalesce(bool_or(groupid = 0), false), count(*) FILTER (WHERE shouldhaveshards AND isactive AND noderole = 'primary') \
     FROM pg_catalog.pg_dist_node";

/// What was done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Distributed {
    /// The tables that were distributed, and where to.
    pub tables: Vec<(String, Place)>,
    /// How many placements of shards were looked at, all of which are secured as their tables are.
    pub placements: i64,
}

/// What keeps the tables of a database from being distributed, as its owner sees it. It need not have Citus.
///
/// # Errors
/// [`MigrateError::Database`].
pub async fn obstacles(connection: &mut PgConnection) -> Result<Vec<Obstacle>, MigrateError> {
    let tables = tables::all(connection, false).await?;
    Ok(conditions::obstacles(connection, &tables, &EVERYWHERE).await?)
}

/// Where each table of a database belongs, and whether it is there. It need not have Citus.
///
/// # Errors
/// [`MigrateError::Database`].
pub async fn tables(connection: &mut PgConnection) -> Result<Vec<Table>, MigrateError> {
    let has_citus = version(connection).await?.is_some();
    Ok(tables::all(connection, has_citus).await?)
}

/// The statements that [`super::Release::distribute`] would run on a migrated database, in so many shards. It need not
/// have Citus; then they are all that there are.
///
/// # Errors
/// [`MigrateError::Unshardable`], [`MigrateError::Database`].
pub async fn dry_run(owner: &PgConnectOptions, shards: u32) -> Result<Plan, MigrateError> {
    let owner = owner.clone().application_name(APPLICATION);
    let mut connection = PgConnection::connect_with(&owner).await?;
    let plan = planned(&mut connection, shards).await?;
    connection.close().await?;
    Ok(plan)
}

/// Distributes what is not distributed yet.
pub(super) async fn distribute(
    connection: &mut PgConnection,
    attempts: &mut Attempts,
    shards: u32,
) -> Result<Distributed, MigrateError> {
    require_cluster(connection).await?;
    let work = async |connection: &mut PgConnection| {
        let mut tx = connection.begin().await?;
        let plan = planned(&mut tx, shards).await?;
        for statement in &plan.statements {
            tracing::info!(statement, "distributing");
            tx.execute(AssertSqlSafe(statement.clone())).await?;
        }
        tx.commit().await?;
        Ok(plan)
    };
    let plan = attempts.attempt(connection, "distributing", work).await?;
    // Only when it is committed: each placement is asked over a connection of its own.
    let placements = shards::verify(connection).await?;
    Ok(Distributed {
        tables: plan.tables,
        placements,
    })
}

/// The tables that a distributed database has and Citus does not know; none where nothing is distributed.
pub(super) async fn forgotten(connection: &mut PgConnection) -> Result<Vec<String>, MigrateError> {
    let tables = tables(connection).await?;
    let is_distributed = |table: &Table| table.is_there && table.place != Place::Coordinator;
    if !tables.iter().any(is_distributed) {
        return Ok(Vec::new());
    }
    let forgotten = tables.into_iter().filter(|table| !table.is_there);
    Ok(forgotten.map(|table| table.name).collect())
}

async fn planned(connection: &mut PgConnection, shards: u32) -> Result<Plan, MigrateError> {
    // So that whatever Postgres prints has its schema.
    connection.execute("SET search_path = pg_catalog").await?;
    let has_citus = version(connection).await?.is_some();
    let tables = tables::all(connection, has_citus).await?;
    let obstacles = conditions::obstacles(connection, &tables, &EVERYWHERE).await?;
    if !obstacles.is_empty() {
        return Err(MigrateError::Unshardable(obstacles));
    }
    Ok(plan::plan(connection, &tables, shards, has_citus).await?)
}

async fn version(connection: &mut PgConnection) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar(VERSION).fetch_optional(connection).await
}

/// Refuses what is no cluster that can take tables, and says what to do.
async fn require_cluster(connection: &mut PgConnection) -> Result<(), MigrateError> {
    let Some(version) = version(connection).await? else {
        return Err(MigrateError::NoCluster(
            "the extension citus is not in this database: `CREATE EXTENSION citus` as a superuser, here and in the database \
             of this name on every worker (shared_preload_libraries = 'citus')"
                .to_owned(),
        ));
    };
    if !is_new_enough(&version) {
        let (major, minor) = OLDEST;
        return Err(MigrateError::NoCluster(format!(
            "Citus is {version}, and grants on columns reach the shards from {major}.{minor} on: update it on every node"
        )));
    }
    let (is_coordinator, is_known, nodes): (Option<bool>, bool, i64) =
        sqlx::query_as(NODES).fetch_one(connection).await?;
    let wrong = if is_coordinator != Some(true) {
        "this is a worker: let DEALGRAPH_OWNER_DATABASE_URL lead to the coordinator"
    } else if !is_known {
        "the cluster does not know the coordinator's address: SELECT citus_set_coordinator_host('…')"
    } else if nodes == 0 {
        "no node takes shards: SELECT citus_add_node('…', 5432) for each worker"
    } else {
        return Ok(());
    };
    Err(MigrateError::NoCluster(wrong.to_owned()))
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version
        .split(|c: char| !c.is_ascii_digit())
        .map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= OLDEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(is_new_enough("13.1-1") && is_new_enough("13.2") && is_new_enough("14.0-1"));
        assert!(!is_new_enough("13.0-1") && !is_new_enough("9.5-1") && !is_new_enough(""));
    }
}
