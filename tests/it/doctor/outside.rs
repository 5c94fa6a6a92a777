//! Servers that do not answer, clocks that go wrong, and what Postgres does not have.

use std::time::Duration;

use dealgraph::{base::clock::Clock, tools::doctor::Level};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tokio::net::TcpListener;

use super::{
    Variables,
    faults::{errors_with, expect_error},
    found, of, sound,
};
use crate::{
    defaults::child::free_address,
    harness::{Database, test},
};

#[test]
fn servers_that_do_not_answer_are_found_and_keep_nobody_waiting() {
    test(async |world| {
        let closed = free_address();
        // It takes connections and says nothing.
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = silent.local_addr().unwrap();
        for (variable, address, check) in [
            ("DEALGRAPH_REDIS_URL", format!("redis://{closed}"), "redis"),
            ("DEALGRAPH_REDIS_URL", format!("redis://{silent}"), "redis"),
            ("DEALGRAPH_MAIL_URL", format!("smtp://{closed}"), "mail"),
            ("DEALGRAPH_MAIL_URL", format!("smtp://{silent}"), "mail"),
        ] {
            let mut variables = sound(&world.database).await;
            variables.insert(variable, address);
            let began = std::time::Instant::now();
            let report = found(&variables, 2, &Clock::system()).await;
            assert!(began.elapsed() < Duration::from_secs(20));
            let errors = of(&report, Level::Error);
            assert!(
                errors.iter().any(|error| error.check == check),
                "{variable}: {report}"
            );
            let others = errors
                .iter()
                .filter(|error| ![check, "clocks"].contains(&error.check));
            assert_eq!(others.count(), 0, "{variable}: {report}");
        }
        let change = |set: &mut Variables| {
            set.insert(
                "DEALGRAPH_DATABASE_URL",
                format!("postgres://dealgraph_app@{closed}/x"),
            );
        };
        let mut variables = sound(&world.database).await;
        change(&mut variables);
        let report = found(&variables, 2, &Clock::system()).await;
        let errors = of(&report, Level::Error);
        assert!(
            errors.iter().any(|error| error
                .found
                .contains("DEALGRAPH_DATABASE_URL does not get in")),
            "{report}"
        );
        assert!(
            report.to_string().contains("dealgraph_system gets in"),
            "{report}"
        );
    });
}

#[test]
fn a_clock_that_goes_wrong_is_found() {
    test(async |world| {
        let real = Clock::system();
        let skewed = Clock::from_fn(move || real.now() + Duration::from_secs(3600));
        let report = found(&sound(&world.database).await, 2, &skewed).await;
        let errors = of(&report, Level::Error);
        let clocks: Vec<_> = errors
            .iter()
            .filter(|error| error.check == "clocks")
            .collect();
        assert_eq!(clocks.len(), 1, "{report}");
        let said = clocks[0].found.split_whitespace().rev().nth(2);
        let apart: f64 = said.and_then(|said| said.parse().ok()).expect("seconds");
        assert!((3599.0..3601.0).contains(&apart), "{report}");
        assert!(clocks[0].found.contains("Postgres"), "{report}");
    });
}

#[test]
fn more_servers_than_postgres_has_connections_for_are_found() {
    test(async |world| {
        let variables = sound(&world.database).await;
        let report = found(&variables, 50, &Clock::system()).await;
        expect_error(
            &of(&report, Level::Error),
            "postgres",
            &[
                "50 servers with 20 connections each",
                "max_connections",
                "PgBouncer",
            ],
        );
    });
}

#[test]
fn what_can_not_be_read_is_found_beside_all_else() {
    test(async |world| {
        let change = |set: &mut Variables| {
            set.insert("DEALGRAPH_POOL_SIZE", "many".to_owned());
            set.insert("DEALGRAPH_PLANS", "/nonexistent/plans.json".to_owned());
        };
        let words = ["DEALGRAPH_POOL_SIZE", "many", "DEALGRAPH_PLANS"];
        errors_with(&world.database, change, ("configuration", &words)).await;
    });
}

#[test]
fn an_identity_provider_that_does_not_answer_is_found() {
    test(async |world| {
        let closed = free_address();
        let file =
            std::env::temp_dir().join(format!("dealgraph-doctor-{}.json", std::process::id()));
        let providers = serde_json::json!({ "providers": [{
            "key": "acme", "name": "Acme", "issuer": format!("http://{closed}"), "clientId": "dealgraph",
            "redirectUris": ["http://127.0.0.1:1/back"],
        }] });
        std::fs::write(&file, providers.to_string()).unwrap();
        let path = file.to_str().unwrap().to_owned();
        let change = |set: &mut Variables| _ = set.insert("DEALGRAPH_IDENTITY_FILE", path);
        errors_with(&world.database, change, ("identities", &["provider acme"])).await;
        std::fs::remove_file(&file).unwrap();
    });
}

#[test]
fn a_database_that_takes_no_writes_is_found() {
    test(async |_| {
        let database = Database::of_world().await;
        let name = database.options("postgres").await;
        let name = name.get_database().expect("it has a name").to_owned();
        let mut admin = database.superuser().await;
        let read_only = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
        admin.execute(AssertSqlSafe(read_only)).await.unwrap();
        let report = found(&sound(&database).await, 2, &Clock::system()).await;
        let errors = of(&report, Level::Error);
        assert!(
            errors.iter().any(|error| error.found.contains("only read")),
            "{report}"
        );
        admin.close().await.unwrap();
        database.drop().await;
    });
}
