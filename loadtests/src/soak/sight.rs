//! What a watcher is to receive of an event, worked out anew from the log: the row scopes of the built-in roles, and
//! filters on single columns. It shares nothing with the server's own way of finding that out.

use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{
    history::Event,
    kind::{Kind, known_word, uuid},
};

pub(crate) type Row = Map<String, Json>;

/// Which rows a member sees.
#[derive(Debug, Clone)]
pub(crate) struct Sight {
    pub(crate) user: Uuid,
    pub(crate) scope: Scope,
}

#[derive(Debug, Clone)]
pub(crate) enum Scope {
    /// All rows.
    All,
    /// Those of a team, by its path; all companies and contacts.
    Team(String),
    /// The own rows; all companies and contacts.
    Own,
}

impl Sight {
    fn sees(&self, kind: Kind, visible_to: Option<&str>) -> bool {
        let Some(visible_to) = visible_to else {
            return false;
        };
        let is_own = visible_to.contains(&format!("|u:{}|", self.user));
        match (&self.scope, kind) {
            (Scope::All, _) | (_, Kind::Company | Kind::Contact) => true,
            (Scope::Team(path), _) => is_own || visible_to.contains(&format!("|{path}")),
            (Scope::Own, _) => is_own,
        }
    }
}

/// A condition on the columns of a row.
#[derive(Debug, Clone)]
pub(crate) enum Filter {
    Is(&'static str, Vec<String>),
    /// A reference to a record.
    Refers(&'static str, Uuid),
    AtLeast(&'static str, i64),
    StartsWith(&'static str, &'static str),
    Both(Box<Filter>, Box<Filter>),
    /// The row alone does not decide it.
    Unknowable,
}

impl Filter {
    fn judge(&self, row: &Row) -> Option<bool> {
        let text = |column: &str| Some(row.get(column)?.as_str().unwrap_or_default());
        match self {
            Self::Is(column, words) => Some(words.iter().any(|word| text(column) == Some(word))),
            Self::Refers(column, id) => Some(text(column).and_then(uuid) == Some(*id)),
            Self::AtLeast(column, least) => {
                let value = row.get(*column)?;
                Some(value.as_i64().is_some_and(|value| value >= *least))
            }
            Self::StartsWith(column, start) => text(column).map(|text| text.starts_with(start)),
            Self::Both(one, other) => match (one.judge(row), other.judge(row)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (one, other) => Some(one? && other?),
            },
            Self::Unknowable => None,
        }
    }
}

/// What is watched, by whom.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    /// Names it in reports.
    pub(crate) name: String,
    pub(crate) sight: Sight,
    pub(crate) kind: Kind,
    pub(crate) filter: Option<Filter>,
}

/// What is to be sent of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    Nothing,
    Notification(&'static str),
    /// It depends on other rows.
    Unknown,
}

impl Watch {
    pub(crate) fn expects(&self, event: &Event) -> Expected {
        if event.kind != Some(self.kind) {
            return Expected::Nothing;
        }
        let meets = |row: &Row| match &self.filter {
            Some(filter) => filter.judge(row),
            None => Some(true),
        };
        let sees = |visible_to: &Option<String>| self.sight.sees(self.kind, visible_to.as_deref());
        let was = match sees(&event.visible_before) {
            true => meets(&event.row_before()),
            false => Some(false),
        };
        let is = match sees(&event.visible_after) {
            true => meets(&event.row),
            false => Some(false),
        };
        let (Some(was), Some(is)) = (was, is) else {
            return Expected::Unknown;
        };
        let word = match (was, is) {
            (false, false) => return Expected::Nothing,
            (true, true) => event.word.as_str(),
            (false, true) if event.visible_before.is_some() => "ENTERED_VIEW",
            (false, true) => event.word.as_str(),
            (true, false) if event.visible_after.is_some() => "LEFT_VIEW",
            (true, false) => "DELETED",
        };
        known_word(word).map_or(Expected::Unknown, Expected::Notification)
    }
}
