//! The laws of the configuration.

use std::time::Duration;

use super::*;
use crate::platform::telemetry::{LogFormat, TraceParents};

fn read(vars: &[(&str, &str)], purpose: Purpose) -> Result<Config, ConfigError> {
    let owned = vars
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::from_vars(owned, purpose)
}

fn error(vars: &[(&str, &str)]) -> String {
    read(vars, Purpose::Develop)
        .expect_err("the variables are wrong")
        .to_string()
}

#[test]
fn defaults_come_from_the_table_and_every_variable_of_it_is_read() {
    let mut reader = Reader::new(std::iter::empty());
    let config = Config::read(&mut reader);
    let table: Vec<_> = VARIABLES.iter().map(|variable| variable.name).collect();
    assert!(
        table.iter().all(|name| reader.asked.contains(name)),
        "{:?}",
        reader.asked
    );
    assert_eq!(table.len(), reader.asked.len());
    assert!(reader.into_problems().is_empty());

    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert!(!config.server.explorer && config.server.introspection);
    assert_eq!(
        (config.database.pool_size, config.database.system_pool_size),
        (16, 4)
    );
    assert_eq!(config.database.acquire_timeout, Duration::from_secs(2));
    assert_eq!(config.database.statement_cache, 200);
    assert_eq!(
        (&*config.auth.issuer, &*config.auth.audience),
        ("dealgraph", "dealgraph")
    );
    assert_eq!(config.auth.token_ttl, Duration::from_secs(900));
    assert!(config.accounts.registration && config.accounts.mail_url.is_none());
    assert_eq!(
        config.accounts.session_ttl,
        Duration::from_secs(30 * 86_400)
    );
    assert_eq!(config.server.trusted_proxies, 0);
    assert!(config.limits.depth.is_none() && config.limits.timeout.is_none());
    assert_eq!(config.telemetry.log_format, LogFormat::Auto);
    assert_eq!(config.telemetry.trace_parents, TraceParents::Ignored);
}

#[test]
fn values_are_typed_and_an_empty_one_counts_as_unset() {
    let config = read(
        &[
            ("DEALGRAPH_LISTEN", "[::]:9000"),
            (
                "DEALGRAPH_DATABASE_URL",
                "postgres:///deals?host=/run/postgresql&user=dealgraph_app",
            ),
            ("DEALGRAPH_REDIS_URL", "redis+unix:///run/redis.sock"),
            ("DEALGRAPH_STATEMENT_CACHE", "0"),
            ("DEALGRAPH_LIMIT_TIMEOUT_MS", "2500"),
            ("DEALGRAPH_OTLP_ENDPOINT", "http://localhost:4318"),
            ("DEALGRAPH_LOG", "info,dealgraph::db=debug"),
            ("DEALGRAPH_TRUST_TRACEPARENT", "on"),
            ("DEALGRAPH_POOL_SIZE", ""),
            ("HOME", "/nowhere"),
        ],
        Purpose::Develop,
    )
    .unwrap();
    assert_eq!(config.server.listen.port(), 9000);
    assert_eq!(config.database.statement_cache, 0);
    assert_eq!(config.database.pool_size, 16);
    assert_eq!(config.limits.timeout, Some(Duration::from_millis(2500)));
    assert!(config.redis.url.is_some() && config.telemetry.otlp_endpoint.is_some());
    assert_eq!(config.telemetry.trace_parents, TraceParents::Trusted);
}

#[test]
fn all_problems_are_told_at_once_each_with_its_name_what_was_found_and_what_is_expected() {
    let text = error(&[
        ("DEALGRAPH_LISTEN", "localhost"),
        ("DEALGRAPH_POOL_SIZE", "0"),
        ("DEALGRAPH_STATEMENT_CACHE", "+5"),
        ("DEALGRAPH_EXPLORER", "yes"),
        ("DEALGRAPH_LISTENN", "127.0.0.1:1"),
        ("DEALGRAPH_COLOUR_OF_THE_SKY", "blue"),
        ("DEALGRAPH_AUTH_ISSUER", "a\nb"),
    ]);
    for line in [
        "DEALGRAPH_LISTEN: found \"localhost\", expected an IP address and a port such as 127.0.0.1:8080",
        "DEALGRAPH_POOL_SIZE: found \"0\", expected auto, or a number from 1 to 1000",
        "DEALGRAPH_STATEMENT_CACHE: found \"+5\", expected a whole number from 0 to 10000",
        "DEALGRAPH_EXPLORER: found \"yes\", expected on or off",
        "DEALGRAPH_LISTENN: found a name that is not known, expected DEALGRAPH_LISTEN, if that was meant",
        "DEALGRAPH_COLOUR_OF_THE_SKY: found a name that is not known, expected one of the names",
        "DEALGRAPH_AUTH_ISSUER: found a value that is not plain text, expected UTF-8",
    ] {
        assert!(
            text.contains(&format!("\n  {line}")),
            "{line}\nis not in\n{text}"
        );
    }
    assert_eq!(text.lines().count(), 8);
}

#[test]
fn secrets_are_neither_in_errors_nor_in_the_printed_configuration() {
    let text = error(&[
        ("DEALGRAPH_DATABASE_URL", "mysql://login:hunter2@host/db"),
        ("DEALGRAPH_REDIS_URL", "rediss://:hunter2@host"),
        ("DEALGRAPH_AUTH_HS256_SECRET", "hunter2"),
        ("DEALGRAPH_AUTH_HS256_SECRETS", "hunter2"),
        ("DEALGRAPH_ENCRYPTION_KEYS", "hunter2"),
    ]);
    assert!(!text.contains("hunter2"), "{text}");
    assert!(text.contains("DEALGRAPH_AUTH_HS256_SECRET: found an unsuitable value of 7 bytes"));
    assert_eq!(text.lines().count(), 6);

    let vars = [
        ("DEALGRAPH_DATABASE_URL", "postgres://login:hunter2@host/db"),
        (
            "DEALGRAPH_AUTH_HS256_SECRET",
            "hunter2hunter2hunter2hunter2hunter2",
        ),
    ];
    let config = read(&vars, Purpose::Develop).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    assert!(
        config
            .database
            .app_url
            .unwrap()
            .expose()
            .contains("hunter2")
    );
}

#[test]
fn what_a_purpose_needs_is_told_when_it_is_missing_and_not_twice_when_it_is_bad() {
    let missing = |vars: &[(&str, &str)], purpose| -> Vec<String> {
        let problems = read(vars, purpose)
            .expect_err("variables are missing")
            .problems;
        problems.into_iter().map(|problem| problem.name).collect()
    };
    assert_eq!(
        missing(
            &[("DEALGRAPH_SYSTEM_DATABASE_URL", "nonsense")],
            Purpose::Serve
        ),
        [
            "DEALGRAPH_SYSTEM_DATABASE_URL",
            "DEALGRAPH_DATABASE_URL",
            "DEALGRAPH_ENCRYPTION_KEYS",
        ]
    );
    assert_eq!(
        missing(&[], Purpose::Migrate),
        ["DEALGRAPH_OWNER_DATABASE_URL"]
    );
    assert_eq!(missing(&[], Purpose::Import).len(), 2);
    assert_eq!(missing(&[], Purpose::Keys).len(), 3);
    assert!(read(&[], Purpose::Develop).is_ok());
}

#[test]
fn addresses_that_an_orchestrator_adds_for_a_service_of_our_name_are_no_settings() {
    let vars = [
        ("DEALGRAPH_SERVICE_HOST", "10.0.0.1"),
        ("DEALGRAPH_SERVICE_PORT_HTTP", "80"),
        ("DEALGRAPH_PORT", "tcp://10.0.0.1:80"),
        ("DEALGRAPH_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("DEALGRAPH_REDIS_SERVICE_HOST", "10.0.0.2"),
    ];
    assert!(read(&vars, Purpose::Develop).is_ok());
    assert!(error(&[("DEALGRAPH_PORT", "8080")]).contains("DEALGRAPH_PORT: "));
}

#[test]
fn a_log_filter_or_a_collector_that_would_silently_do_nothing_is_refused() {
    for filter in ["inof", "info,dealgraph", "dealgraph=loud", "info,,"] {
        assert!(
            error(&[("DEALGRAPH_LOG", filter)]).contains("DEALGRAPH_LOG: "),
            "{filter}"
        );
    }
    for url in [
        "localhost:4318",
        "https://host",
        "http://u:p@host",
        "http://host/?a=b",
    ] {
        assert!(error(&[("DEALGRAPH_OTLP_ENDPOINT", url)]).contains("DEALGRAPH_OTLP_ENDPOINT: "));
    }
}

#[test]
fn a_hostile_name_or_value_is_repeated_only_in_part() {
    let long = "x".repeat(100_000);
    let text = error(&[
        (&format!("DEALGRAPH_{long}"), "1"),
        ("DEALGRAPH_LISTEN", &long),
    ]);
    assert!(text.len() < 600, "{}", text.len());
}
