//! Who reaches which rows: every role, every table, every verb, asked of Postgres itself with the claims that a unit of
//! work sets.

use std::fmt::Write as _;

use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection, raw_sql};

use super::claims::{claim, claims};
use crate::harness::{A, GLOBAL_TABLES, TENANT_TABLES, Who, World, test};

const LEGEND: &str = "\
r the rep's · m the manager's, whose team is above the rep's · o another team's · n nobody's · s another team's, shared with the rep
a of tenant A, not owned · u of no tenant · B of tenant B: must never appear
. none of the rows · - the login has no grant

";

const VERBS: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "DELETE"];

#[test]
fn every_role_reaches_exactly_the_rows_of_the_reviewed_matrix() {
    test(async |world| {
        let mut inspector = world.database.superuser().await;
        let tables = tables(&mut inspector).await;
        let mut text = LEGEND.to_owned();
        let mut lines = vec![String::new(); tables.len()];
        for who in Who::ROLES.into_iter().map(Some).chain([None]) {
            let (name, mut asker) = asker(world, who).await;
            for (table, lines) in tables.iter().zip(&mut lines) {
                _ = write!(lines, "\n  {name:10}");
                for verb in VERBS {
                    _ = write!(lines, " {:7}", table.reached(verb, &mut asker).await);
                }
                lines.truncate(lines.trim_end().len());
            }
        }
        for (table, lines) in tables.iter().zip(lines) {
            _ = writeln!(
                text,
                "{}\n             select  insert  update  delete{lines}\n",
                table.name
            );
        }
        assert!(
            !text.replace(LEGEND, "").contains('B'),
            "a row of tenant B was reached"
        );
        insta::assert_snapshot!(text);
    });
}

#[test]
fn no_row_can_be_moved_to_another_tenant_even_by_an_admin() {
    test(async |world| {
        let (_, mut admin) = asker(world, Some(Who::Admin)).await;
        for table in TENANT_TABLES {
            let sql = format!("UPDATE {table} SET tenant_id = tenant_id");
            let refused = raw_sql(AssertSqlSafe(format!("SAVEPOINT s; {sql}")))
                .execute(&mut admin)
                .await
                .unwrap_err();
            assert_eq!(code(&refused), "42501", "{table}: {refused}");
            raw_sql("ROLLBACK TO s").execute(&mut admin).await.unwrap();
        }
    });
}

#[test]
fn the_world_and_the_matrix_cover_every_table() {
    test(async |world| {
        let mut inspector = world.database.superuser().await;
        let tables = tables(&mut inspector).await;
        let of_tenants: Vec<_> = tables
            .iter()
            .map(|table| table.name.as_str())
            .filter(|name| !GLOBAL_TABLES.contains(name))
            .collect();
        assert_eq!(
            of_tenants, TENANT_TABLES,
            "list the new table in harness/statements.rs and give it rows in world.sql"
        );

        // Without a column for free text there is no place for a canary; the ids of B mark these.
        let textless = [
            "activity_targets",
            "business_figure_positions",
            "idempotency_keys",
            "job_queues",
            "tenant_seq",
        ];
        for table in &tables {
            let rows = table
                .rows
                .iter()
                .map(|(label, row)| (*label == 'B', row.to_string()));
            let (of_b, of_a): (Vec<_>, Vec<_>) = rows.partition(|(is_b, _)| *is_b);
            let canary = format!("CANARY-B-{}", table.name);
            assert!(
                !of_a.is_empty(),
                "{} has no row of tenant A in world.sql",
                table.name
            );
            assert!(
                of_a.iter()
                    .all(|(_, row)| table.name == "users" || !row.contains("CANARY")),
                "{}",
                table.name
            );
            if !GLOBAL_TABLES.contains(&table.name.as_str())
                && !textless.contains(&table.name.as_str())
            {
                assert!(
                    !of_b.is_empty(),
                    "{} has no row of tenant B in world.sql",
                    table.name
                );
                assert!(
                    of_b.iter().all(|(_, row)| row.contains(&canary)),
                    "a row of {} lacks {canary}",
                    table.name
                );
            }
        }
    });
}

/// A connection in a transaction with the claims of a member of A, or without claims.
async fn asker(world: &World, who: Option<Who>) -> (String, PgConnection) {
    let mut connection = world.database.connect("dealgraph_app").await;
    raw_sql("BEGIN").execute(&mut connection).await.unwrap();
    let Some(who) = who else {
        return ("no claims".to_owned(), connection);
    };
    claim(&mut connection, &claims(&world.db, A.actor(who)).await).await;
    let name = match who {
        Who::Closer | Who::Auditor => format!("{who:?}"),
        _ => format!("{:?}", who.role(A)),
    };
    (name, connection)
}

struct Table {
    name: String,
    keys: Vec<String>,
    inserted: Vec<String>,
    updated: String,
    /// Each row with the letter of who it belongs to.
    rows: Vec<(char, Value)>,
}

async fn tables(inspector: &mut PgConnection) -> Vec<Table> {
    let found: Vec<(String, Vec<String>, Vec<String>, Vec<String>, Vec<String>)> = sqlx::query_as(
        "SELECT c.relname::text,
                ARRAY(SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
                      WHERE i.indrelid = c.oid AND i.indisprimary),
                ARRAY(SELECT a.attname::text FROM pg_attribute a
                      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''),
                ARRAY(SELECT p.column_name::text FROM information_schema.column_privileges p
                      WHERE p.table_name = c.relname AND p.grantee = 'dealgraph_app' AND p.privilege_type = 'INSERT'),
                ARRAY(SELECT p.column_name::text FROM information_schema.column_privileges p
                      WHERE p.table_name = c.relname AND p.grantee = 'dealgraph_app' AND p.privilege_type = 'UPDATE')
         FROM pg_class c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
           AND c.relname <> '_sqlx_migrations'
         ORDER BY 1",
    )
    .fetch_all(&mut *inspector)
    .await
    .unwrap();
    let mut tables = Vec::new();
    for (name, keys, all, inserted, updated) in found {
        let sql = format!("SELECT to_jsonb(t) FROM {name} t");
        let rows: Vec<Value> = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_all(&mut *inspector)
            .await
            .unwrap();
        let rows = rows.into_iter().map(|row| (label(&row), row)).collect();
        let updated = updated.first().unwrap_or(&all[0]).clone();
        let inserted = if inserted.is_empty() { all } else { inserted };
        tables.push(Table {
            name,
            keys,
            inserted,
            updated,
            rows,
        });
    }
    tables
}

fn label(row: &Value) -> char {
    let Some(tenant) = row["tenant_id"].as_str() else {
        return 'u';
    };
    if tenant != A.uuid("tenant", 1).to_string() {
        return 'B';
    }
    let Some(visible_to) = row["visible_to"].as_str() else {
        return 'a';
    };
    let is_for = |who| visible_to.contains(&A.user(who).to_string().replace("user:", "u:"));
    match (
        is_for(Who::Rep),
        is_for(Who::Manager),
        is_for(Who::OtherRep),
    ) {
        (true, _, true) => 's',
        (true, ..) => 'r',
        (_, true, _) => 'm',
        (.., true) => 'o',
        _ => 'n',
    }
}

impl Table {
    /// The letters of the rows that a verb reaches. Rows of one letter must be treated alike.
    async fn reached(&self, verb: &str, asker: &mut PgConnection) -> String {
        let mut cell: Vec<(char, bool)> = Vec::new();
        for (label, row) in &self.rows {
            let sql = self.statement(verb, row);
            let outcome = raw_sql(AssertSqlSafe(format!("SAVEPOINT s; {sql}; ROLLBACK TO s")))
                .execute(&mut *asker)
                .await;
            let reached = match outcome {
                Ok(done) => done.rows_affected() > 0,
                Err(error) => {
                    raw_sql("ROLLBACK TO s").execute(&mut *asker).await.unwrap();
                    match code(&error).as_str() {
                        "42501" if error.to_string().contains("permission denied") => {
                            return "-".to_owned();
                        }
                        "42501" => false,
                        // Policies are asked before constraints: an actor who hears of a constraint was let through.
                        "23503" | "23505" => true,
                        _ => panic!("{sql}: {error}"),
                    }
                }
            };
            match cell.iter().find(|(other, _)| other == label) {
                Some((_, alike)) => assert_eq!(*alike, reached, "{verb} {} {row}", self.name),
                None => cell.push((*label, reached)),
            }
        }
        let letters: String = "rmonsauB"
            .chars()
            .filter(|letter| cell.contains(&(*letter, true)))
            .collect();
        if letters.is_empty() {
            ".".to_owned()
        } else {
            letters
        }
    }

    /// What touches exactly this row; an INSERT of a copy of it.
    fn statement(&self, verb: &str, row: &Value) -> String {
        let (name, updated) = (&self.name, &self.updated);
        let literal = |value: &str| format!("'{}'", value.replace('\'', "''"));
        let key = |key: &String| {
            let value = row[key]
                .as_str()
                .map_or_else(|| row[key].to_string(), str::to_owned);
            format!("{key} = {}", literal(&value))
        };
        let this = self.keys.iter().map(key).collect::<Vec<_>>().join(" AND ");
        match verb {
            "SELECT" => format!("SELECT FROM {name} WHERE {this}"),
            "UPDATE" => format!("UPDATE {name} SET {updated} = {updated} WHERE {this}"),
            "DELETE" => format!("DELETE FROM {name} WHERE {this}"),
            _ => {
                let (columns, mut row) = (self.inserted.join(", "), literal(&row.to_string()));
                // Nobody writes in the name of another, whosever row it is.
                if self.inserted.iter().any(|column| column == "actor") {
                    row = format!(
                        "jsonb_set({row}, '{{actor}}', to_jsonb(coalesce(app.author(), 'nobody')))"
                    );
                }
                format!(
                    "INSERT INTO {name} ({columns}) SELECT {columns} FROM jsonb_populate_record(NULL::{name}, {row})"
                )
            }
        }
    }
}

fn code(error: &sqlx::Error) -> String {
    let code = error.as_database_error().and_then(|error| error.code());
    code.map(String::from).unwrap_or_else(|| panic!("{error}"))
}
