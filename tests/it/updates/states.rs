//! Which schemas a server serves, and what it says of the others.

use dealgraph::db::{
    self, Db, SchemaState,
    migrate::{self, MigrateError, Release},
    schema::{Version, schema_state_for},
    schema_state,
};
use sqlx::Executor as _;

use super::{FIXTURE, SOON, later, patience};
use crate::harness::{Database, open};

/// What a server says that does not start.
async fn refusal(db: &Db) -> String {
    let refused = db::check(db).await;
    refused.expect_err("it must not serve this").to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_or_old_database_is_to_be_migrated_first() {
    for database in [Database::empty().await, Database::restored(FIXTURE).await] {
        let db = open(&database, 1).await;
        let want = Release::this().version();
        let behind = SchemaState::Behind { have: None, want };
        assert_eq!(schema_state(&db).await.unwrap(), behind);
        let said = refusal(&db).await;
        assert!(said.contains("dealgraph migrate"), "{said}");
        let owner = database.options(migrate::OWNER).await;
        migrate::run(&owner).await.expect("it is brought on");
        assert_eq!(schema_state(&db).await.unwrap(), SchemaState::Current);
        db::check(&db).await.expect("it is served");
        db.close().await;
        database.drop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_refuses_a_schema_that_lacks_what_it_needs_and_says_which_it_wants() {
    let database = Database::migrated().await;
    let db = open(&database, 1).await;
    let this = Release::this();
    let have = this.version();
    let next = this
        .clone()
        .and(later(have.migration + 1, "CREATE TABLE app.next (x int)"));
    let state = schema_state_for(&db, &next).await.unwrap();
    let want = next.version();
    assert_eq!(
        state,
        SchemaState::Behind {
            have: Some(have),
            want
        }
    );
    let policies = this.with_policies(have.policies + 1);
    let state = schema_state_for(&db, &policies).await.unwrap();
    assert!(matches!(state, SchemaState::Behind { .. }), "{state:?}");

    // What a server says that finds the last migration missing.
    let mut superuser = database.superuser().await;
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version = $1")
        .bind(have.migration)
        .execute(&mut superuser)
        .await
        .unwrap();
    let said = refusal(&db).await;
    for part in [
        format!("{:04}", have.migration - 1),
        format!("needs {:04}", have.migration),
        "dealgraph migrate".to_owned(),
    ] {
        assert!(said.contains(&part), "{part} in {said}");
    }
    db.close().await;
    drop(superuser);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_server_serves_a_newer_schema_until_that_takes_away_what_it_needs() {
    let database = Database::migrated().await;
    let owner = database.options(migrate::OWNER).await;
    let db = open(&database, 1).await;
    let want = Release::this().version();
    let number = want.migration + 1;
    let expanded = Release::this()
        .and(later(number, "ALTER TABLE companies ADD COLUMN fresh text"))
        .with_policies(want.policies + 1);
    expanded.run(&owner, patience(SOON)).await.unwrap();
    let have = Version {
        migration: number,
        policies: want.policies + 1,
    };
    assert_eq!(
        schema_state(&db).await.unwrap(),
        SchemaState::Newer { have, want }
    );
    db::check(&db).await.expect("it starts again");
    // A run of the old version, as of a server that starts again while the new ones come, changes nothing.
    let mut superuser = database.superuser().await;
    superuser
        .execute(
            "UPDATE app.applied_policies SET hash = 'of the new version' WHERE name LIKE '20%'",
        )
        .await
        .unwrap();
    let report = migrate::run(&owner).await.expect("there is nothing to do");
    assert_eq!(report.newer, Some(have));
    assert_eq!(report.policies_applied, [""; 0]);

    let contracted = expanded.and(later(
        number + 1,
        &format!(
            "ALTER TABLE companies DROP COLUMN fresh; UPDATE app.schema_state SET floor = {number}"
        ),
    ));
    contracted.run(&owner, patience(SOON)).await.unwrap();
    let state = schema_state(&db).await.unwrap();
    assert!(
        matches!(state, SchemaState::TooNew { floor, .. } if floor == number) && !state.serves(),
        "{state:?}"
    );
    let said = refusal(&db).await;
    assert!(said.contains("run the newer version"), "{said}");
    let refused = migrate::run(&owner).await.expect_err("it is too new");
    assert!(matches!(refused, MigrateError::TooNew { .. }), "{refused}");
    let of_floor = schema_state_for(&db, &contracted).await.unwrap();
    assert_eq!(of_floor, SchemaState::Current);
    db.close().await;
    drop(superuser);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_login_of_the_server_can_say_what_the_database_is_at() {
    let database = Database::migrated().await;
    for login in ["dealgraph_app", "dealgraph_system"] {
        let mut connection = database.connect(login).await;
        for sql in [
            "UPDATE app.schema_state SET floor = 9000",
            "SELECT * FROM app.schema_state",
            "DELETE FROM _sqlx_migrations",
            "UPDATE app.schema_version SET floor = 9000",
            "INSERT INTO app.schema_state DEFAULT VALUES",
        ] {
            let refused = connection.execute(sql).await.expect_err(sql).to_string();
            assert!(
                refused.contains("permission denied"),
                "{login}: {sql}: {refused}"
            );
        }
        let floor: i64 = sqlx::query_scalar("SELECT floor FROM app.schema_version")
            .fetch_one(&mut connection)
            .await
            .expect("it may be read");
        assert_eq!(floor, 0);
    }
    database.drop().await;
}
