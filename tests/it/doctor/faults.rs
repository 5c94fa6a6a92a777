//! Each fault, made for real.

use dealgraph::{
    base::clock::Clock,
    platform::Vault,
    tools::{
        dev::redis::Redis,
        doctor::{Finding, Level},
    },
};
use sqlx::{Connection as _, Executor as _, raw_sql};

use super::{Variables, found, of, sound};
use crate::{
    defaults::child::url,
    events::open_data,
    harness::{Database, test, vault},
};

/// Expects one error of a check whose words are these, and nothing else to be wrong.
#[track_caller]
pub(super) fn expect_error(errors: &[&Finding], check: &str, words: &[&str]) {
    assert!(!errors.is_empty(), "nothing is found of {check}");
    for error in errors {
        assert_eq!(error.check, check, "{error}");
        assert!(error.advice.is_some(), "{error}");
    }
    let said: String = errors.iter().map(|error| format!("{error}\n")).collect();
    for word in words {
        assert!(said.contains(word), "{word} in {said}");
    }
}

pub(super) async fn errors_with(
    database: &Database,
    change: impl FnOnce(&mut Variables),
    (check, words): (&str, &[&str]),
) {
    let mut variables = sound(database).await;
    change(&mut variables);
    let report = found(&variables, 2, &Clock::system()).await;
    expect_error(&of(&report, Level::Error), check, words);
    // The others were looked at all the same.
    assert!(of(&report, Level::Ok).len() >= 3, "{report}");
}

#[test]
fn a_sound_configuration_has_no_errors() {
    test(async |world| {
        let data = open_data().await;
        let redis = Redis::start(&data, &|_| {}).await.expect("a Redis");
        let mut variables = sound(&world.database).await;
        variables.insert("DEALGRAPH_REDIS_URL", redis.url());
        let report = found(&variables, 2, &Clock::system()).await;
        assert!(of(&report, Level::Error).is_empty(), "{report}");
        let well = of(&report, Level::Ok);
        for check in [
            "configuration",
            "logins",
            "schema",
            "postgres",
            "pooler",
            "pool",
            "clocks",
            "redis",
            "mail",
            "keys",
        ] {
            assert!(well.iter().any(|ok| ok.check == check), "{check}: {report}");
        }
        // The cluster of tests is not durable.
        let warnings = of(&report, Level::Warning);
        assert!(
            warnings.len() == 1 && warnings[0].found.contains("fsync"),
            "{report}"
        );
        let json = report.json();
        assert_eq!((&json["errors"], &json["warnings"]), (&0.into(), &1.into()));
        redis.stop().await;
    });
}

#[test]
fn logins_that_policies_do_not_bind_are_found() {
    test(async |world| {
        let database = &world.database;
        let superuser = url(&database.options("postgres").await);
        let words = ["postgres is a superuser", "NOSUPERUSER", "leads"];
        let change = |set: &mut Variables| _ = set.insert("DEALGRAPH_DATABASE_URL", superuser);
        errors_with(database, change, ("logins", &words)).await;

        let mut admin = database.superuser().await;
        let make = "CREATE ROLE bypassing LOGIN BYPASSRLS; GRANT SELECT ON leads TO bypassing;
                    GRANT USAGE ON SCHEMA public, app TO bypassing; GRANT SELECT ON app.schema_version, signing_keys, users TO bypassing";
        raw_sql(make).execute(&mut admin).await.expect("it is new");
        let bypassing = url(&database.options("bypassing").await);
        let change =
            |set: &mut Variables| _ = set.insert("DEALGRAPH_SYSTEM_DATABASE_URL", bypassing);
        let words = [
            "bypassing has BYPASSRLS",
            "does not bind bypassing on leads",
        ];
        errors_with(database, change, ("logins", &words)).await;
        let drop = "DROP OWNED BY bypassing; DROP ROLE bypassing";
        raw_sql(drop)
            .execute(&mut admin)
            .await
            .expect("it is there");

        let owner = url(&database.options("dealgraph_owner").await);
        let change = |set: &mut Variables| _ = set.insert("DEALGRAPH_DATABASE_URL", owner);
        errors_with(database, change, ("logins", &["owns tables"])).await;

        admin
            .execute("ALTER TABLE leads DISABLE ROW LEVEL SECURITY")
            .await
            .unwrap();
        let words = ["does not bind dealgraph_app on leads", "dealgraph migrate"];
        errors_with(database, |_| {}, ("logins", &words)).await;
        admin
            .execute("ALTER TABLE leads ENABLE ROW LEVEL SECURITY")
            .await
            .unwrap();
        admin.close().await.unwrap();
    });
}

#[test]
fn an_old_schema_is_found() {
    test(async |_| {
        let database = Database::of_world().await;
        let mut admin = database.superuser().await;
        let forget = "DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)";
        admin.execute(forget).await.unwrap();
        let words = ["this version needs", "dealgraph migrate"];
        errors_with(&database, |_| {}, ("schema", &words)).await;
        admin.close().await.unwrap();
        database.drop().await;
    });
}

#[test]
fn encryption_keys_that_do_not_open_what_is_stored_are_found() {
    test(async |_| {
        let database = Database::of_world().await;
        let any = "SELECT user_id FROM users ORDER BY user_id LIMIT 1";
        let user: uuid::Uuid = sqlx::query_scalar(any)
            .fetch_one(&mut database.superuser().await)
            .await
            .unwrap();
        let sealed = vault()
            .seal(&format!("user:{user}:totp"), b"a secret of twenty bytes")
            .unwrap();
        sqlx::query(
            "UPDATE users SET totp_secret = $1, totp_confirmed_at = now() WHERE user_id = $2",
        )
        .bind(sealed)
        .bind(user)
        .execute(&mut database.superuser().await)
        .await
        .unwrap();
        let report = found(&sound(&database).await, 2, &Clock::system()).await;
        let said = report.to_string();
        assert!(
            said.contains("second factors whose secrets open: 1")
                && said.contains("open, sign and verify: 1"),
            "{said}"
        );

        let other = Vault::generate_key();
        let change =
            |set: &mut Variables| _ = set.insert("DEALGRAPH_ENCRYPTION_KEYS", other.clone());
        let words = [
            "these signing keys do not open",
            "1 of 1 second factors",
            "DEALGRAPH_ENCRYPTION_KEYS",
        ];
        errors_with(&database, change, ("keys", &words)).await;
        // With the old one behind the new one, as a change of keys goes, all is well.
        let mut both = sound(&database).await;
        let old = both["DEALGRAPH_ENCRYPTION_KEYS"].clone();
        both.insert("DEALGRAPH_ENCRYPTION_KEYS", format!("{other},{old}"));
        let report = found(&both, 2, &Clock::system()).await;
        assert!(of(&report, Level::Error).is_empty(), "{report}");
        database.drop().await;
    });
}
