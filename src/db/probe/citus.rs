//! Whether a database is spread over a Citus cluster, and whether a login's settings reach the workers.

use sqlx::{Connection as _, postgres::PgConnectOptions};

use super::{ProbeError, close, connect};

/// A distributed database, as a login sees it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Citus {
    /// The version of the extension.
    pub version: String,
    /// The login that asked.
    pub login: String,
    /// How much of what it sets the workers are told; `local` is what policies need there.
    pub propagates: String,
    /// Tables that are distributed.
    pub distributed: i64,
    /// Tables that are neither distributed nor on every node, and should be one of them.
    pub forgotten: Vec<String>,
    /// Nodes that take shards.
    pub nodes: i64,
}

const IS_THERE: &str = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')";
const CITUS: &str = "SELECT (SELECT extversion::text FROM pg_extension WHERE extname = 'citus') AS version, \
        current_user::text AS login, coalesce(current_setting('citus.propagate_set_commands', true), 'none') AS propagates, \
        (SELECT count(*) FROM pg_dist_partition WHERE partmethod = 'h') AS distributed, \
        ARRAY(SELECT c.relname::text FROM pg_class c \
              WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
                AND c.relname <> '_sqlx_migrations' AND c.oid NOT IN (SELECT logicalrelid FROM pg_dist_partition \
                                  WHERE partmethod = 'h' OR (partmethod = 'n' AND repmodel = 't')) \
              ORDER BY 1) AS forgotten, \
        (SELECT count(*) FROM pg_dist_node WHERE shouldhaveshards AND isactive AND noderole = 'primary') AS nodes";

/// Looks at it; nothing where there is no such extension.
///
/// # Errors
/// [`ProbeError`].
pub async fn citus(options: &PgConnectOptions) -> Result<Option<Citus>, ProbeError> {
    let mut connection = connect(options).await?;
    let mut tx = connection.begin().await?;
    let is_there: bool = sqlx::query_scalar(IS_THERE)
        .persistent(false)
        .fetch_one(&mut *tx)
        .await?;
    let found = match is_there {
        true => {
            let found = sqlx::query_as(CITUS).persistent(false);
            Some(found.fetch_one(&mut *tx).await?)
        }
        false => None,
    };
    tx.rollback().await?;
    close(connection).await;
    Ok(found)
}
