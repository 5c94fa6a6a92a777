//! What is done around migrations: making the owner and its database on a new cluster, and letting the planner know the data.

use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, PgConnection, postgres::PgConnectOptions,
};

use super::{MigrateError, OWNER, SUPERUSER};

/// The statement that analyzes the tables of the current user; the parts of a partitioned one come with it.
const OWN_TABLES: &str = "SELECT 'ANALYZE ' || string_agg(c.oid::regclass::text, ', ' ORDER BY c.oid) \
     FROM pg_class c \
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND pg_get_userbyid(c.relowner) = current_user";

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
