//! What writers were answered against what the log has: by the name of their request, which the log keeps.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use uuid::Uuid;

use super::{Event, Violation};
use crate::soak::kind::Kind;

/// A request that writes.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) request: String,
    /// The mutation.
    pub(crate) act: &'static str,
    /// The record; none for what is no record of a kind that is watched.
    pub(crate) of: Option<(Kind, Uuid)>,
    /// The version it was to be at before.
    pub(crate) expected: Option<i32>,
    /// The text that it leaves in the record.
    pub(crate) mark: Option<String>,
    pub(crate) ending: Ending,
    /// When it was sent and answered, since the beginning.
    pub(crate) at: (Duration, Duration),
}

/// How a request ended for its writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It was acknowledged, with the record's version where the writer could see it.
    Done(Option<i32>),
    /// It was done by a server that died, and another one answered with the version that the record had by then.
    Rebuilt(Option<i32>),
    /// It was done by a server that died, and there was nothing left to answer with.
    Lost,
    Refused(String),
    /// The writer does not know.
    Unknown(String),
}

pub(super) struct Writes {
    by_request: HashMap<String, (Write, Found)>,
    created: HashSet<Uuid>,
    deleted: HashSet<Uuid>,
}

/// The events of a request.
#[derive(Default)]
struct Found {
    last: Option<i64>,
    /// Those that are the change that was asked for; its version and text.
    own: Vec<(i32, Option<String>)>,
}

impl Writes {
    pub(super) fn new(writes: Vec<Write>) -> Self {
        let named = writes
            .into_iter()
            .map(|write| (write.request.clone(), (write, Found::default())));
        Self {
            by_request: named.collect(),
            created: HashSet::new(),
            deleted: HashSet::new(),
        }
    }

    pub(super) fn take(&mut self, event: &Event) -> Option<Violation> {
        let Some((write, found)) = self.by_request.get_mut(&event.request) else {
            return Some(format!("nobody asked for {event}"));
        };
        if let Ending::Refused(why) = &write.ending {
            return Some(format!("{event} was refused with {why}: {write:?}"));
        }
        let last = found.last.replace(event.seq);
        if last.is_some_and(|last| last + 1 != event.seq) {
            return Some(format!(
                "{event} stands apart from {last:?} of the same transaction"
            ));
        }
        if event.word == "CREATED" {
            self.created.insert(event.id);
        }
        if event.word == "DELETED" {
            self.deleted.insert(event.id);
        }
        let is_own = write.of.is_some_and(|(kind, id)| event.is_of(kind, id));
        if is_own && !event.is_followed() {
            found
                .own
                .push((event.version, event.mark().map(str::to_owned)));
        }
        None
    }

    pub(super) fn finish(self) -> Vec<Violation> {
        let judged = self.by_request.values();
        judged
            .filter_map(|(write, found)| self.judge(write, found))
            .collect()
    }

    fn judge(&self, write: &Write, found: &Found) -> Option<Violation> {
        let (_, id) = write.of?;
        let wrong = |what: &str| Some(format!("{what}: {write:?}, logged as {:?}", found.own));
        if found.own.len() > 1 {
            return wrong("a write was done twice");
        }
        let is_creation = write.act.ends_with("Create");
        let Some((version, mark)) = found.own.first() else {
            return match write.ending {
                // It was there already, by an attempt whose answer was lost.
                Ending::Done(_) if is_creation && self.created.contains(&id) => None,
                // There was nothing to do.
                Ending::Done(version) if version.is_some() && version == write.expected => None,
                Ending::Done(_) | Ending::Rebuilt(_) | Ending::Lost => {
                    wrong("an acknowledged write has no event")
                }
                Ending::Refused(_) | Ending::Unknown(_) => None,
            };
        };
        if write.mark.is_some() && write.mark != *mark {
            return wrong("a write left another text");
        }
        if write
            .expected
            .is_some_and(|expected| expected + 1 != *version)
        {
            return wrong("a write was not made upon the version that it was meant for");
        }
        match write.ending {
            Ending::Done(Some(answered)) if !is_creation && answered != *version => {
                wrong("a write was answered with another version")
            }
            Ending::Rebuilt(Some(answered)) if answered < *version => {
                wrong("a rebuilt answer shows the record from before the write")
            }
            Ending::Lost if !self.deleted.contains(&id) => {
                wrong("the answer was lost of a record that is there")
            }
            _ => None,
        }
    }
}
