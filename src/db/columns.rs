//! The columns of records, as `#[derive(Columns)]` declares them on their fields: what is written and read of each, and who
//! may be shown it.

use std::fmt::Write as _;

use super::Row;
use crate::access::Sensitivity;

/// Something that a record has in its table, or tells beside it.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    /// A column.
    Column(Column),
    /// The columns of a part of the record.
    Parts(&'static [Part]),
    /// No column: events tell it under this name.
    Told(&'static str, Sensitivity),
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Who may be shown it.
    pub sensitivity: Sensitivity,
    /// When it is written with the record.
    pub written: Written,
    /// How it is read with the record.
    pub read: Read,
    /// Whether it may be a text of [`LONG_CHARS`](crate::base::text::LONG_CHARS).
    pub is_long: bool,
}

/// When a column is written with its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// By an INSERT and every UPDATE.
    Always,
    /// By an INSERT.
    Once,
    /// Never: by statements of its own, or by the database.
    Never,
}

/// How a column is read with its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// By its name.
    Column,
    /// As an expression; there is no such column.
    As(&'static str),
    /// Not at all.
    Never,
}

/// What a record is written by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    /// An INSERT.
    Insert,
    /// An UPDATE.
    Update,
}

/// What has columns. Derived.
pub trait Columns {
    /// They, in their order.
    const PARTS: &'static [Part];

    /// Binds the values of those that are written, in their order.
    fn bind(&self, writing: Writing, row: &mut Row<'_>);

    /// The list of a SELECT: those that are read, of the alias `t`, without what the actor is not shown.
    fn select() -> &'static str;
}

/// All columns, those of parts in their place.
pub fn all(parts: &'static [Part]) -> Box<dyn Iterator<Item = &'static Column> + Send> {
    Box::new(parts.iter().flat_map(|part| match part {
        Part::Column(column) => Box::new(std::iter::once(column)),
        Part::Parts(parts) => all(parts),
        Part::Told(..) => Box::new(std::iter::empty()),
    }))
}

/// The names of those that are written.
pub fn written(parts: &'static [Part], writing: Writing) -> Vec<&'static str> {
    let is_it = |column: &&Column| match column.written {
        Written::Always => true,
        Written::Once => writing == Writing::Insert,
        Written::Never => false,
    };
    all(parts).filter(is_it).map(|column| column.name).collect()
}

/// Who may be shown a column, or what is told under a name; nothing for one that is not declared.
#[must_use]
pub fn sensitivity(parts: &'static [Part], name: &str) -> Option<Sensitivity> {
    parts.iter().find_map(|part| match part {
        Part::Column(column) => (column.name == name).then_some(column.sensitivity),
        Part::Parts(parts) => sensitivity(parts, name),
        Part::Told(told, sensitivity) => (*told == name).then_some(*sensitivity),
    })
}

/// See [`Columns::select`].
#[must_use]
pub fn select_list(parts: &'static [Part]) -> String {
    let mut text = String::new();
    for column in all(parts) {
        let name = column.name;
        let separator = if text.is_empty() { "" } else { ", " };
        _ = match (column.read, column.sensitivity.kinds()) {
            (Read::Never, _) => Ok(()),
            (Read::As(expression), _) => write!(text, "{separator}{expression} AS {name}"),
            (Read::Column, []) => write!(text, "{separator}t.{name}"),
            (Read::Column, kinds) => {
                write!(text, "{separator}{} AS {name}", masked(name, kinds))
            }
        };
    }
    text
}

/// A column, or NULL for an actor who is not shown it.
pub(super) fn masked(name: &str, kinds: &[crate::access::Sensitive]) -> String {
    let shows: Vec<String> = kinds
        .iter()
        .map(|what| format!("app.shows('{}')", what.word()))
        .collect();
    format!("CASE WHEN {} THEN t.{name} END", shows.join(" AND "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn column(
        name: &'static str,
        sensitivity: Sensitivity,
        written: Written,
        read: Read,
    ) -> Part {
        Part::Column(Column {
            name,
            sensitivity,
            written,
            read,
            is_long: false,
        })
    }

    const PARTS: &[Part] = &[
        column("id", Sensitivity::Plain, Written::Once, Read::Column),
        Part::Parts(&[
            column("price", Sensitivity::Amounts, Written::Always, Read::Column),
            column(
                "name_normalized",
                Sensitivity::Plain,
                Written::Always,
                Read::Never,
            ),
        ]),
        column(
            "visible_to",
            Sensitivity::Plain,
            Written::Never,
            Read::As("'|'"),
        ),
        Part::Told("methods", Sensitivity::Ways),
    ];

    #[test]
    fn what_is_read_is_masked_where_it_is_sensitive() {
        let list =
            "t.id, CASE WHEN app.shows('amounts') THEN t.price END AS price, '|' AS visible_to";
        assert_eq!(select_list(PARTS), list);
    }

    #[test]
    fn an_update_leaves_out_what_is_written_once() {
        assert_eq!(
            written(PARTS, Writing::Insert),
            ["id", "price", "name_normalized"]
        );
        assert_eq!(
            written(PARTS, Writing::Update),
            ["price", "name_normalized"]
        );
    }

    #[test]
    fn sensitivity_is_found_wherever_it_is_declared() {
        assert_eq!(sensitivity(PARTS, "price"), Some(Sensitivity::Amounts));
        assert_eq!(sensitivity(PARTS, "methods"), Some(Sensitivity::Ways));
        assert_eq!(sensitivity(PARTS, "unheard_of"), None);
    }
}
