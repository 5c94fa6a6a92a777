//! What Citus asks of a schema before it takes it. Judged by the catalogue of any Postgres, so that a migration which
//! breaks it is found where no cluster is.

use std::fmt;

use sqlx::PgConnection;

use super::{Place, Table};

/// Something that keeps tables from being distributed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Obstacle {
    /// Which rule is broken.
    pub rule: &'static str,
    /// What breaks it: a table, and a constraint, a policy or the like.
    pub what: String,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.rule)
    }
}

/// The tables that the rules speak of: `sharded` and `copied` (the reference tables); partitions go with their table.
const TABLES: &str = "WITH sharded AS ( \
        SELECT t.oid FROM unnest($1::text[]::regclass[]) t(oid) \
        UNION SELECT p.relid FROM unnest($1::text[]::regclass[]) t(oid), pg_catalog.pg_partition_tree(t.oid) p), \
     copied AS (SELECT t.oid FROM unnest($2::text[]::regclass[]) t(oid)), \
     ours AS (SELECT oid FROM sharded UNION SELECT oid FROM copied) ";

/// Rules, and queries for what breaks each.
const RULES: [(&str, &str); 14] = [
    (
        "it has a tenant_id that its primary key does not begin with, and is not listed as a table for all nodes",
        "SELECT a.attrelid::regclass::text FROM copied JOIN pg_attribute a ON a.attrelid = copied.oid \
         WHERE a.attname = 'tenant_id' AND NOT a.attisdropped \
           AND NOT a.attrelid = ANY ($3::text[]::regclass[])",
    ),
    (
        "it has no primary key",
        "SELECT ours.oid::regclass::text FROM ours \
         WHERE NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = ours.oid AND i.indisprimary)",
    ),
    (
        "its tenant_id is not a uuid, or may be null",
        "SELECT sharded.oid::regclass::text FROM sharded \
         WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = sharded.oid AND a.attname = 'tenant_id' \
                           AND a.atttypid = 'uuid'::regtype AND a.attnotnull AND a.attgenerated = '')",
    ),
    (
        "a unique index does not begin with tenant_id, and a shard knows only its own rows",
        "SELECT i.indexrelid::regclass::text FROM sharded JOIN pg_index i ON i.indrelid = sharded.oid AND i.indisunique \
         WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = sharded.oid AND a.attnum = i.indkey[0] \
                           AND a.attname = 'tenant_id')",
    ),
    (
        "an exclusion constraint is without tenant_id",
        "SELECT k.conrelid::regclass || '.' || k.conname FROM sharded JOIN pg_constraint k ON k.conrelid = sharded.oid AND k.contype = 'x' \
         WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = sharded.oid AND a.attnum = ANY (k.conkey) \
                           AND a.attname = 'tenant_id')",
    ),
    (
        "a foreign key between tenant tables does not have tenant_id at the same position on both sides",
        "SELECT k.conrelid::regclass || '.' || k.conname FROM sharded \
         JOIN pg_constraint k ON k.conrelid = sharded.oid AND k.contype = 'f' JOIN sharded other ON other.oid = k.confrelid \
         WHERE NOT EXISTS (SELECT FROM unnest(k.conkey, k.confkey) pair(here, there) \
                           JOIN pg_attribute h ON h.attrelid = k.conrelid AND h.attnum = pair.here AND h.attname = 'tenant_id' \
                           JOIN pg_attribute t ON t.attrelid = k.confrelid AND t.attnum = pair.there AND t.attname = 'tenant_id')",
    ),
    (
        "a foreign key leads from a table for all nodes, or one of the coordinator, to one in shards, or to or from outside",
        "SELECT k.conrelid::regclass || '.' || k.conname FROM pg_constraint k \
         WHERE k.contype = 'f' \
           AND ((k.confrelid IN (SELECT oid FROM sharded) AND k.conrelid NOT IN (SELECT oid FROM sharded)) \
                OR (k.conrelid IN (SELECT oid FROM ours)) <> (k.confrelid IN (SELECT oid FROM ours)))",
    ),
    (
        "a foreign key sets NULL or a default, or follows an update",
        "SELECT k.conrelid::regclass || '.' || k.conname FROM sharded \
         JOIN pg_constraint k ON k.conrelid = sharded.oid AND k.contype = 'f' \
         WHERE k.confdeltype IN ('n', 'd') OR k.confupdtype IN ('c', 'n', 'd')",
    ),
    (
        "it has a trigger",
        "SELECT t.tgrelid::regclass || '.' || t.tgname FROM ours JOIN pg_trigger t ON t.tgrelid = ours.oid \
         WHERE NOT t.tgisinternal \
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_trigger'::regclass AND d.objid = t.oid AND d.deptype = 'e')",
    ),
    (
        "it has a rule",
        "SELECT r.ev_class::regclass || '.' || r.rulename FROM ours JOIN pg_rewrite r ON r.ev_class = ours.oid",
    ),
    (
        "a policy has a sub-query",
        "SELECT p.polrelid::regclass || '.' || p.polname FROM ours JOIN pg_policy p ON p.polrelid = ours.oid \
         WHERE concat(p.polqual::text, p.polwithcheck::text) LIKE '%{SUBLINK %'",
    ),
    (
        "a column takes its value from a sequence",
        "SELECT a.attrelid::regclass || '.' || a.attname FROM sharded JOIN pg_attribute a ON a.attrelid = sharded.oid \
         LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
         WHERE NOT a.attisdropped AND (a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) LIKE '%nextval(%')",
    ),
    (
        "it inherits from another table",
        "SELECT i.inhrelid::regclass::text FROM ours JOIN pg_inherits i ON i.inhrelid = ours.oid \
         JOIN pg_class parent ON parent.oid = i.inhparent WHERE parent.relkind = 'r'",
    ),
    (
        "it is unlogged or temporary",
        "SELECT c.oid::regclass::text FROM ours JOIN pg_class c ON c.oid = ours.oid WHERE c.relpersistence <> 'p'",
    ),
];

/// What keeps these tables from being distributed.
pub(super) async fn obstacles(
    connection: &mut PgConnection,
    tables: &[Table],
    everywhere: &[(&str, &str)],
) -> sqlx::Result<Vec<Obstacle>> {
    let of = |place| -> Vec<&str> {
        let tables = tables.iter().filter(|table| table.place == place);
        tables.map(|table| table.name.as_str()).collect()
    };
    let (sharded, copied) = (of(Place::ByTenant), of(Place::Everywhere));
    // Those that this version lists and this database does not have yet are no names of it.
    let is_here = |name: &&str| copied.contains(name);
    let listed: Vec<&str> = everywhere
        .iter()
        .map(|(name, _)| *name)
        .filter(is_here)
        .collect();
    let mut found = Vec::new();
    for (rule, query) in RULES {
        let query = sqlx::AssertSqlSafe(format!(
            "{TABLES} SELECT x.what FROM ({query}) x(what), (SELECT $3::text[]) unused ORDER BY 1"
        ));
        let broken: Vec<String> = sqlx::query_scalar(query)
            .bind(&sharded)
            .bind(&copied)
            .bind(&listed)
            .fetch_all(&mut *connection)
            .await?;
        found.extend(broken.into_iter().map(|what| Obstacle { rule, what }));
    }
    Ok(found)
}
