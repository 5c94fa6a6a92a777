//! The spans of SQL statements, which show where the time of a slow request went.

use tracing::{Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The longest name of a table that a summary repeats, in bytes; Postgres allows 63.
const NAME_BYTES: usize = 63;

/// The span to run a statement in. Of its text only a summary such as `SELECT opportunities` is kept.
///
/// Without a collector this costs next to nothing: there is no span and the text is not looked at.
#[must_use]
pub fn statement_span(sql: &str) -> Span {
    let span = tracing::debug_span!(
        target: "dealgraph::statement",
        "statement",
        "otel.name" = Empty,
        "otel.kind" = "client",
        "db.system.name" = "postgresql",
        "db.query.summary" = Empty,
    );
    if !span.is_disabled() {
        let summary = summary(sql);
        span.record("otel.name", &*summary);
        span.record("db.query.summary", &*summary);
    }
    span
}

/// Notes on a statement's span how many rows came back or were changed.
pub fn record_rows(statement: &Span, rows: usize) {
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    statement.set_attribute("db.response.returned_rows", rows);
}

/// The statement's verb and the first table it names, which is enough to tell statements apart. Values are bound, so
/// that they are not in the text in the first place.
fn summary(sql: &str) -> String {
    let mut words = sql.split_ascii_whitespace();
    let verb = words.next().unwrap_or_default();
    let is_verb = verb.bytes().all(|byte| byte.is_ascii_alphabetic());
    if !is_verb || verb.is_empty() || verb.len() > NAME_BYTES {
        return "SQL".to_owned();
    }
    let verb = verb.to_ascii_uppercase();
    let table = if verb == "UPDATE" {
        words.next()
    } else {
        words
            .by_ref()
            .skip_while(|word| {
                !word.eq_ignore_ascii_case("from") && !word.eq_ignore_ascii_case("into")
            })
            .nth(1)
    };
    let table = table.map(name_at_start).filter(|name| !name.is_empty());
    table.map_or(verb.clone(), |table| format!("{verb} {table}"))
}

fn name_at_start(word: &str) -> &str {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
    let end = word
        .bytes()
        .take(NAME_BYTES)
        .take_while(|byte| is_name(*byte))
        .count();
    &word[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_names_the_verb_and_the_table_and_no_value() {
        for (sql, expected) in [
            (
                "SELECT a, b\n  FROM opportunities o\n WHERE x = 'hunter2'",
                "SELECT opportunities",
            ),
            (
                "INSERT INTO stage_changes(tenant_id) VALUES ($1)",
                "INSERT stage_changes",
            ),
            ("update app.tenants SET name = $1", "UPDATE app.tenants"),
            ("DELETE FROM leads", "DELETE leads"),
            ("SELECT count(*) FROM (SELECT 1) x", "SELECT"),
            (
                "WITH due AS (SELECT * FROM contacts) SELECT * FROM due",
                "WITH contacts",
            ),
            ("COMMIT", "COMMIT"),
            ("BEGIN; SET LOCAL app.tenant_id = 'hunter2'", "SQL"),
            ("UPDATE", "UPDATE"),
            ("", "SQL"),
            ("'hunter2'", "SQL"),
        ] {
            assert_eq!(summary(sql), expected);
        }
    }
}
