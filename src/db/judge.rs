//! The same conditions judged in memory, on a row as the event log keeps it: by the rules of the rendered SQL.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::predicate::{Comparison, Predicate, Value};

/// A row by its columns. A column that is not in it has a value that is not known, which is not the same as empty.
pub type Row = Map<String, Json>;

impl Predicate {
    /// Whether the row meets the condition; `None` when the row alone does not tell, because a column is not known or
    /// other rows decide too.
    #[must_use]
    pub fn judge(&self, row: &Row) -> Option<bool> {
        match self {
            Self::All(parts) => every(parts.iter().map(|part| part.judge(row))),
            Self::Any(parts) => {
                every(parts.iter().map(|part| part.judge(row).map(|met| !met))).map(|none| !none)
            }
            Self::Not(inner) => inner.judge(row).map(|met| !met),
            Self::Compare(column, comparison, value) => {
                Some(compare(row.get(column.name())?, *comparison, value))
            }
            Self::In(column, values) => {
                let stored = row.get(column.name())?;
                let equals = |value| compare(stored, Comparison::Eq, value);
                Some(values.iter().any(equals))
            }
            Self::Empty(column) => Some(row.get(column.name())?.is_null()),
            Self::Related { .. } => None,
        }
    }
}

/// All of them hold; one that does not settles it, whatever is not known of others.
fn every(mut judged: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let known = judged.try_fold(Some(true), |so_far, met| match met {
        Some(false) => Err(()),
        Some(true) => Ok(so_far),
        None => Ok(None),
    });
    known.unwrap_or(Some(false))
}

/// An empty column differs from every value, and meets no other comparison.
fn compare(stored: &Json, comparison: Comparison, value: &Value) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let text = stored.as_str();
    let ordering = match value {
        Value::Uuid(wanted) => text.and_then(uuid).map(|is| is.cmp(wanted)),
        Value::Text(wanted) => text.map(|is| is.cmp(wanted)),
        Value::Int(wanted) => stored.as_i64().map(|is| is.cmp(wanted)),
        Value::Time(wanted) => text.and_then(time).map(|is| is.cmp(wanted)),
        Value::Date(wanted) => text.and_then(date).map(|is| is.cmp(wanted)),
        Value::Bool(wanted) => stored.as_bool().map(|is| is.cmp(wanted)),
    };
    match comparison {
        Comparison::Eq => ordering == Some(Equal),
        Comparison::Neq => ordering != Some(Equal),
        Comparison::Lt => ordering == Some(Less),
        Comparison::Lte => matches!(ordering, Some(Less | Equal)),
        Comparison::Gt => ordering == Some(Greater),
        Comparison::Gte => matches!(ordering, Some(Greater | Equal)),
        Comparison::StartsWith => match (text, value) {
            (Some(text), Value::Text(wanted)) => text.starts_with(wanted.as_str()),
            _ => false,
        },
    }
}

/// Ids are kept bare or with their type in front.
fn uuid(text: &str) -> Option<Uuid> {
    let bare = text.rsplit_once(':').map_or(text, |(_, bare)| bare);
    Uuid::parse_str(bare).ok()
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc())
}

fn date(text: &str) -> Option<NaiveDate> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::db::Quantifier;

    fn row(json: Json) -> Row {
        json.as_object().cloned().expect("an object")
    }

    #[test]
    fn what_is_not_known_decides_nothing_that_is_decided_anyway() {
        let row = row(json!({ "a": 1, "b": null }));
        let a = |n| Predicate::Compare("a".into(), Comparison::Eq, Value::Int(n));
        let unknown = || Predicate::Empty("c".into());
        let judged = |predicate: Predicate| predicate.judge(&row);
        assert_eq!(judged(Predicate::All(vec![a(1), unknown()])), None);
        assert_eq!(judged(Predicate::All(vec![unknown(), a(2)])), Some(false));
        assert_eq!(judged(Predicate::Any(vec![unknown(), a(1)])), Some(true));
        assert_eq!(judged(Predicate::Any(vec![a(2), unknown()])), None);
        assert_eq!(judged(Predicate::Not(Box::new(unknown()))), None);
        assert_eq!(judged(Predicate::All(vec![])), Some(true));
        assert_eq!(judged(Predicate::Any(vec![])), Some(false));
        assert_eq!(judged(Predicate::Empty("b".into())), Some(true));
        let related = Predicate::Related {
            quantifier: Quantifier::Some,
            table: crate::db::list::Table {
                name: "t",
                id_column: "a",
                access: crate::access::RecordKind::Companies.into(),
                parts: &[],
            },
            column: "a",
            own: "a",
            matching: Box::new(Predicate::All(vec![])),
        };
        assert_eq!(judged(related), None);
    }

    #[test]
    fn an_empty_column_differs_from_everything_and_meets_nothing_else() {
        let row = row(json!({ "a": null }));
        for (comparison, met) in [
            (Comparison::Eq, false),
            (Comparison::Neq, true),
            (Comparison::Lt, false),
            (Comparison::Gte, false),
            (Comparison::StartsWith, false),
        ] {
            let value = Value::Text(String::new());
            let predicate = Predicate::Compare("a".into(), comparison, value);
            assert_eq!(predicate.judge(&row), Some(met), "{comparison:?}");
        }
        let not_in = Predicate::Not(Box::new(Predicate::In("a".into(), vec![Value::Int(1)])));
        assert_eq!(not_in.judge(&row), Some(true));
    }

    #[test]
    fn values_are_read_as_the_log_writes_them() {
        let id = Uuid::from_u128(7);
        let row = row(json!({
            "id": id, "owner": format!("user:{id}"), "at": "2026-11-28T05:00:00.000001Z", "on": "2026-11-28",
            "n": 5, "yes": true, "name": "ada lovelace",
        }));
        let at = time("2026-11-28T06:00:00.000001+01:00").expect("a time");
        for (column, comparison, value) in [
            ("id", Comparison::Eq, Value::Uuid(id)),
            ("owner", Comparison::Eq, Value::Uuid(id)),
            ("at", Comparison::Eq, Value::Time(at)),
            ("on", Comparison::Lt, Value::Date(NaiveDate::MAX)),
            ("n", Comparison::Gte, Value::Int(5)),
            ("yes", Comparison::Eq, Value::Bool(true)),
            ("name", Comparison::StartsWith, Value::Text("ada ".into())),
        ] {
            let predicate = Predicate::Compare(column.into(), comparison, value);
            assert_eq!(predicate.judge(&row), Some(true), "{column}");
        }
    }
}
