//! An old database is brought to this version while servers of the old one serve it. Their statements are written out here as
//! they were then: the product's own are those of this version.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

use dealgraph::db::{
    SchemaState,
    migrate::{self, POLICIES, Release},
    schema_state,
};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use super::{FIXTURE, SOON, patience};
use crate::{
    harness::{Database, open},
    policies::catalogue,
};

/// Connections that read, and as many that write.
const CLIENTS: usize = 4;
/// An administrator of the fixture's tenant, as the old version told Postgres who acts.
const CLAIMS: &str = "SELECT set_config('app.tenant_id', tenant_id::text, true), set_config('app.user_id', user_id::text, true),
        set_config('app.permissions', ',companies:read,companies:write,contacts:read,leads:read,opportunities:read,activities:read,', true),
        set_config('app.sees', '|', true), set_config('app.edits', '|', true), set_config('app.author', 'user:' || user_id, true)
    FROM (SELECT 'cc2521a7-3bf6-57ea-b67a-eab581845655'::uuid AS tenant_id, gen_random_uuid() AS user_id) a";
const READS: [&str; 4] = [
    "SELECT count(*) FROM companies c LEFT JOIN contacts p USING (tenant_id, company_id)",
    "SELECT count(*) FROM opportunities o JOIN opportunity_contacts c USING (tenant_id, opportunity_id)",
    "SELECT count(*) FROM leads",
    "SELECT count(*) FROM activities a JOIN activity_targets t USING (tenant_id, activity_id)",
];
const WRITE: &str = "UPDATE companies SET description = 'touched', version = version + 1, updated_at = now(), updated_by = app.author()
    WHERE tenant_id = app.tenant_for('companies:write') AND company_id = (SELECT company_id FROM companies ORDER BY company_id LIMIT 1 OFFSET $1)";
const EVENT: &str = "INSERT INTO events (tenant_id, seq, kind, entity, entity_id, version, actor, request_id, occurred_at)
    SELECT app.tenant_id(), n.last_seq, 'UPDATED', 'company', gen_random_uuid(), 1, app.author(), 'old', now()
    FROM app.take_numbers(app.tenant_id(), 1, 0, '', ARRAY['company']) n";

/// A column that came since, with a value for all rows.
const SINCE: &str = "quota_webhook_endpoints";

/// Rows and a digest of them, by table, but for what the clients write.
async fn contents(connection: &mut PgConnection) -> BTreeMap<String, (i64, String)> {
    let tables =
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND c.relname NOT IN ('companies', 'events', 'tenant_seq', '_sqlx_migrations')";
    let tables: Vec<String> = sqlx::query_scalar(tables)
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    let mut contents = BTreeMap::new();
    for table in tables {
        let digest = format!(
            "SELECT count(*), coalesce(md5(string_agg(r, '|' ORDER BY r)), '') \
             FROM (SELECT (to_jsonb(t) - '{SINCE}')::text AS r FROM {table} t) rows"
        );
        let digest = sqlx::query_as(AssertSqlSafe(digest));
        contents.insert(table, digest.fetch_one(&mut *connection).await.unwrap());
    }
    contents
}

/// A client of the old version. Nothing that it does may fail.
async fn client(database: &Database, number: usize, stop: &AtomicBool) -> u32 {
    let mut connection = database.connect("dealgraph_app").await;
    let mut done = 0;
    while !stop.load(Ordering::Relaxed) {
        let mut tx = connection.begin().await.expect("it begins");
        tx.execute(CLAIMS).await.expect("who acts");
        if number.is_multiple_of(2) {
            for read in READS {
                let found: i64 = sqlx::query_scalar(read)
                    .fetch_one(&mut *tx)
                    .await
                    .expect("it reads");
                assert!(found > 0, "{read}");
            }
        } else {
            let written = sqlx::query(WRITE)
                .bind(i64::try_from(number).unwrap())
                .execute(&mut *tx);
            assert_eq!(written.await.expect("it writes").rows_affected(), 1);
            tx.execute(EVENT).await.expect("it tells of it");
        }
        tx.commit().await.expect("it ends");
        done += 1;
    }
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_database_is_brought_on_while_the_old_version_serves_it() {
    let database = Database::restored(FIXTURE).await;
    let owner = database.options(migrate::OWNER).await;
    let mut superuser = database.superuser().await;
    let before = contents(&mut superuser).await;
    assert!(before["opportunities"].0 > 10 && before["audit_log"].0 > 10);
    // As if every policy had changed since: each file locks its tables against everybody.
    superuser
        .execute("UPDATE app.applied_policies SET hash = 'of the old version'")
        .await
        .unwrap();
    let numbers = "SELECT last_seq, (SELECT sum(version)::int8 FROM companies) FROM tenant_seq";
    let old: (i64, i64) = sqlx::query_as(numbers)
        .fetch_one(&mut superuser)
        .await
        .unwrap();

    let (stop, writes) = (AtomicBool::new(false), AtomicU32::new(0));
    let clients = futures_util::future::join_all((0..2 * CLIENTS).map(|number| {
        let (database, stop, writes) = (&database, &stop, &writes);
        async move {
            let done = client(database, number, stop).await;
            assert!(done > 5, "client {number} came to {done}");
            if !number.is_multiple_of(2) {
                writes.fetch_add(done, Ordering::Relaxed);
            }
        }
    }));
    let migrating = async {
        tokio::time::sleep(SOON / 40).await;
        let done = Release::this().run(&owner, patience(SOON)).await;
        tokio::time::sleep(SOON / 40).await;
        stop.store(true, Ordering::Relaxed);
        done
    };
    let (done, _) = tokio::join!(migrating, clients);
    let report = done.expect("the database is brought on");
    assert_eq!(report.migrations_applied.first(), Some(&22));
    assert_eq!(report.policies_applied.len(), POLICIES.len());

    // Every write is there once, and told of once.
    let new: (i64, i64) = sqlx::query_as(numbers)
        .fetch_one(&mut superuser)
        .await
        .unwrap();
    let writes = i64::from(writes.into_inner());
    assert_eq!(new, (old.0 + writes, old.1 + writes));
    let told: i64 = sqlx::query_scalar("SELECT count(DISTINCT seq) FROM events WHERE seq > $1")
        .bind(old.0)
        .fetch_one(&mut superuser)
        .await
        .unwrap();
    assert_eq!(told, writes);
    // What was there is as it was; tables that are new have a beginning of their own.
    let mut after = contents(&mut superuser).await;
    after.retain(|table, _| before.contains_key(table));
    assert_eq!(after, before);

    // What decides who sees what is that of a new database.
    let fresh = Database::migrated().await;
    let decided = async |connection: &mut PgConnection| -> Vec<String> {
        let lines = catalogue(connection).await;
        // The days of events, and what belongs to them.
        let lines = lines.lines().filter(|line| !line.contains("events_2"));
        lines.map(str::to_owned).collect()
    };
    let expected = decided(&mut fresh.superuser().await).await;
    assert_eq!(decided(&mut superuser).await, expected);
    assert!(expected.len() > 400);

    let db = open(&database, 2).await;
    assert_eq!(schema_state(&db).await.unwrap(), SchemaState::Current);
    dealgraph::db::check(&db)
        .await
        .expect("this version serves it");
    db.close().await;
    drop(superuser);
    fresh.drop().await;
    database.drop().await;
}
