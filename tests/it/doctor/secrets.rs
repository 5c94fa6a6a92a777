//! No secret is in what it says, whatever is wrong; and how the command ends.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use dealgraph::base::clock::Clock;
use tokio::net::TcpListener;

use super::{Variables, found, sound};
use crate::{
    defaults::child::{PATIENCE, binary, free_address},
    harness::test,
};

/// What must be in no line.
const CANARY: &str = "c4nary-of-the-doctor";

fn with_secrets(mut variables: Variables, address: &str) -> Variables {
    for (variable, login) in [
        ("DEALGRAPH_DATABASE_URL", "dealgraph_app"),
        ("DEALGRAPH_SYSTEM_DATABASE_URL", "dealgraph_system"),
        ("DEALGRAPH_OWNER_DATABASE_URL", "dealgraph_owner"),
    ] {
        let url = variables[variable].replacen(login, &format!("{login}:{CANARY}"), 1);
        variables.insert(variable, url);
    }
    variables.insert("DEALGRAPH_ENCRYPTION_KEYS", key());
    variables.insert("DEALGRAPH_AUTH_HS256_SECRET", format!("{CANARY}{CANARY}"));
    variables.insert(
        "DEALGRAPH_REDIS_URL",
        format!("redis://:{CANARY}@{address}"),
    );
    variables.insert(
        "DEALGRAPH_MAIL_URL",
        format!("smtp://ada:{CANARY}@{address}"),
    );
    variables
}

/// An encryption key.
fn key() -> String {
    let text = format!("{CANARY}-{CANARY}");
    STANDARD.encode(&text.as_bytes()[..32])
}

fn expect_no_secret(said: &str, when: &str) {
    for secret in [CANARY, key().as_str()] {
        assert!(!said.contains(secret), "{when}: {said}");
    }
}

#[test]
fn no_secret_is_told_whatever_is_wrong() {
    test(async |world| {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = [free_address(), silent.local_addr().unwrap()];
        for address in addresses.map(|address| address.to_string()) {
            let mut variables = with_secrets(sound(&world.database).await, &address);
            let mut wrong = variables.clone();
            for (variable, login) in [
                ("DEALGRAPH_DATABASE_URL", "nobody"),
                ("DEALGRAPH_SYSTEM_DATABASE_URL", "dealgraph_system"),
            ] {
                let url = format!("postgres://{login}:{CANARY}@{address}/x?sslmode=require");
                wrong.insert(variable, url);
            }
            for variables in [&variables, &wrong] {
                let report = found(variables, 2, &Clock::system()).await;
                expect_no_secret(&report.to_string(), "text");
                expect_no_secret(&report.json().to_string(), "json");
            }
            // What can't be read is not repeated either.
            for value in variables.values_mut() {
                *value = format!("::{CANARY}");
            }
            let report = found(&variables, 2, &Clock::system()).await;
            expect_no_secret(&report.to_string(), "unreadable");
        }
        expect_no_secret(&world.logs.text(), "the log");
    });
}

#[test]
fn the_command_ends_with_one_over_errors_and_prints_lines_or_json() {
    test(async |world| {
        let variables = sound(&world.database).await;
        let run = async |arguments: &[&str], variables: &Variables| {
            let mut command = binary();
            command.arg("doctor").args(arguments).envs(variables);
            let done = tokio::time::timeout(PATIENCE, command.output()).await;
            let done = done.expect("it ends by itself").expect("it starts");
            let text = |bytes| String::from_utf8(bytes).expect("it is text");
            (done.status.code(), text(done.stdout), text(done.stderr))
        };
        let (code, said, _) = run(&[], &variables).await;
        assert_eq!(code, Some(0), "{said}");
        assert!(said.lines().count() >= 9, "{said}");
        for line in said.lines() {
            let level = line.split_whitespace().next();
            assert!(matches!(level, Some("ok" | "warning")), "{line}");
        }
        let address = free_address().to_string();
        let secrets = with_secrets(variables, &address);
        let (code, said, complaint) = run(&["--json"], &secrets).await;
        assert_eq!(code, Some(1), "{said}");
        let json: serde_json::Value = serde_json::from_str(&said).expect("it is JSON");
        assert!(json["errors"].as_u64() >= Some(3), "{json:#}");
        expect_no_secret(&said, "stdout");
        expect_no_secret(&complaint, "stderr");
    });
}
