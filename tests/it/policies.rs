//! Migrations and policies: once is enough, twice changes nothing, and nothing outside of them is needed.

use std::fmt::Write as _;

use dealgraph::db::migrate::{self, POLICIES, Report};
use sqlx::{PgConnection, raw_sql};

use crate::harness::{Database, test};

/// Everything that policies decide, as lines.
const CATALOGUE: &str = "
    SELECT concat_ws(' ', 'policy', tablename, policyname, permissive, roles, cmd, qual, with_check) AS line FROM pg_policies
    UNION ALL SELECT concat_ws(' ', 'table', relname, relkind, relrowsecurity, relforcerowsecurity, relacl, reloptions)
    FROM pg_class WHERE relnamespace IN ('public'::regnamespace, 'app'::regnamespace)
    UNION ALL SELECT concat_ws(' ', 'column', attrelid::regclass, attname, atttypid::regtype, attnotnull, attacl)
    FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE relnamespace IN ('public'::regnamespace, 'app'::regnamespace) AND attnum > 0
    UNION ALL SELECT concat_ws(' ', 'function', oid::regprocedure, proacl, pg_get_functiondef(oid))
    FROM pg_proc WHERE pronamespace IN ('public'::regnamespace, 'app'::regnamespace)
    UNION ALL SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', 'schema', nspname, nspacl) FROM pg_namespace WHERE nspname IN ('public', 'app')
    UNION ALL SELECT concat_ws(' ', 'role', rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolbypassrls, rolconfig)
    FROM pg_roles WHERE rolname LIKE 'dealgraph%'
    ORDER BY line";

#[test]
fn policies_applied_twice_change_nothing() {
    test(async |_| {
        let database = Database::migrated().await;
        let owner = database.options("dealgraph_owner").await;
        let mut superuser = database.superuser().await;
        let before = catalogue(&mut superuser).await;
        assert!(before.lines().count() > 400, "the catalogue is read");

        let again = migrate::run(&owner).await.unwrap();
        assert_eq!(
            again,
            Report::default(),
            "what was applied is not applied again"
        );
        assert_eq!(catalogue(&mut superuser).await, before);

        // Forgotten, all are applied once more, over themselves.
        raw_sql("DELETE FROM app.applied_policies")
            .execute(&mut superuser)
            .await
            .unwrap();
        let all = migrate::run(&owner).await.unwrap();
        assert_eq!(
            all.policies_applied,
            POLICIES.iter().map(|(name, _)| *name).collect::<Vec<_>>()
        );
        assert_eq!(catalogue(&mut superuser).await, before);
        drop(superuser);
        database.drop().await;
    });
}

#[test]
fn a_changed_policy_is_applied_again_and_its_loss_is_mended_by_that() {
    test(async |_| {
        let database = Database::migrated().await;
        let owner = database.options("dealgraph_owner").await;
        let mut superuser = database.superuser().await;
        let before = catalogue(&mut superuser).await;
        let tampering = "DROP POLICY companies_read_tenant ON companies; GRANT UPDATE ON companies TO dealgraph_app;
                         UPDATE app.applied_policies SET hash = 'of another text' WHERE name = '20_companies.sql'";
        raw_sql(tampering).execute(&mut superuser).await.unwrap();
        assert_ne!(catalogue(&mut superuser).await, before);
        assert_eq!(
            migrate::run(&owner).await.unwrap().policies_applied,
            ["20_companies.sql"]
        );
        assert_eq!(catalogue(&mut superuser).await, before);
        drop(superuser);
        database.drop().await;
    });
}

#[test]
fn the_verification_runs_each_time_and_names_an_open_table() {
    test(async |_| {
        let database = Database::migrated().await;
        let owner = database.options("dealgraph_owner").await;
        let mut superuser = database.superuser().await;
        for (breach, told) in [
            (
                "CREATE TABLE forgotten (tenant_id uuid PRIMARY KEY)",
                "forgotten",
            ),
            (
                "DROP TABLE forgotten; ALTER TABLE leads NO FORCE ROW LEVEL SECURITY",
                "leads",
            ),
            (
                "ALTER TABLE leads FORCE ROW LEVEL SECURITY; GRANT TRUNCATE ON leads TO dealgraph_app",
                "dealgraph_app on leads",
            ),
        ] {
            raw_sql(breach).execute(&mut superuser).await.unwrap();
            let error = migrate::run(&owner).await.unwrap_err().to_string();
            assert!(
                error.contains("99_verify.sql") && error.contains(told),
                "{error}"
            );
        }
        drop(superuser);
        database.drop().await;
    });
}

#[test]
fn servers_that_start_at_once_migrate_once() {
    test(async |world| {
        let mut superuser = world.database.superuser().await;
        raw_sql("CREATE DATABASE at_once OWNER dealgraph_owner")
            .execute(&mut superuser)
            .await
            .unwrap();
        let owner = world
            .database
            .options("dealgraph_owner")
            .await
            .database("at_once");
        let reports = futures_util::future::try_join_all((0..3).map(|_| migrate::run(&owner)))
            .await
            .unwrap();
        let mut applied: Vec<_> = reports
            .iter()
            .map(|report| report.policies_applied.len())
            .collect();
        applied.sort_unstable();
        assert_eq!(applied, [0, 0, POLICIES.len()]);
        raw_sql("DROP DATABASE at_once WITH (FORCE)")
            .execute(&mut superuser)
            .await
            .unwrap();
    });
}

async fn catalogue(connection: &mut PgConnection) -> String {
    let lines: Vec<String> = sqlx::query_scalar(CATALOGUE)
        .fetch_all(connection)
        .await
        .unwrap();
    lines.iter().fold(String::new(), |mut all, line| {
        _ = writeln!(all, "{line}");
        all
    })
}
