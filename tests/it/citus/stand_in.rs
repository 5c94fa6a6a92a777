//! The transaction that distributes, against a stand-in for Citus that only keeps its books: it shows that keys, policies
//! and grants are afterwards as they were, and that it is done once. It shows nothing of Citus itself.

use dealgraph::db::{
    migrate::{
        MigrateError, Patience, Release,
        distribute::{LOGINS, Place},
    },
    probe::{self, Citus},
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, raw_sql};

use crate::{
    harness::{Database, TENANT_TABLES},
    updates::later,
};

const STAND_IN: &str = include_str!("stand_in.sql");
/// What decides who reaches what, and what refers to what, in words.
const SECURITY: &str = "SELECT 'fkey ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f' \
     UNION ALL SELECT 'table ' || oid::regclass || ' ' || concat_ws(' ', relrowsecurity, relforcerowsecurity, relacl) FROM pg_class \
       WHERE relnamespace IN ('public'::regnamespace, 'app'::regnamespace) AND relkind IN ('r', 'p') \
     UNION ALL SELECT 'column ' || attrelid::regclass || ' ' || attname || ' ' || attacl::text FROM pg_attribute WHERE attacl IS NOT NULL \
       AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace) \
     UNION ALL SELECT 'policy ' || polrelid::regclass || ' ' || concat_ws(' ', polname, polcmd, polpermissive, polroles, \
          pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) FROM pg_policy \
     ORDER BY 1";
/// A table of a later version, which refers to one that is distributed by then.
const LATER: &str = "CREATE TABLE notes (tenant_id uuid NOT NULL REFERENCES tenants ON DELETE CASCADE, note_id uuid NOT NULL, \
        company_id uuid, PRIMARY KEY (tenant_id, note_id), \
        CONSTRAINT notes_company_fkey FOREIGN KEY (tenant_id, company_id) REFERENCES companies ON DELETE CASCADE); \
     CALL app.secure_shared_table('notes', reads => 'users:read', writes => 'admin')";

async fn words(connection: &mut PgConnection, sql: &'static str) -> Vec<String> {
    sqlx::query_scalar(sql).fetch_all(connection).await.unwrap()
}

/// What the doctor sees as a login.
async fn seen_by(database: &Database, login: &str) -> Citus {
    let options = database.direct_options(login).await;
    let seen = probe::citus(&options).await.expect("the login gets in");
    seen.expect("the extension is there")
}

async fn with_stand_in() -> Database {
    let database = Database::of_world().await;
    let mut superuser = database.superuser().await;
    raw_sql(STAND_IN).execute(&mut superuser).await.unwrap();
    superuser.close().await.unwrap();
    database
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_extension_it_says_what_to_do_and_the_database_serves_on() {
    let database = Database::migrated().await;
    let owner = database.direct_options("dealgraph_owner").await;
    let refused = Release::this()
        .distribute(&owner, Patience::default(), 8)
        .await;
    let said = refused.unwrap_err().to_string();
    assert!(
        said.contains("CREATE EXTENSION citus") && said.contains("docs/operators/citus.md"),
        "{said}"
    );
    let report = Release::this()
        .run(&owner, Patience::default())
        .await
        .unwrap();
    assert_eq!(report.not_distributed, [""; 0]);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_policies_and_grants_are_as_they_were_and_it_is_done_once() {
    let database = with_stand_in().await;
    let owner = database.direct_options("dealgraph_owner").await;
    let mut superuser = database.superuser().await;
    let before = words(&mut superuser, SECURITY).await;
    assert!(
        before
            .iter()
            .filter(|line| line.starts_with("fkey "))
            .count()
            > 60
    );

    let this = Release::this();
    let report = this
        .distribute(&owner, Patience::default(), 8)
        .await
        .unwrap();
    let done = report.distributed.unwrap();
    let by_tenant = done
        .tables
        .iter()
        .filter(|(_, place)| *place == Place::ByTenant);
    assert_eq!(by_tenant.count(), TENANT_TABLES.len() - 1);
    assert!(done.placements >= done.tables.len() as i64);
    assert_eq!(words(&mut superuser, SECURITY).await, before);
    let shards = "SELECT DISTINCT shards::text FROM pg_dist_partition WHERE partmethod = 'h'";
    assert_eq!(words(&mut superuser, shards).await, ["8"]);
    for login in LOGINS {
        let seen = seen_by(&database, login).await;
        assert_eq!(seen.propagates, "local", "{login}");
        assert!(seen.forgotten.is_empty() && seen.nodes == 1, "{seen:?}");
    }

    // Keys are dropped and made again only for tables that are new.
    let keys = "SELECT oid::text FROM pg_constraint WHERE contype = 'f' ORDER BY oid";
    let first = words(&mut superuser, keys).await;
    let again = this
        .distribute(&owner, Patience::default(), 64)
        .await
        .unwrap();
    assert_eq!(again.distributed.unwrap().tables, []);
    assert_eq!(words(&mut superuser, keys).await, first);

    let next = this.clone().and(later(this.version().migration + 1, LATER));
    let report = next.run(&owner, Patience::default()).await.unwrap();
    assert_eq!(report.not_distributed, ["public.notes"]);
    assert_eq!(seen_by(&database, LOGINS[0]).await.forgotten, ["notes"]);
    let report = next
        .distribute(&owner, Patience::default(), 64)
        .await
        .unwrap();
    assert_eq!(
        report.distributed.unwrap().tables,
        [("public.notes".to_owned(), Place::ByTenant)]
    );
    assert_eq!(report.not_distributed, [""; 0]);
    assert_eq!(words(&mut superuser, shards).await, ["8"]);
    let after = words(&mut superuser, keys).await;
    assert!(first.iter().all(|key| after.contains(key)) && after.len() == first.len() + 2);
    superuser.close().await.unwrap();
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_in_the_middle_leaves_all_keys_and_nothing_distributed() {
    let database = with_stand_in().await;
    let owner = database.direct_options("dealgraph_owner").await;
    let mut superuser = database.superuser().await;
    let before = words(&mut superuser, SECURITY).await;
    let broken = "CREATE OR REPLACE FUNCTION pg_catalog.create_distributed_function(function_name regprocedure, \
         distribution_arg_name text DEFAULT NULL, colocate_with text DEFAULT 'default', force_delegation boolean DEFAULT NULL) \
         RETURNS void LANGUAGE plpgsql AS $$ BEGIN IF force_delegation THEN RAISE 'a worker is gone'; END IF; END $$";
    raw_sql(broken).execute(&mut superuser).await.unwrap();
    let failed = Release::this()
        .distribute(&owner, Patience::default(), 8)
        .await;
    assert!(failed.unwrap_err().to_string().contains("a worker is gone"));
    assert_eq!(words(&mut superuser, SECURITY).await, before);
    let nothing = "SELECT logicalrelid::text FROM pg_dist_partition";
    assert_eq!(words(&mut superuser, nothing).await, [""; 0]);
    superuser.close().await.unwrap();
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_that_is_not_secured_and_a_schema_that_does_not_fit_are_told() {
    let database = with_stand_in().await;
    let owner = database.direct_options("dealgraph_owner").await;
    let mut superuser = database.superuser().await;
    let open = "CREATE OR REPLACE FUNCTION pg_catalog.run_command_on_placements(table_name regclass, command text, OUT nodename text, \
         OUT nodeport int, OUT shardid bigint, OUT success boolean, OUT result text) RETURNS SETOF record LANGUAGE plpgsql AS $$ \
         BEGIN nodename := 'w1'; nodeport := 5432; shardid := 102008; success := true; result := 'f f 0 0 0'; RETURN NEXT; END $$";
    raw_sql(open).execute(&mut superuser).await.unwrap();
    let refused = Release::this()
        .distribute(&owner, Patience::default(), 8)
        .await
        .unwrap_err();
    assert!(
        matches!(refused, MigrateError::Unsecured { .. }),
        "{refused}"
    );
    assert!(refused.to_string().contains("Start no server"), "{refused}");

    let unfit = "CREATE UNIQUE INDEX leads_everybodys_key ON leads (lead_id)";
    raw_sql(AssertSqlSafe(unfit))
        .execute(&mut superuser)
        .await
        .unwrap();
    let refused = Release::this()
        .distribute(&owner, Patience::default(), 8)
        .await
        .unwrap_err();
    let said = refused.to_string();
    assert!(said.contains("leads_everybodys_key"), "{said}");
    superuser.close().await.unwrap();
    database.drop().await;
}
