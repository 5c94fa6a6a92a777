//! The history checker: holds what writers were answered, what the log has and what subscribers and receivers of webhooks received
//! against each other. Nothing in here reads a clock, a socket or a database.

pub(crate) mod deliveries;
pub(crate) mod followers;
pub(crate) mod records;
#[cfg(test)]
mod tests;
pub(crate) mod writes;

use serde_json::Value as Json;
use uuid::Uuid;

use super::{kind::Kind, sight::Row};
pub(crate) use {
    deliveries::{Arrival, Deliveries, Entry, Message},
    followers::{Followed, Received, Segment},
    records::Stored,
    writes::{Ending, Write},
};

/// What must not be, in one sentence with its context.
pub(crate) type Violation = String;

/// An event as the log has it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Event {
    pub(crate) seq: i64,
    /// None for what is no record, such as a member.
    pub(crate) kind: Option<Kind>,
    pub(crate) id: Uuid,
    /// What happened, as the log words it.
    pub(crate) word: String,
    pub(crate) version: i32,
    pub(crate) changed: Vec<String>,
    /// None when the old values are not known.
    pub(crate) before: Option<Row>,
    pub(crate) row: Row,
    pub(crate) visible_before: Option<String>,
    pub(crate) visible_after: Option<String>,
    /// The request that it comes from.
    pub(crate) request: String,
}

impl Event {
    /// The row before, as far as it is known.
    pub(crate) fn row_before(&self) -> Row {
        let mut row = self.row.clone();
        for column in &self.changed {
            row.remove(column);
        }
        row.extend(self.before.clone().unwrap_or_default());
        row
    }

    /// Whether it is what followed for the record from a change to another one, which is no change of its own.
    pub(crate) fn is_followed(&self) -> bool {
        self.word == "UPDATED" && self.before.is_none()
    }

    pub(crate) fn is_of(&self, kind: Kind, id: Uuid) -> bool {
        self.kind == Some(kind) && self.id == id
    }

    pub(crate) fn mark(&self) -> Option<&str> {
        self.row.get(self.kind?.mark()).and_then(Json::as_str)
    }
}

impl std::fmt::Display for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = self.kind.map_or("other", Kind::word);
        write!(
            f,
            "event {} ({} {kind}:{} to version {} by request {}, seen by {:?} and then {:?})",
            self.seq,
            self.word,
            self.id,
            self.version,
            self.request,
            self.visible_before,
            self.visible_after
        )
    }
}

/// A tenant's history, taken in event by event.
pub(crate) struct History {
    writes: writes::Writes,
    records: records::Records,
    followed: Vec<Followed>,
    last: i64,
    pub(crate) violations: Vec<Violation>,
}

impl History {
    pub(crate) fn new(writes: Vec<Write>, followed: Vec<Followed>) -> Self {
        let mut violations = Vec::new();
        for one in &followed {
            violations.extend(one.disorder());
        }
        Self {
            writes: writes::Writes::new(writes),
            records: records::Records::default(),
            followed,
            last: 0,
            violations,
        }
    }

    /// Takes the next event.
    pub(crate) fn take(&mut self, event: &Event) {
        if event.seq != self.last + 1 {
            let last = self.last;
            self.violations
                .push(format!("the log has {event} right after event {last}"));
        }
        self.last = event.seq;
        self.violations.extend(self.writes.take(event));
        self.violations.extend(self.records.take(event));
        for one in &mut self.followed {
            self.violations.extend(one.take(event));
        }
    }

    /// Takes the end: how far the tenant's counter is, and what is stored.
    pub(crate) fn finish(mut self, counter: i64, stored: Vec<Stored>) -> Vec<Violation> {
        if self.last != counter {
            let last = self.last;
            self.violations.push(format!(
                "the log ends with event {last}, its counter is at {counter}"
            ));
        }
        self.violations.extend(self.writes.finish());
        self.violations.extend(self.records.finish(stored));
        for one in self.followed {
            self.violations.extend(one.finish());
        }
        self.violations
    }
}
