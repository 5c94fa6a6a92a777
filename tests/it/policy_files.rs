//! What the policy files say, held against one another and against the records.

use std::collections::{BTreeMap, BTreeSet};

use dealgraph::{
    api::DECLARED,
    db::{Writing, migrate::POLICIES, written},
};

use crate::harness::test;

/// Tables whose rows are written as whole records, and the columns of them that other statements write.
const RECORD_TABLES: [(&str, &[&str]); 7] = [
    ("companies", &["archived_at"]),
    ("contacts", &["archived_at"]),
    ("leads", &["archived_at", "last_activity_at"]),
    ("pipelines", &["archived_at"]),
    ("opportunities", &["archived_at"]),
    ("activities", &["archived_at"]),
    ("products", &["archived_at"]),
];

#[test]
fn a_table_is_secured_by_one_file_and_only_once() {
    let mut secured: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (file, text) in POLICIES.iter() {
        let calls = text
            .lines()
            .filter_map(|line| line.strip_prefix("CALL app.secure_"));
        for call in calls {
            let table = call.split('\'').nth(1).expect(call);
            secured.entry(table).or_default().push(file);
        }
        let policies = text
            .split(';')
            .filter_map(|sql| sql.split_once("CREATE POLICY "));
        for (_, policy) in policies.filter(|_| !file.starts_with("02")) {
            let table = policy.split_whitespace().nth(2).expect(policy);
            assert!(
                secured.get(table).is_some_and(|by| by.contains(file)),
                "{file}: {policy}\nis dropped whenever another file secures {table}"
            );
        }
    }
    assert!(secured.len() > 25, "{secured:?}");
    secured.retain(|_, by| by.len() > 1);
    assert_eq!(secured, BTreeMap::new());
}

#[test]
fn the_columns_that_are_granted_are_those_that_records_write() {
    test(async |world| {
        let mut superuser = world.database.superuser().await;
        for (table, others) in RECORD_TABLES {
            let declared = DECLARED.iter().find(|(_, known, _)| *known == table);
            let (.., parts) = declared.expect(table);
            for (privilege, writing) in [("INSERT", Writing::Insert), ("UPDATE", Writing::Update)] {
                let granted: Vec<String> = sqlx::query_scalar(
                    "SELECT column_name::text FROM information_schema.column_privileges
                     WHERE table_schema = 'public' AND grantee = 'dealgraph_app'
                       AND table_name = $1 AND privilege_type = $2",
                )
                .bind(table)
                .bind(privilege)
                .fetch_all(&mut superuser)
                .await
                .unwrap();
                let mut columns: BTreeSet<_> = written(parts, writing).into_iter().collect();
                columns.extend(others);
                if writing == Writing::Insert {
                    columns.insert("tenant_id");
                }
                assert_eq!(
                    granted.iter().map(String::as_str).collect::<BTreeSet<_>>(),
                    columns,
                    "{privilege} on {table}"
                );
            }
        }
    });
}
