//! All that a database says of itself: who may do what, and every row.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::machine::Cluster;

/// What stands for `PRIVILEGES(kind, list, owner)`: the list without its order, or what none of its own means.
const PRIVILEGES: &str = "(SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(coalesce(LIST, acldefault(KIND, OWNER))) a)";

/// What is said of each kind of thing.
const SAYINGS: [(&str, &str); 10] = [
    (
        "roles",
        "SELECT row(rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolbypassrls, rolpassword)::text
         FROM pg_authid WHERE rolname ~ '^dealgraph'",
    ),
    (
        "settings of roles",
        "SELECT row(setrole::regrole, setdatabase, setconfig)::text FROM pg_db_role_setting",
    ),
    (
        "databases",
        "SELECT row(datname, pg_get_userbyid(datdba), PRIVILEGES('d', datacl, datdba), datcollate, datctype, encoding)::text FROM pg_database",
    ),
    (
        "schemas",
        "SELECT row(nspname, pg_get_userbyid(nspowner), PRIVILEGES('n', nspacl, nspowner))::text FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp)'",
    ),
    (
        "tables",
        "SELECT row(oid::regclass, relkind, pg_get_userbyid(relowner), PRIVILEGES('r', relacl, relowner), relrowsecurity, relforcerowsecurity,
                    pg_get_partkeydef(oid), pg_get_expr(relpartbound, oid))::text
         FROM pg_class WHERE relnamespace::regnamespace::text IN ('public', 'app')",
    ),
    (
        "columns",
        "SELECT row(attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull, PRIVILEGES('c', attacl, relowner),
                    (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = attrelid AND adnum = attnum))::text
         FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
         WHERE relkind IN ('r', 'p') AND relnamespace::regnamespace::text IN ('public', 'app') AND attnum > 0 AND NOT attisdropped",
    ),
    (
        "policies",
        "SELECT row(polrelid::regclass, polname, polcmd, polpermissive,
                    (SELECT string_agg(r::regrole::text, ' ' ORDER BY r::regrole::text) FROM unnest(polroles) r),
                    pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))::text FROM pg_policy",
    ),
    (
        "functions",
        "SELECT row(oid::regprocedure, pg_get_userbyid(proowner), PRIVILEGES('f', proacl, proowner), prosecdef, proconfig,
                    CASE WHEN pronamespace = 'app'::regnamespace THEN pg_get_functiondef(oid) END)::text
         FROM pg_proc WHERE pronamespace = 'app'::regnamespace OR proname ~ '^(lo_.*|loread|lowrite)$'",
    ),
    (
        "indexes",
        "SELECT row(indexrelid::regclass, pg_get_indexdef(indexrelid), indisvalid)::text FROM pg_index
         WHERE indrelid::regclass::text !~ '^pg_'",
    ),
    (
        "constraints",
        "SELECT row(conrelid::regclass, conname, convalidated, pg_get_constraintdef(oid))::text FROM pg_constraint
         WHERE connamespace::regnamespace::text IN ('public', 'app')",
    ),
];

/// What the lines about rows begin with; the others are the catalogue's.
const ROWS: &str = "rows: ";

/// What a database says, a line each.
pub(super) async fn of(cluster: &Cluster<'_>) -> BTreeSet<String> {
    let mut superuser = PgConnection::connect_with(&cluster.options("postgres"))
        .await
        .expect("the superuser connects");
    let mut lines = BTreeSet::new();
    for (kind, sql) in SAYINGS {
        let said = read(&mut superuser, &expanded(sql)).await;
        assert!(!said.is_empty(), "{kind}");
        lines.extend(said.into_iter().map(|line| format!("{kind}: {line}")));
    }
    let tables = "SELECT oid::regclass::text FROM pg_class
                  WHERE relkind = 'r' AND relnamespace::regnamespace::text IN ('public', 'app')";
    let mut filled = 0;
    for table in read(&mut superuser, tables).await {
        let sql = format!(
            "SELECT count(*)::text || ' ' || md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM {table} t HAVING count(*) > 0"
        );
        let rows = read(&mut superuser, &sql).await;
        filled += rows.len();
        lines.extend(rows.iter().map(|rows| format!("{ROWS}{table} {rows}")));
    }
    assert!(filled > 20, "only {filled} tables have rows");
    superuser.close().await.expect("the connection ends");
    lines
}

/// Everything but the rows.
pub(super) fn catalogue(lines: &BTreeSet<String>) -> BTreeSet<String> {
    let of_catalogue = lines.iter().filter(|line| !line.starts_with(ROWS));
    of_catalogue.cloned().collect()
}

/// Fails with what only one of two databases says.
pub(super) fn assert_same(one: &BTreeSet<String>, other: &BTreeSet<String>) {
    let differences: Vec<_> = one.symmetric_difference(other).collect();
    assert!(differences.is_empty(), "{differences:#?}");
}

/// The statement with lists of privileges written out.
fn expanded(sql: &str) -> String {
    let mut parts = sql.split("PRIVILEGES(");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (arguments, rest) = part.split_once(')').expect("it is closed");
        let arguments: Vec<_> = arguments.split(", ").collect();
        let &[kind, list, owner] = arguments.as_slice() else {
            panic!("{arguments:?}");
        };
        let privileges = PRIVILEGES.replace("LIST", list).replace("KIND", kind);
        text += &privileges.replace("OWNER", owner);
        text += rest;
    }
    text
}

async fn read(superuser: &mut PgConnection, sql: &str) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
        .fetch_all(superuser)
        .await
        .expect("the catalogue can be read")
}
