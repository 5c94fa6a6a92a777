//! Which tables go where, by the catalogue and two short lists.

use std::fmt;

use sqlx::PgConnection;

/// Where the rows of a table are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// All of them on every node: Citus calls it a reference table.
    Everywhere,
    /// In shards by `tenant_id`: each tenant's on one node.
    ByTenant,
    /// On the coordinator, unknown to Citus.
    Coordinator,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Everywhere => "reference",
            Self::ByTenant => "distributed",
            Self::Coordinator => "local",
        })
    }
}

/// Tables that only the coordinator has, each with the reason.
pub const ON_COORDINATOR: [(&str, &str); 4] = [
    (
        "app.applied_policies",
        "`migrate` alone reads and writes it, on the coordinator",
    ),
    (
        "app.schema_state",
        "the version of the schema: servers ask the coordinator, and a migration sets it in its own transaction",
    ),
    (
        "app.text_forms",
        "which forms stored text was brought to: `migrate` alone reads and writes it",
    ),
    (
        "public._sqlx_migrations",
        "sqlx's own list of what was applied, which it makes and locks itself",
    ),
];

/// Tables with a `tenant_id` that are on every node all the same, each with the reason. Tables without one are there
/// anyway.
pub const EVERYWHERE: [(&str, &str); 3] = [
    (
        "public.access_changes",
        "every server follows the changes of all tenants; a tenant is what some of them are about",
    ),
    (
        "public.sessions",
        "a session is a person's; the tenant is the one that its tokens are for at the moment",
    ),
    (
        "public.tenants",
        "short names are unique across tenants, and every table refers to it",
    ),
];

/// Tables that go first: a function of other tables' policies reads them, and Citus makes it on the workers with those.
pub(super) const FIRST: [&str; 1] = ["public.sessions"];

/// A table of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its schema and name.
    pub name: String,
    /// Where its rows belong.
    pub place: Place,
    /// Whether Citus has it there already.
    pub is_there: bool,
}

/// Schema and name, and whether the primary key begins with the tenant.
const TABLES: &str = "SELECT n.nspname || '.' || c.relname, \
        EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] \
                WHERE i.indrelid = c.oid AND i.indisprimary AND a.attname = 'tenant_id') \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE n.nspname IN ('public', 'app') AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d \
                       WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') \
     ORDER BY 1";
/// What Citus knows: schema and name, and whether it is in shards.
const KNOWN: &str = "SELECT n.nspname || '.' || c.relname, p.partmethod = 'h' \
     FROM pg_catalog.pg_dist_partition p JOIN pg_catalog.pg_class c ON c.oid = p.logicalrelid \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE p.partmethod = 'h' OR (p.partmethod = 'n' AND p.repmodel = 't')";

/// The tables of a database. `has_citus` says whether the extension is there to be asked.
pub(super) async fn all(
    connection: &mut PgConnection,
    has_citus: bool,
) -> sqlx::Result<Vec<Table>> {
    let tables: Vec<(String, bool)> = sqlx::query_as(TABLES).fetch_all(&mut *connection).await?;
    let known: Vec<(String, bool)> = match has_citus {
        true => sqlx::query_as(KNOWN).fetch_all(connection).await?,
        false => Vec::new(),
    };
    let table = |(name, is_by_tenant): (String, bool)| {
        let place = place(&name, is_by_tenant);
        let is_there = known
            .iter()
            .any(|(known, in_shards)| *known == name && *in_shards == (place == Place::ByTenant));
        Table {
            is_there: is_there || place == Place::Coordinator,
            name,
            place,
        }
    };
    Ok(tables.into_iter().map(table).collect())
}

fn place(name: &str, is_by_tenant: bool) -> Place {
    let is_in = |list: &[(&str, &str)]| list.iter().any(|(listed, _)| *listed == name);
    if is_in(&ON_COORDINATOR) {
        Place::Coordinator
    } else if is_by_tenant && !is_in(&EVERYWHERE) {
        Place::ByTenant
    } else {
        Place::Everywhere
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_goes_by_its_key_unless_it_is_listed() {
        assert_eq!(place("public.companies", true), Place::ByTenant);
        assert_eq!(place("public.tenants", true), Place::Everywhere);
        assert_eq!(place("public.users", false), Place::Everywhere);
        assert_eq!(place("app.schema_state", false), Place::Coordinator);
    }
}
