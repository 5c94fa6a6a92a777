//! Migrations and policies: once is enough, twice changes nothing, and nothing outside of them is needed.

use std::fmt::Write as _;

use dealgraph::db::migrate::{self, POLICIES, Report};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, raw_sql};

use crate::{
    harness::{A, B, Database, Who, World, test},
    isolation::claims::{claim, claims},
};

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
                         CREATE POLICY companies_open ON companies FOR SELECT TO dealgraph_app USING (true);
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
        for (breach, message) in [
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
                error.contains("99_verify.sql") && error.contains(message),
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

/// What Postgres says to a statement of a login, with the claims of a member if one is named; nothing when it runs.
async fn refusal(world: &World, login: &str, who: Option<Who>, sql: &str) -> String {
    let mut connection = world.database.connect(login).await;
    let mut tx = connection.begin().await.unwrap();
    if let Some(who) = who {
        claim(&mut tx, &claims(&world.db, A.actor(who)).await).await;
    }
    let done = tx.execute(AssertSqlSafe(sql.to_owned())).await;
    done.map_or_else(|error| error.to_string(), |_| String::new())
}

#[test]
fn what_no_policy_binds_is_not_the_logins_to_make() {
    test(async |world| {
        // As every start of a server does, also over a copy that has the rights of a new database again.
        let owner = world.database.options("dealgraph_owner").await;
        migrate::run(&owner).await.unwrap();
        for login in ["dealgraph_app", "dealgraph_system"] {
            for sql in [
                "CREATE TEMPORARY TABLE mine (x text)",
                "SELECT lo_create(0)",
                "SELECT lo_from_bytea(0, 'x')",
                "SELECT lo_get(1)",
                "CREATE TABLE public.mine (x text)",
                "CREATE SCHEMA mine",
                "SET ROLE dealgraph_owner",
                "SET SESSION AUTHORIZATION dealgraph_owner",
                "ALTER ROLE dealgraph_owner PASSWORD 'x'",
                "COPY companies TO PROGRAM 'cat'",
                "CALL app.secure_table('companies')",
                "CALL app.permit('companies', 'SELECT', 'companies:read')",
                "SELECT pg_read_file('postgresql.conf')",
            ] {
                let message = refusal(world, login, Some(Who::Admin), sql).await;
                assert!(
                    [
                        "permission denied",
                        "must have",
                        "must be superuser",
                        "only roles"
                    ]
                    .iter()
                    .any(|part| message.contains(part)),
                    "{login}: {sql}: {message}"
                );
            }
        }
    });
}

#[test]
fn nobody_winds_numbers_back_or_writes_in_the_name_of_another() {
    test(async |world| {
        let (tenant, other) = (A.uuid("tenant", 1), B.uuid("tenant", 1));
        let app = async |who: Who, sql: &str| refusal(world, "dealgraph_app", Some(who), sql).await;
        for set in [
            "last_seq = 0",
            "last_seq = last_seq + 1",
            "last_audit = 0",
            "audit_hash = ''",
            "changed = '{}'",
            "open = true",
        ] {
            let message = app(Who::Admin, &format!("UPDATE tenant_seq SET {set}")).await;
            assert!(message.contains("permission denied"), "{set}: {message}");
        }
        let system = refusal(
            world,
            "dealgraph_system",
            None,
            "UPDATE tenant_seq SET last_seq = 0",
        );
        assert!(system.await.contains("permission denied"));

        // The function moves them on, for who may write, in their own tenant; by what it is given, and never back.
        let mut connection = world.database.connect("dealgraph_app").await;
        let mut taken = async |who: Option<Who>,
                               tenant,
                               events: i64,
                               entries: i64|
               -> Option<(i64, i64)> {
            let mut tx = connection.begin().await.unwrap();
            if let Some(who) = who {
                claim(&mut tx, &claims(&world.db, A.actor(who)).await).await;
            }
            let sql = "SELECT last_seq, last_audit FROM app.take_numbers($1, $2, $3, 'x', ARRAY['company'])";
            let row = sqlx::query_as(sql).bind(tenant).bind(events).bind(entries);
            row.fetch_optional(&mut *tx).await.unwrap()
        };
        let (seq, audit) = taken(Some(Who::Admin), tenant, 0, 0)
            .await
            .expect("where it stands");
        assert_eq!(
            taken(Some(Who::Rep), tenant, 2, 3).await,
            Some((seq + 2, audit + 3))
        );
        for (who, tenant, events, entries) in [
            (Some(Who::Admin), tenant, -1, 0),
            (Some(Who::Admin), tenant, 0, -1),
            (Some(Who::Admin), other, 1, 1),
            (Some(Who::Viewer), tenant, 1, 1),
            (None, tenant, 1, 1),
        ] {
            assert_eq!(
                taken(who, tenant, events, entries).await,
                None,
                "{who:?} {events} {entries}"
            );
        }

        let rep = A.user(Who::Rep);
        let event = |actor: &str| {
            format!(
                "INSERT INTO events (tenant_id, seq, kind, entity, entity_id, version, actor, request_id, occurred_at)
                 VALUES ('{tenant}', 900, 'UPDATED', 'company', gen_random_uuid(), 1, '{actor}', 'r', now())"
            )
        };
        let entry = |actor: &str| {
            format!(
                "INSERT INTO audit_log (tenant_id, seq, audit_id, occurred_at, actor, action, changes, request_id, hash)
                 VALUES ('{tenant}', 900, gen_random_uuid(), now(), '{actor}', 'company.updated', '{{}}', 'r', '')"
            )
        };
        for who in [Who::Rep, Who::Admin] {
            for actor in [
                rep.to_string(),
                "system:operator".to_owned(),
                "anonymous".to_owned(),
                String::new(),
            ] {
                let is_own = who == Who::Rep && actor == rep.to_string();
                for sql in [event(&actor), entry(&actor)] {
                    let message = app(who, &sql).await;
                    assert_eq!(
                        message.contains("row-level security"),
                        !is_own,
                        "{who:?} as {actor}: {message}"
                    );
                    assert!(!is_own || message.is_empty(), "{message}");
                }
            }
        }
    });
}

#[test]
fn an_empty_place_in_the_tree_of_teams_is_refused_by_every_table() {
    test(async |world| {
        let mut superuser = world.database.superuser().await;
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT c.relname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
             WHERE a.attname = 'team_path' AND c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1",
        )
        .fetch_all(&mut superuser)
        .await
        .unwrap();
        assert!(tables.len() >= 7, "{tables:?}");
        for table in tables {
            for path in [
                "",
                ".",
                "|",
                "0123456789ab",
                "0123456789ab..",
                "0123456789AB.",
            ] {
                let of_team = if ["memberships", "api_keys"].contains(&table.as_str()) {
                    format!(", team_id = '{}'", A.uuid("team", 1))
                } else {
                    String::new()
                };
                let sql = format!(
                    "UPDATE {table} SET team_path = '{path}'{of_team} WHERE tenant_id = '{}'",
                    A.uuid("tenant", 1)
                );
                let error = superuser
                    .execute(AssertSqlSafe(sql))
                    .await
                    .expect_err(&table);
                assert!(
                    error.to_string().contains("team_path_check"),
                    "{table} {path:?}: {error}"
                );
            }
        }
    });
}

#[test]
fn the_verification_finds_what_a_login_could_do_for_good() {
    test(async |world| {
        let (_, verify) = POLICIES.last().expect("the last one verifies");
        let mut superuser = world.database.superuser().await;
        for (breach, message) in [
            (
                "ALTER ROLE dealgraph_app SET statement_timeout = 0",
                "dealgraph_app",
            ),
            (
                "ALTER ROLE dealgraph_system SET search_path = mine",
                "dealgraph_system",
            ),
            (
                "GRANT pg_read_all_data TO dealgraph_app",
                "dealgraph_app is a member of pg_read_all_data",
            ),
            (
                "GRANT UPDATE (last_seq) ON tenant_seq TO dealgraph_app",
                "dealgraph_app on tenant_seq.last_seq",
            ),
            (
                "GRANT UPDATE (actor) ON audit_log TO dealgraph_system",
                "dealgraph_system on audit_log.actor",
            ),
            (
                "ALTER TABLE leads DROP CONSTRAINT leads_team_path_check",
                "leads",
            ),
            (
                "GRANT EXECUTE ON PROCEDURE app.secure_table TO dealgraph_system",
                "app.secure_table(text)",
            ),
            (
                "ALTER PROCEDURE app.permit SECURITY DEFINER",
                "app.permit(text,text,text,text)",
            ),
        ] {
            let mut tx = superuser.begin().await.unwrap();
            // Roles are the cluster's, and another test may be applying its policies to them.
            while let Err(error) = tx.execute(breach).await {
                assert!(
                    error.to_string().contains("concurrently updated"),
                    "{breach}: {error}"
                );
                tx.rollback().await.unwrap();
                tx = superuser.begin().await.unwrap();
            }
            let error = raw_sql(*verify).execute(&mut *tx).await.expect_err(breach);
            assert!(error.to_string().contains(message), "{breach}: {error}");
        }
        raw_sql(*verify).execute(&mut superuser).await.unwrap();
    });
}

pub(crate) async fn catalogue(connection: &mut PgConnection) -> String {
    let lines: Vec<String> = sqlx::query_scalar(CATALOGUE)
        .fetch_all(connection)
        .await
        .unwrap();
    lines.iter().fold(String::new(), |mut all, line| {
        _ = writeln!(all, "{line}");
        all
    })
}
