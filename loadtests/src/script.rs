//! Turns captured statements into a pgbench script that does the same again and again.
//!
//! Each statement is prepared once per connection and run with its values, as the server does. BEGIN and the settings
//! go out together, as the server's one message does; every other statement is a trip of its own.
//!
//! What a write must not repeat is replaced: new ids are minted, event numbers are those just taken, and the instant
//! of the transaction is now. Without the last one Postgres would find nothing changed and spare itself the indexes.

use std::fmt::Write as _;

use crate::{Outcome, capture::Statement};

/// A pgbench script with the values it needs.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) text: String,
    /// Names and values of its variables.
    pub(crate) variables: Vec<(String, String)>,
    /// What the settings of each captured request were.
    pub(crate) settings: Vec<Vec<(String, String)>>,
    /// How many statements a request runs, beside BEGIN, settings and the end.
    pub(crate) statements: usize,
}

/// Columns that each run needs anew, and what gives them.
const MINTED: (&str, &str) = ("stage_change_id", "gen_random_uuid()");
/// The column with a number of the tenant's counter, and what its UPDATE returned for the log that a row goes to.
const NUMBERED: &str = "seq";
/// The column that holds the instant of a writing transaction.
const INSTANT: &str = "occurred_at";

/// Writes a script in which each client keeps to one of the captured requests: so it prepares no more statements than a
/// connection of the server does, and no client waits for another's row lock.
pub(crate) fn write(requests: &[Vec<Statement>]) -> Outcome<Script> {
    let mut script = Script {
        statements: counted(requests),
        settings: requests
            .iter()
            .map(|request| settings_of(request))
            .collect(),
        ..Script::default()
    };
    writeln!(script.text, "\\set variant :client_id % {}", requests.len())?;
    for (number, request) in requests.iter().enumerate() {
        let branch = if number == 0 { "\\if" } else { "\\elif" };
        writeln!(script.text, "{branch} :variant = {number}")?;
        let instant = instant_of(request);
        for (i, statement) in request.iter().enumerate() {
            script.append(statement, (number, i), instant)?;
        }
    }
    writeln!(script.text, "\\endif")?;
    Ok(script)
}

fn counted(requests: &[Vec<Statement>]) -> usize {
    let of_one = |request: &Vec<Statement>| {
        request
            .iter()
            .filter(|statement| !is_frame(&statement.text))
            .count()
    };
    requests.iter().map(of_one).max().unwrap_or_default()
}

/// The settings that a request's first transaction begins with.
fn settings_of(request: &[Statement]) -> Vec<(String, String)> {
    let begin = request
        .iter()
        .find(|statement| statement.text.starts_with("BEGIN"));
    let parts = begin.into_iter().flat_map(|begin| begin.text.split(';'));
    let setting = |part: &str| {
        let (name, value) = part.trim().strip_prefix("SET LOCAL ")?.split_once(" = ")?;
        Some((name.to_owned(), value.trim_matches('\'').to_owned()))
    };
    parts.filter_map(setting).collect()
}

fn is_frame(text: &str) -> bool {
    text.starts_with("BEGIN") || matches!(text, "COMMIT" | "ROLLBACK")
}

impl Script {
    fn append(
        &mut self,
        statement: &Statement,
        (variant, place): (usize, usize),
        instant: Option<&str>,
    ) -> Outcome<()> {
        let text = statement.text.as_str();
        if text.starts_with("BEGIN") {
            let messages = text
                .split(';')
                .map(|part| uncolon(part.trim()))
                .collect::<Vec<_>>()
                .join(";\n");
            writeln!(self.text, "\\startpipeline\n{messages};\n\\endpipeline")?;
            return Ok(());
        }
        let columns = inserted_columns(text);
        let next_number = if text.starts_with("INSERT INTO audit_log") {
            ":last_audit"
        } else {
            ":last_seq"
        };
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, number, after)) = next_placeholder(rest) {
            let value = statement
                .values
                .get(number - 1)
                .ok_or_else(|| format!("no value for ${number} of {text}"))?;
            filled.push_str(before);
            let column = columns.get(number - 1).copied().unwrap_or_default();
            match value {
                _ if column == MINTED.0 => filled.push_str(MINTED.1),
                _ if column == NUMBERED => filled.push_str(next_number),
                None => filled.push_str("NULL"),
                // pgbench takes no empty value.
                Some(value) if value.is_empty() => filled.push_str("''"),
                Some(value) if instant == Some(value) => filled.push_str("now()"),
                Some(value) => {
                    let name = format!("v{variant}_{place}_{number}");
                    write!(filled, ":{name}{}", cast(before, value))?;
                    self.variables.push((name, value.clone()));
                }
            }
            rest = after;
        }
        filled.push_str(rest);
        let end = if text.contains("app.take_numbers(") {
            " \\gset"
        } else {
            ";"
        };
        writeln!(self.text, "{}{end}", filled.replace('\n', " "))?;
        Ok(())
    }
}

/// Columns of a single-row INSERT, in the order of its placeholders.
fn inserted_columns(text: &str) -> Vec<&str> {
    let listed = text
        .strip_prefix("INSERT INTO ")
        .and_then(|rest| rest.split_once('(')?.1.split_once(')'));
    listed
        .map(|(columns, _)| columns.split(',').map(str::trim).collect())
        .unwrap_or_default()
}

/// The instant that a request wrote, as it stands in the event that it logged.
fn instant_of(request: &[Statement]) -> Option<&str> {
    let event = request
        .iter()
        .find(|statement| statement.text.starts_with("INSERT INTO events"))?;
    let place = inserted_columns(&event.text)
        .iter()
        .position(|column| *column == INSTANT)?;
    event.values.get(place)?.as_deref()
}

/// The next `$n`: what stands before it, its number and what comes after.
fn next_placeholder(text: &str) -> Option<(&str, usize, &str)> {
    let (before, after) = text.split_once('$')?;
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    Some((before, after[..digits].parse().ok()?, &after[digits..]))
}

/// The type of a value where Postgres could not infer it from what stands around it; the server always says it.
fn cast(before: &str, value: &str) -> &'static str {
    if before.ends_with("unnest(") {
        return "::uuid[]";
    }
    let looks_like_a_time =
        value.len() >= 19 && value.as_bytes()[10] == b' ' && value.as_bytes()[13] == b':';
    if looks_like_a_time {
        "::timestamptz"
    } else {
        ""
    }
}

/// The same statement without colons, which pgbench takes for the start of a variable even within quotes.
fn uncolon(statement: &str) -> String {
    if !statement.contains(':') {
        return statement.to_owned();
    }
    statement.replacen('\'', "E'", 1).replace(':', "\\x3a")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(text: &str, values: &[&str]) -> Statement {
        Statement {
            text: text.to_owned(),
            values: values
                .iter()
                .map(|value| Some((*value).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn a_write_is_made_repeatable() {
        let request = [
            statement("BEGIN; SET LOCAL app.me = '|u:1|'", &[]),
            statement("SELECT n.last_seq FROM app.take_numbers($1) n", &["1"]),
            statement(
                "INSERT INTO events (tenant_id, seq, occurred_at) VALUES ($1, $2, $3)",
                &["t", "7", "2026-01-02 03:04:05+00"],
            ),
            statement("COMMIT", &[]),
        ];
        let script = write(&[request.to_vec()]).unwrap();
        assert_eq!(
            script.text,
            "\\set variant :client_id % 1\n\\if :variant = 0\n\
             \\startpipeline\nBEGIN;\nSET LOCAL app.me = E'|u\\x3a1|';\n\\endpipeline\n\
             SELECT n.last_seq FROM app.take_numbers(:v0_1_1) n \\gset\n\
             INSERT INTO events (tenant_id, seq, occurred_at) VALUES (:v0_2_1, :last_seq, now());\nCOMMIT;\n\\endif\n"
        );
        assert_eq!(
            script.variables,
            [
                ("v0_1_1".to_owned(), "1".to_owned()),
                ("v0_2_1".to_owned(), "t".to_owned())
            ]
        );
        assert_eq!(script.statements, 2);
    }
}
