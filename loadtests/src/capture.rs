//! What a request really does in Postgres: the statements with their values, read from Postgres' own log.
//!
//! A server with a single connection is asked each question twice. The first time it prepares its statements; what
//! the second time leaves in the log is what pgbench repeats.

use std::{path::Path, sync::Arc, time::Duration};

use sqlx::{Executor as _, PgConnection};
use tokio::time::{Instant, sleep};

use crate::{
    Outcome,
    cluster::Cluster,
    script::{self, Script},
    server::Server,
    workload::Workload,
};

/// Marks lines of the login whose statements are wanted.
const LOGIN: &str = "dealgraph_app@dealgraph ";
/// How long after an answer the last statement of its transaction may take to appear in the log.
const LOG_PATIENCE: Duration = Duration::from_secs(5);

/// A statement as it ran.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Statement {
    /// Its text, several with semicolons between when they came in one message.
    pub(crate) text: String,
    /// The values of `$1` and so on as Postgres prints them; `None` for NULL.
    pub(crate) values: Vec<Option<String>>,
}

/// The pgbench script of each workload.
pub(crate) async fn scripts(
    cluster: &Cluster,
    executable: &Path,
    database: &mut PgConnection,
    workloads: &[Arc<Workload>],
) -> Outcome<Vec<Script>> {
    database
        .execute("ALTER ROLE dealgraph_app SET log_statement = 'all'")
        .await?;
    let captured = capture_all(cluster, executable, workloads).await;
    database
        .execute("ALTER ROLE dealgraph_app RESET log_statement")
        .await?;
    captured
}

async fn capture_all(
    cluster: &Cluster,
    executable: &Path,
    workloads: &[Arc<Workload>],
) -> Outcome<Vec<Script>> {
    let server = Server::start(cluster, executable, 1).await?;
    let log = cluster.logs().join("postgres.log");
    let start = length(&log)?;
    let mut connection = server.connect().await?;
    let mut scripts = Vec::with_capacity(workloads.len());
    for workload in workloads {
        let mut variants = Vec::with_capacity(workload.variants.len());
        for variant in &workload.variants {
            let (first, last) = (variant.questions.first(), variant.questions.last());
            let (first, last) = (
                first.ok_or("nothing to ask")?,
                last.ok_or("nothing to ask")?,
            );
            connection.ask(first).await?;
            completed(&log, start).await?;
            let before = length(&log)?;
            connection.ask(last).await?;
            variants.push(completed(&log, before).await?);
        }
        scripts.push(script::write(&variants)?);
    }
    drop(connection);
    server.stop().await?;
    Ok(scripts)
}

fn length(log: &Path) -> Outcome<u64> {
    Ok(std::fs::metadata(log)?.len())
}

/// The statements after a place in the log, once their last transaction ended.
async fn completed(log: &Path, from: u64) -> Outcome<Vec<Statement>> {
    let deadline = Instant::now() + LOG_PATIENCE;
    while Instant::now() < deadline {
        let text = std::fs::read(log)?;
        let text = String::from_utf8_lossy(text.get(usize::try_from(from)?..).unwrap_or_default())
            .into_owned();
        let statements = parse(&text);
        if statements
            .last()
            .is_some_and(|last| matches!(last.text.as_str(), "COMMIT" | "ROLLBACK"))
        {
            return Ok(statements);
        }
        sleep(Duration::from_millis(10)).await;
    }
    Err(format!("{} does not show the end of a request", log.display()).into())
}

/// Reads the entries of one login. Further lines of an entry start with a tab.
pub(crate) fn parse(log: &str) -> Vec<Statement> {
    let mut statements: Vec<Statement> = Vec::new();
    let entries = log.replace("\n\t", "\n\u{1}");
    let mut entry = String::new();
    let mut take = |entry: &str| {
        let Some((_, said)) = entry.split_once(LOGIN) else {
            return;
        };
        if let Some(text) = said.strip_prefix("LOG:  statement: ") {
            statements.push(Statement {
                text: text.trim().to_owned(),
                values: Vec::new(),
            });
        } else if let Some(text) = said
            .strip_prefix("LOG:  execute ")
            .and_then(|said| said.split_once(": "))
        {
            statements.push(Statement {
                text: text.1.trim().to_owned(),
                values: Vec::new(),
            });
        } else if let (Some(values), Some(last)) = (
            said.strip_prefix("DETAIL:  parameters: "),
            statements.last_mut(),
        ) {
            last.values = parse_values(values);
        }
    };
    for line in entries.lines() {
        match line.strip_prefix('\u{1}') {
            Some(more) => {
                entry.push('\n');
                entry.push_str(more);
            }
            None => {
                take(&entry);
                line.clone_into(&mut entry);
            }
        }
    }
    take(&entry);
    statements
}

/// Reads `$1 = 'text', $2 = NULL`; quotes within a text are doubled.
fn parse_values(list: &str) -> Vec<Option<String>> {
    let mut values = Vec::new();
    let mut rest = list;
    while let Some((_, value)) = rest.split_once(" = ") {
        let Some(quoted) = value.strip_prefix('\'') else {
            values.push(None);
            rest = value;
            continue;
        };
        let mut text = String::new();
        let mut characters = quoted.char_indices().peekable();
        let mut end = quoted.len();
        while let Some((at, character)) = characters.next() {
            if character != '\'' {
                text.push(character);
            } else if characters.next_if(|(_, next)| *next == '\'').is_some() {
                text.push('\'');
            } else {
                end = at + 1;
                break;
            }
        }
        values.push(Some(text));
        rest = &quoted[end.min(quoted.len())..];
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_and_values_are_read_back() {
        let log = "2026-01-02 03:04:05.678 UTC [7] dealgraph_app@dealgraph LOG:  statement: BEGIN; SET LOCAL a = '1'\n\
            2026-01-02 03:04:05.678 UTC [8] other@dealgraph LOG:  statement: SELECT 1\n\
            2026-01-02 03:04:05.678 UTC [7] dealgraph_app@dealgraph LOG:  execute sqlx_s_1: SELECT $1,\n\
            \t $2\n\
            2026-01-02 03:04:05.678 UTC [7] dealgraph_app@dealgraph DETAIL:  parameters: $1 = 'it''s, $2 = ', $2 = NULL\n";
        let second = Statement {
            text: "SELECT $1,\n $2".to_owned(),
            values: vec![Some("it's, $2 = ".to_owned()), None],
        };
        let first = Statement {
            text: "BEGIN; SET LOCAL a = '1'".to_owned(),
            values: Vec::new(),
        };
        assert_eq!(parse(log), [first, second]);
    }
}
