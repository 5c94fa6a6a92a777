//! What a subscriber knows of one thing that it watches: where it is, what it received, and the board it shows.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use serde_json::{Value as Json, json};

use super::line::Wanted;
use crate::{
    Outcome,
    soak::{
        board::Board,
        history::{Received, Segment, Violation},
        kind::{SYNCED, known_word, uuid_of},
        sight::Watch,
    },
};

pub(crate) struct Track {
    pub(crate) watch: Watch,
    /// The field of the subscription, with its arguments but `after`.
    pub(crate) field: String,
    pub(crate) filter: Json,
    /// The board that is kept up to date by events.
    pub(crate) board: Option<Board>,
    pub(crate) segments: Vec<Segment>,
    pub(super) cursor: Option<String>,
    /// Up to where it has received all, for the final check, which waits for it.
    pub(crate) reached: Arc<AtomicI64>,
    pub(super) is_masked: bool,
}

impl Track {
    pub(super) fn wanted(&self, operation: u64) -> Wanted {
        let field = &self.field;
        let kind = self.watch.kind;
        let record = match kind.word() {
            "opportunity" => {
                "opportunity { id version name status archivedAt boardPosition stage { id } amount { amountMinor } }"
            }
            "company" => "company { id version }",
            "contact" => "contact { id version }",
            "lead" => "lead { id version }",
            _ => "activity { id version }",
        };
        let word = kind.word();
        let of = format!("{}{}Filter", word[..1].to_uppercase(), &word[1..]);
        let document = format!(
            "subscription($after: EventCursor, $filter: {of}) {{ {field} {{ kind cursor recordId version {record} }} }}"
        );
        Wanted {
            operation,
            document,
            variables: json!({ "after": self.cursor, "filter": self.filter }),
        }
    }

    /// Takes a message.
    pub(super) fn take(&mut self, payload: &Json) -> Result<(), Violation> {
        let name = self.watch.name.clone();
        let wrong = |what: &str| format!("{name} received {what}: {payload}");
        if payload.get("errors").is_some() {
            return Err(wrong("errors"));
        }
        let message = payload["data"]
            .as_object()
            .and_then(|data| data.values().next());
        let message = message.ok_or_else(|| wrong("nothing"))?;
        let cursor = message["cursor"]
            .as_str()
            .ok_or_else(|| wrong("no cursor"))?;
        let seq = place(cursor).ok_or_else(|| wrong("no number"))?;
        let word = message["kind"].as_str().and_then(known_word);
        let word = word.ok_or_else(|| wrong("another kind"))?;
        let record = &message[self.watch.kind.word()];
        let number = |value: &Json| value.as_i64().and_then(|value| i32::try_from(value).ok());
        if self.is_masked && record["amount"].is_object() {
            return Err(wrong("an amount"));
        }
        if self.cursor.is_none() {
            self.segments.push(Segment {
                start: seq,
                received: Vec::new(),
            });
        }
        self.cursor = Some(cursor.to_owned());
        if let Some(segment) = self.segments.last_mut() {
            segment.received.push(Received {
                seq,
                word,
                id: uuid_of(&message["recordId"]),
                version: number(&message["version"]),
                shown: number(&record["version"]),
            });
        }
        if let Some(board) = &mut self.board
            && word != SYNCED
        {
            board.apply(uuid_of(&message["recordId"]), record);
        }
        self.reached.fetch_max(seq, Ordering::Relaxed);
        Ok(())
    }

    /// Begins anew, and forgets what it knew.
    pub(super) fn forget(&mut self) {
        self.cursor = None;
        if let Some(board) = &mut self.board {
            board.clear();
        }
    }

    /// Begins with what a snapshot shows, at its place.
    pub(super) fn begin_at(&mut self, cursor: &str) -> Outcome<()> {
        let start = place(cursor).ok_or_else(|| format!("{cursor} is no cursor"))?;
        self.cursor = Some(cursor.to_owned());
        self.segments.push(Segment {
            start,
            received: Vec::new(),
        });
        Ok(())
    }
}

/// The number in a cursor. Clients have no business with it; a checker has.
pub(crate) fn place(cursor: &str) -> Option<i64> {
    cursor.rsplit_once('.')?.1.parse().ok()
}
