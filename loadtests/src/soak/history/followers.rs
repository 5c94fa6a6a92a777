//! What a subscriber was told against what it should have been: everything that its rights show, once, in order.

use uuid::Uuid;

use super::{Event, Violation};
use crate::soak::{
    kind::SYNCED,
    sight::{Expected, Watch},
};

/// What a subscriber was told of one thing.
#[derive(Debug, Clone)]
pub(crate) struct Telling {
    pub(crate) seq: i64,
    pub(crate) word: &'static str,
    pub(crate) id: Option<Uuid>,
    pub(crate) version: Option<i32>,
    /// The version of the record that came with it.
    pub(crate) shown: Option<i32>,
}

/// What a subscriber was told without having begun anew.
#[derive(Debug, Clone, Default)]
pub(crate) struct Segment {
    /// It began after this event.
    pub(crate) start: i64,
    pub(crate) tellings: Vec<Telling>,
}

impl Segment {
    /// It is known to have been told all up to here.
    pub(crate) fn reached(&self) -> i64 {
        self.tellings.last().map_or(self.start, |last| last.seq)
    }
}

/// A subscriber, followed through the log.
pub(crate) struct Followed {
    pub(crate) watch: Watch,
    pub(crate) segments: Vec<Segment>,
    /// The segment and the telling that come next.
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
            for telling in &segment.tellings {
                let is_in_order = match telling.word {
                    SYNCED => telling.seq >= last,
                    _ => telling.seq > last,
                };
                if !is_in_order {
                    return Some(format!(
                        "{name} was told {telling:?} after all up to {last}"
                    ));
                }
                last = telling.seq;
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
        let told = segment
            .tellings
            .get(next)
            .filter(|told| told.seq == event.seq);
        let name = &self.watch.name;
        let violation = match (self.watch.expects(event), told) {
            (Expected::Nothing | Expected::Unknown, None) => None,
            (Expected::Nothing, Some(told)) => Some(format!(
                "{name} was told {told:?}, which is not theirs to know: {event}"
            )),
            (Expected::Told(word), None) => Some(format!(
                "{name} was not told {word} of {event}; next was {:?}",
                segment.tellings.get(next)
            )),
            (Expected::Told(word), Some(told)) if told.word != word => Some(format!(
                "{name} was told {told:?} instead of {word} of {event}"
            )),
            (_, Some(told)) => told
                .misleads(event)
                .map(|what| format!("{name} was told {told:?} {what} of {event}")),
        };
        self.at.1 += usize::from(told.is_some());
        unasked.or(violation)
    }

    pub(super) fn finish(mut self) -> Option<Violation> {
        self.move_to(i64::MAX)
    }

    /// Goes past what was told of no event, and to the segment that covers an event.
    fn move_to(&mut self, seq: i64) -> Option<Violation> {
        let mut violation = None;
        while let Some(segment) = self.segments.get(self.at.0) {
            match segment.tellings.get(self.at.1) {
                Some(telling) if telling.word == SYNCED && telling.seq <= seq => self.at.1 += 1,
                Some(telling) if telling.seq < seq => {
                    let name = &self.watch.name;
                    violation = Some(format!(
                        "{name} was told {telling:?}, which did not happen then"
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

impl Telling {
    fn misleads(&self, event: &Event) -> Option<&'static str> {
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
