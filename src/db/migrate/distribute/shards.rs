//! Whether the shards are secured as their tables are: Citus makes them, and on a worker they are what policies bind.

use sqlx::{AssertSqlSafe, PgConnection};

use super::MigrateError;

/// What of a table decides who reaches it: row-level security, that it is forced, policies, grants on columns, grants.
const SECURITY: &str = "SELECT concat_ws(' ', c.relrowsecurity, c.relforcerowsecurity, \
        (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid), \
        (SELECT count(*) FROM pg_attribute a, aclexplode(a.attacl) g WHERE a.attrelid = c.oid AND a.attnum > 0), \
        (SELECT count(*) FROM aclexplode(c.relacl) g WHERE g.grantee <> c.relowner)) \
     FROM pg_class c WHERE c.oid = ";

/// Table, node, shard, whether the node answered, what it said, and what it should have said.
type Placement = (String, String, i64, bool, Option<String>, Option<String>);

/// How many placements there are, all of them with row-level security, policies and grants as their table has them.
pub(super) async fn verify(connection: &mut PgConnection) -> Result<i64, MigrateError> {
    // Citus puts the name of each shard in for %s.
    let of_shard = format!("{SECURITY} '%s'::regclass");
    let placements = format!(
        "SELECT t.name, s.nodename || ':' || s.nodeport, s.shardid, s.success, s.result, t.wanted \
         FROM (SELECT p.logicalrelid, p.logicalrelid::text AS name, ({SECURITY} p.logicalrelid) AS wanted \
               FROM pg_catalog.pg_dist_partition p) t, \
              LATERAL run_command_on_placements(t.logicalrelid, $1) s"
    );
    let placements: Vec<Placement> = sqlx::query_as(AssertSqlSafe(placements))
        .bind(of_shard)
        .fetch_all(connection)
        .await?;
    let is_wrong = |placement: &&Placement| !placement.3 || placement.4 != placement.5;
    if let Some((table, node, shard, _, said, wanted)) = placements.iter().find(is_wrong) {
        return Err(MigrateError::Unsecured {
            table: table.clone(),
            shard: format!("{shard} on {node}"),
            said: said.clone().unwrap_or_default(),
            wanted: wanted.clone().unwrap_or_default(),
            wrong: placements.iter().filter(is_wrong).count(),
        });
    }
    Ok(i64::try_from(placements.len()).unwrap_or(i64::MAX))
}
