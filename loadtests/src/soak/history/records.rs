//! The life of each record in the log, without a lost update: every version follows from the one before it, and the
//! last one is what is stored.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Event, Violation};
use crate::soak::{kind::Kind, sight::Row};

/// A record as the database has it.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) kind: Kind,
    pub(crate) id: Uuid,
    pub(crate) version: i32,
    pub(crate) mark: String,
    pub(crate) visible_to: String,
    pub(crate) is_archived: bool,
}

/// What an event need not have found as the one before left it: that a deal's people changed is said anew each time, and
/// what an activity is about goes with those records when they are deleted.
const LOOSE: [&str; 2] = ["people", "target_ids"];

#[derive(Default)]
pub(super) struct Records(HashMap<(Kind, Uuid), State>);

enum State {
    There(Last),
    Gone,
}

struct Last {
    seq: i64,
    version: i32,
    row: Row,
    visible_to: Option<String>,
    request: String,
}

impl Records {
    pub(super) fn take(&mut self, event: &Event) -> Option<Violation> {
        let kind = event.kind?;
        let violation = match self.0.get(&(kind, event.id)) {
            None => begins(event),
            Some(State::Gone) => Some(format!("{event} is of a record that was deleted")),
            Some(State::There(last)) => last.leads_to(event),
        };
        let state = match event.visible_after {
            None => State::Gone,
            Some(_) => State::There(Last {
                seq: event.seq,
                version: event.version,
                row: event.row.clone(),
                visible_to: event.visible_after.clone(),
                request: event.request.clone(),
            }),
        };
        self.0.insert((kind, event.id), state);
        violation
    }

    pub(super) fn finish(mut self, stored: Vec<Stored>) -> Vec<Violation> {
        let mut violations = Vec::new();
        for row in stored {
            match self.0.remove(&(row.kind, row.id)) {
                Some(State::There(last)) if last.is(&row) => {}
                Some(State::There(last)) => violations.push(format!(
                    "{row:?} is stored, and event {} left version {} for {:?}: {:?}",
                    last.seq, last.version, last.visible_to, last.row
                )),
                Some(State::Gone) => {
                    violations.push(format!("{row:?} is stored after it was deleted"))
                }
                None => violations.push(format!("{row:?} is stored without an event")),
            }
        }
        for ((kind, id), state) in self.0 {
            if let State::There(Last { seq, version, .. }) = state {
                let id = kind.id(id);
                violations.push(format!(
                    "{id} is not stored, event {seq} left it at version {version}"
                ));
            }
        }
        violations
    }
}

fn begins(event: &Event) -> Option<Violation> {
    let is_beginning =
        event.word == "CREATED" && event.version == 1 && event.visible_before.is_none();
    (!is_beginning).then(|| format!("{event} is the first of its record"))
}

impl Last {
    fn leads_to(&self, event: &Event) -> Option<Violation> {
        let step = i32::from(!event.is_followed());
        if event.word == "CREATED" || event.version != self.version + step {
            let (seq, version) = (self.seq, self.version);
            return Some(format!(
                "{event} follows event {seq} that left version {version}"
            ));
        }
        if event.visible_before != self.visible_to {
            let (seq, seen) = (self.seq, &self.visible_to);
            return Some(format!(
                "{event} follows event {seq} after which it was seen by {seen:?}"
            ));
        }
        // A transaction may log what followed on the way, and then of its change since it began.
        if event.request == self.request {
            return None;
        }
        let before = event.row_before();
        let lost = before
            .iter()
            .filter(|(column, _)| !LOOSE.contains(&column.as_str()))
            .find(|(column, value)| self.row.get(*column).is_some_and(|last| last != *value));
        lost.map(|(column, value)| {
            let (seq, last) = (self.seq, &self.row[column]);
            format!("{event} found {column} to be {value}, event {seq} had left {last}: an update is lost")
        })
    }

    fn is(&self, stored: &Stored) -> bool {
        let mark = self
            .row
            .get(stored.kind.mark())
            .and_then(|mark| mark.as_str());
        let is_archived = self.row.get("archived_at").is_some_and(|at| !at.is_null());
        self.version == stored.version
            && mark == Some(&stored.mark)
            && self.visible_to.as_deref() == Some(&stored.visible_to)
            && is_archived == stored.is_archived
    }
}
