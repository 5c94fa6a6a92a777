//! What a subscriber received against what it should have received: everything that its rights show, once, in order.

use uuid::Uuid;

use super::{Event, Violation};
use crate::soak::{
    kind::SYNCED,
    sight::{Expected, Watch},
};

/// A message that a subscriber received.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) seq: i64,
    pub(crate) word: &'static str,
    pub(crate) id: Option<Uuid>,
    pub(crate) version: Option<i32>,
    /// The version of the record that came with it.
    pub(crate) shown: Option<i32>,
}

/// What a subscriber received without having begun anew.
#[derive(Debug, Clone, Default)]
pub(crate) struct Segment {
    /// It began after this event.
    pub(crate) start: i64,
    pub(crate) received: Vec<Received>,
}

impl Segment {
    /// It is known to have received all up to here.
    pub(crate) fn reached(&self) -> i64 {
        self.received.last().map_or(self.start, |last| last.seq)
    }
}

/// A subscriber, followed through the log.
pub(crate) struct Followed {
    pub(crate) watch: Watch,
    pub(crate) segments: Vec<Segment>,
    /// The segment and the message that come next.
    at: (usize, usize),
}

impl Followed {
    pub(crate) fn new(watch: Watch, segments: Vec<Segment>) -> Self {
        Self {
            watch,
            segments,
            at: (0, 0),
        }
    }

    /// What is wrong with the order alone.
    pub(super) fn disorder(&self) -> Option<Violation> {
        let name = &self.watch.name;
        for segment in &self.segments {
            let mut last = segment.start;
            for message in &segment.received {
                let is_in_order = match message.word {
                    SYNCED => message.seq >= last,
                    _ => message.seq > last,
                };
                if !is_in_order {
                    return Some(format!(
                        "{name} received {message:?} after all up to {last}"
                    ));
                }
                last = message.seq;
            }
        }
        None
    }

    pub(super) fn take(&mut self, event: &Event) -> Option<Violation> {
        let unasked = self.move_to(event.seq);
        let (segment, next) = self.at;
        let Some(segment) = self
            .segments
            .get(segment)
            .filter(|now| now.start < event.seq)
        else {
            return unasked;
        };
        let message = segment
            .received
            .get(next)
            .filter(|message| message.seq == event.seq);
        let name = &self.watch.name;
        let violation = match (self.watch.expects(event), message) {
            (Expected::Nothing | Expected::Unknown, None) => None,
            (Expected::Nothing, Some(message)) => Some(format!(
                "{name} received {message:?}, which is not theirs to know: {event}"
            )),
            (Expected::Notification(word), None) => Some(format!(
                "{name} did not receive {word} of {event}; next was {:?}",
                segment.received.get(next)
            )),
            (Expected::Notification(word), Some(message)) if message.word != word => Some(format!(
                "{name} received {message:?} instead of {word} of {event}"
            )),
            (_, Some(message)) => message
                .misleads(event)
                .map(|what| format!("{name} received {message:?} {what} of {event}")),
        };
        self.at.1 += usize::from(message.is_some());
        unasked.or(violation)
    }

    pub(super) fn finish(mut self) -> Option<Violation> {
        self.move_to(i64::MAX)
    }

    /// Goes past messages of no event, and to the segment that covers an event.
    fn move_to(&mut self, seq: i64) -> Option<Violation> {
        let mut violation = None;
        while let Some(segment) = self.segments.get(self.at.0) {
            match segment.received.get(self.at.1) {
                Some(message) if message.word == SYNCED && message.seq <= seq => self.at.1 += 1,
                Some(message) if message.seq < seq => {
                    let name = &self.watch.name;
                    violation = Some(format!(
                        "{name} received {message:?}, which did not happen then"
                    ));
                    self.at.1 += 1;
                }
                Some(_) => break,
                None if segment.reached() < seq => self.at = (self.at.0 + 1, 0),
                None => break,
            }
        }
        violation
    }
}

impl Received {
    pub(super) fn misleads(&self, event: &Event) -> Option<&'static str> {
        if self.id != Some(event.id) {
            return Some("with another record");
        }
        if self.word != "LEFT_VIEW" && self.version != Some(event.version) {
            return Some("with another version");
        }
        let is_stale = self.shown.is_some_and(|shown| shown < event.version);
        is_stale.then_some("with the record as it was before")
    }
}
