//! What the server asks of Postgres, counted by Postgres itself.

use std::collections::HashMap;

use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::{
    Outcome,
    cluster::{Cluster, DATABASE},
};

/// A connection to where the counts are, which does not count itself.
pub(super) struct Counter(PgConnection);

/// How often each statement was run, by its text.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts(pub(super) HashMap<String, i64>);

impl Counter {
    /// # Errors
    /// When Postgres was installed without its extensions.
    pub(super) async fn open(cluster: &Cluster) -> Outcome<Self> {
        let mut database = cluster.superuser_of("postgres").await?;
        let created = database
            .execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            .await;
        created.map_err(|error| format!("statements can't be counted: {error}"))?;
        Ok(Self(database))
    }

    /// All counts of the server's logins so far.
    pub(super) async fn read(&mut self) -> Outcome<Counts> {
        let sql = "SELECT s.query, sum(s.calls)::bigint FROM pg_stat_statements s \
                   JOIN pg_database d ON d.oid = s.dbid JOIN pg_roles r ON r.oid = s.userid \
                   WHERE d.datname = $1 AND r.rolname IN ('dealgraph_app', 'dealgraph_system') GROUP BY s.query";
        let rows: Vec<(String, i64)> = sqlx::query_as(sql)
            .bind(DATABASE)
            .fetch_all(&mut self.0)
            .await?;
        let counted = rows.into_iter().filter(|(text, _)| !is_frame(text));
        Ok(Counts(counted.collect()))
    }

    pub(super) async fn close(self) -> Outcome<()> {
        Ok(self.0.close().await?)
    }
}

/// What stands around statements, and goes out in the same message as BEGIN: the settings that say who asks, the way back
/// for a statement that Postgres refuses; and the end.
fn is_frame(text: &str) -> bool {
    let frames = ["BEGIN", "SET ", "SAVEPOINT ", "COMMIT", "ROLLBACK"];
    frames.iter().any(|frame| text.starts_with(frame))
}

impl Counts {
    pub(super) fn since(&self, before: &Self) -> Self {
        let more = |(text, calls): (&String, &i64)| {
            let more = calls - before.of(text);
            (more > 0).then(|| (text.clone(), more))
        };
        Self(self.0.iter().filter_map(more).collect())
    }

    pub(super) fn of(&self, text: &str) -> i64 {
        self.0.get(text).copied().unwrap_or_default()
    }

    /// Those that are not among others.
    pub(super) fn without(mut self, others: &Self) -> Self {
        self.0.retain(|text, _| !others.0.contains_key(text));
        self
    }

    pub(super) fn total(&self) -> i64 {
        self.0.values().sum()
    }
}

/// The begin of a statement, for people.
pub(super) fn short(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    let table = text.split_once(" FROM ").map_or("", |(_, rest)| rest);
    let start: String = text.chars().take(48).collect();
    let table: String = table.chars().take(32).collect();
    format!("{start} … FROM {table}").replace('|', "\\|")
}
