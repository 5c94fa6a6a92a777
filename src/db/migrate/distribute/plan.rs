//! The statements that distribute what is not distributed yet.

use std::fmt;

use sqlx::PgConnection;

use super::{
    Place, Table,
    functions::{ANCHOR, FUNCTIONS, Runs},
    tables::FIRST,
};

/// The logins whose `SET LOCAL` has to reach the workers, or the policies there see no actor.
pub const LOGINS: [&str; 2] = ["dealgraph_app", "dealgraph_system"];

/// What is to be done, in order, in one transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The statements.
    pub statements: Vec<String>,
    /// The tables that they distribute, and where to.
    pub tables: Vec<(String, Place)>,
}

impl Plan {
    /// Whether all is done already.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "BEGIN;")?;
        for statement in &self.statements {
            writeln!(f, "{statement};")?;
        }
        writeln!(f, "COMMIT;")
    }
}

/// A foreign key: its table, its name, the table that it leads to, and what it says.
type ForeignKey = (String, String, String, String);

/// Those of tables, not the copies that partitions have of them. What a key says has its names in full, because only
/// `pg_catalog` is looked up without.
const FOREIGN_KEYS: &str = "SELECT n.nspname || '.' || c.relname, quote_ident(k.conname), tn.nspname || '.' || t.relname, \
        pg_get_constraintdef(k.oid) \
     FROM pg_constraint k \
     JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
     JOIN pg_class t ON t.oid = k.confrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace \
     WHERE k.contype = 'f' AND k.conparentid = 0 AND n.nspname IN ('public', 'app') ORDER BY 1, 2";
/// The functions that Citus has on the workers.
const DISTRIBUTED_FUNCTIONS: &str = "SELECT o.objid::regprocedure::text FROM pg_catalog.pg_dist_object o \
     WHERE o.classid = 'pg_catalog.pg_proc'::regclass \
       AND (o.force_delegation OR NOT o.objid::regprocedure::text = ANY ($1))";
/// The logins that do not tell the workers yet.
const SILENT: &str = "SELECT r.rolname::text FROM pg_roles r WHERE r.rolname = ANY ($1) \
     AND NOT EXISTS (SELECT FROM pg_db_role_setting s WHERE s.setrole = r.oid \
                     AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) \
                     AND 'citus.propagate_set_commands=local' = ANY (s.setconfig)) ORDER BY 1";

/// What is to be done for these tables. `has_citus` says whether there is an extension that knows what was done already.
pub(super) async fn plan(
    connection: &mut PgConnection,
    tables: &[Table],
    shards: u32,
    has_citus: bool,
) -> sqlx::Result<Plan> {
    let keys: Vec<ForeignKey> = sqlx::query_as(FOREIGN_KEYS)
        .fetch_all(&mut *connection)
        .await?;
    let delegated: Vec<&str> = FUNCTIONS
        .iter()
        .filter(|(_, runs)| matches!(runs, Runs::WithTenant(_)))
        .map(|(name, _)| *name)
        .collect();
    let known: Vec<String> = match has_citus {
        true => {
            let known = sqlx::query_scalar(DISTRIBUTED_FUNCTIONS).bind(&delegated);
            known.fetch_all(&mut *connection).await?
        }
        false => Vec::new(),
    };
    let silent: Vec<String> = sqlx::query_scalar(SILENT)
        .bind(LOGINS.as_slice())
        .fetch_all(&mut *connection)
        .await?;
    let database: String = sqlx::query_scalar("SELECT quote_ident(current_database())")
        .fetch_one(connection)
        .await?;
    Ok(put_together(
        tables, &keys, shards, &known, &silent, &database,
    ))
}

fn put_together(
    tables: &[Table],
    keys: &[ForeignKey],
    shards: u32,
    known: &[String],
    silent: &[String],
    database: &str,
) -> Plan {
    let mut statements = Vec::new();
    let new = |place| {
        let tables = tables.iter();
        tables.filter(move |table| table.place == place && !table.is_there)
    };
    let is_new = |name: &String| {
        tables
            .iter()
            .any(|table| table.name == *name && !table.is_there)
    };
    let moved: Vec<_> = keys
        .iter()
        .filter(|(table, _, leads_to, _)| is_new(table) || is_new(leads_to))
        .collect();
    for (table, key, _, _) in &moved {
        statements.push(format!("ALTER TABLE {table} DROP CONSTRAINT {key}"));
    }
    let is_first = |table: &&Table| FIRST.contains(&table.name.as_str());
    let (first, others): (Vec<_>, Vec<_>) = new(Place::Everywhere).partition(is_first);
    for table in first.into_iter().chain(others) {
        statements.push(format!("SELECT create_reference_table('{}')", table.name));
    }
    statements.extend(by_tenant(tables, shards));
    for (function, _) in functions(known, |runs| matches!(runs, Runs::Everywhere)) {
        statements.push(format!("SELECT create_distributed_function('{function}')"));
    }
    for (function, runs) in functions(known, |runs| matches!(runs, Runs::WithTenant(_))) {
        let Runs::WithTenant(argument) = runs else {
            continue;
        };
        statements.push(format!(
            "SELECT create_distributed_function('{function}', '{argument}', colocate_with => '{ANCHOR}', force_delegation => true)"
        ));
    }
    for (table, key, _, says) in &moved {
        statements.push(format!("ALTER TABLE {table} ADD CONSTRAINT {key} {says}"));
    }
    for login in silent {
        statements.push(format!(
            "ALTER ROLE {login} IN DATABASE {database} SET citus.propagate_set_commands = 'local'"
        ));
    }
    let tables = [Place::Everywhere, Place::ByTenant]
        .into_iter()
        .flat_map(new)
        .map(|table| (table.name.clone(), table.place))
        .collect();
    if !statements.is_empty() {
        // One connection to each worker: many at once do not see each other's new tables.
        statements.insert(
            0,
            "SET LOCAL citus.multi_shard_modify_mode = 'sequential'".to_owned(),
        );
    }
    Plan { statements, tables }
}

/// Functions that are to be made known to Citus.
fn functions(
    known: &[String],
    is_wanted: fn(&Runs) -> bool,
) -> impl Iterator<Item = &'static (&'static str, Runs)> {
    let is_new = |name: &str| !known.iter().any(|known| known == name);
    FUNCTIONS
        .iter()
        .filter(move |(name, runs)| is_wanted(runs) && is_new(name))
}

/// All in one group of shards, so that what belongs to a tenant is on one node: the first table says how many there are,
/// the others go along with it.
fn by_tenant(tables: &[Table], shards: u32) -> Vec<String> {
    let by_tenant = || tables.iter().filter(|table| table.place == Place::ByTenant);
    let anchor_is_new = by_tenant().any(|table| table.name == ANCHOR && !table.is_there);
    let first = anchor_is_new.then(|| {
        format!("SELECT create_distributed_table('{ANCHOR}', 'tenant_id', colocate_with => 'none', shard_count => {shards})")
    });
    let others = by_tenant().filter(|table| table.name != ANCHOR && !table.is_there);
    let others = others.map(|table| {
        let name = &table.name;
        format!(
            "SELECT create_distributed_table('{name}', 'tenant_id', colocate_with => '{ANCHOR}')"
        )
    });
    first.into_iter().chain(others).collect()
}
