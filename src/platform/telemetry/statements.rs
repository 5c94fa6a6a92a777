//! The spans of SQL statements, which show where the time of a slow request went.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::SqlStr;
use tracing::{Dispatch, Instrument as _, Span, field::Empty, instrument::WithSubscriber as _};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::metrics::Metrics;

/// The longest name of a table that a summary repeats, in bytes; Postgres allows 63.
const NAME_BYTES: usize = 63;

/// Bytes of a slow statement that its line repeats.
const TEXT_BYTES: usize = 2_000;

/// A running statement.
#[derive(Debug)]
#[must_use = "a statement is run"]
pub struct Statement {
    text: SqlStr,
    pub(super) span: Span,
    began: Instant,
    /// How many rows came back or were changed; none while it runs, and when it failed.
    rows: Option<i64>,
    metrics: Arc<Metrics>,
    /// From how long on it is slow, and has a line in the log.
    slow: Duration,
}

impl Statement {
    /// Begins the span to run it in. Of its text only a summary such as `SELECT opportunities` is kept there.
    ///
    /// Without a collector this costs next to nothing: there is no span and the text is not looked at.
    pub fn begin(text: SqlStr, metrics: &Arc<Metrics>, slow: Duration) -> Self {
        let span = tracing::debug_span!(
            target: "dealgraph::statement",
            "statement",
            "otel.name" = Empty,
            "otel.kind" = "client",
            "db.system.name" = "postgresql",
            "db.query.summary" = Empty,
        );
        if !span.is_disabled() {
            let summary = summary(text.as_str());
            span.record("otel.name", &*summary);
            span.record("db.query.summary", &*summary);
        }
        Self {
            text,
            span,
            began: Instant::now(),
            rows: None,
            metrics: Arc::clone(metrics),
            slow,
        }
    }

    /// Runs it. sqlx would enter the span of the request once more for every row, which takes a tenth of the time of a
    /// page; where it knows of no subscriber there is no such span.
    pub async fn run<F: Future>(&self, work: F) -> F::Output {
        work.with_subscriber(Dispatch::none())
            .instrument(self.span.clone())
            .await
    }

    /// Notes how many rows came back or were changed.
    pub fn done(mut self, rows: usize) {
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        self.span.set_attribute("db.response.returned_rows", rows);
        self.rows = Some(rows);
    }
}

impl Drop for Statement {
    /// However it ended: those that were given up are looked for most.
    fn drop(&mut self) {
        let took = self.began.elapsed();
        let database = &self.metrics.database;
        database.note_statement(verb(self.text.as_str()), took);
        if took < self.slow {
            return;
        }
        let text = self.text.as_str();
        let text = &text[..text.floor_char_boundary(TEXT_BYTES)];
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let rows = self.rows;
        tracing::warn!(statement = text, milliseconds, rows, "slow statement");
    }
}

/// What a statement does, of a closed set.
fn verb(sql: &str) -> &'static str {
    const VERBS: [&str; 6] = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "CALL"];
    let is_it = |verb: &&str| {
        let start = sql.get(..verb.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(verb))
    };
    VERBS.into_iter().find(is_it).unwrap_or("OTHER")
}

/// The statement's verb and the first table it names, which is enough to distinguish statements. Values are bound, so
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
