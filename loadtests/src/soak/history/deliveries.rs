//! What the receiver of an endpoint got against what it should have got: everything that the rights of whoever set it up
//! show, at least once, for each record in order; and against the ledger of what was sent.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{Event, Received, Violation};
use crate::soak::{
    kind::Kind,
    sight::{Expected, Watch},
};

/// A delivery as it arrived whole, rightly signed.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    /// What it is called by `webhook-id`.
    pub(crate) id: String,
    /// Of its bytes.
    pub(crate) digest: [u8; 32],
    pub(crate) message: Message,
    /// Whether it was answered that it need not come again, be that heard or not.
    pub(crate) is_taken: bool,
}

/// What it says.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) tenant: Option<Uuid>,
    /// Its `type`.
    pub(crate) of: String,
    pub(crate) said: Received,
}

/// What the server has noted of a delivery.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) status: String,
    /// How often it was sent, by its own count.
    pub(crate) attempts: i64,
    /// Attempts that are noted one by one, and those of them that were taken.
    pub(crate) noted: i64,
    pub(crate) delivered: i64,
}

/// What an endpoint was sent, followed through the log.
pub(crate) struct Deliveries {
    /// Names the endpoint, and says who sees what.
    watches: Vec<Watch>,
    tenant: Uuid,
    /// In the order in which they came.
    arrivals: Vec<Arrival>,
    /// Their places by the event that they are of.
    by_event: HashMap<i64, Vec<usize>>,
    /// Of each record: the last event that was to arrive, and where it was taken first.
    last: HashMap<(Kind, Uuid), (i64, usize)>,
    /// Ids of the events so far.
    ids: HashMap<String, i64>,
    ledger: Vec<Entry>,
    violations: Vec<Violation>,
}

impl Deliveries {
    pub(crate) fn new(
        watches: Vec<Watch>,
        tenant: Uuid,
        arrivals: Vec<Arrival>,
        ledger: Vec<Entry>,
    ) -> Self {
        let mut by_event: HashMap<i64, Vec<usize>> = HashMap::new();
        for (place, arrival) in arrivals.iter().enumerate() {
            let places = by_event.entry(arrival.message.said.seq).or_default();
            places.push(place);
        }
        Self {
            watches,
            tenant,
            arrivals,
            by_event,
            last: HashMap::new(),
            ids: HashMap::new(),
            ledger,
            violations: Vec::new(),
        }
    }

    /// How many came that had come before.
    pub(crate) fn repeated(&self) -> usize {
        let ids: HashSet<_> = self.arrivals.iter().map(|arrival| &arrival.id).collect();
        self.arrivals.len() - ids.len()
    }

    /// Takes the next event. Endpoints are there before anything that they follow has happened.
    pub(crate) fn take(&mut self, event: &Event) {
        let places = self.by_event.remove(&event.seq).unwrap_or_default();
        let mut expected = self.watches.iter().map(|watch| watch.expects(event));
        let expected = expected.find(|expected| *expected != Expected::Nothing);
        match (expected.unwrap_or(Expected::Nothing), &places[..]) {
            (Expected::Nothing | Expected::Unknown, []) => {}
            (Expected::Notification(word), []) => {
                self.complain(format!("did not get {word} of {event}"));
            }
            (Expected::Nothing, [first, ..]) => {
                let got = format!("{:?}", self.arrivals[*first]);
                self.complain(format!("got {got}, which is not theirs to know: {event}"));
            }
            (expected, [first, ..]) => {
                let word = match expected {
                    Expected::Notification(word) => Some(word),
                    _ => None,
                };
                for place in &places {
                    self.compare((*place, *first), word, event);
                }
                self.name(*first, event);
                self.order(&places, event);
            }
        }
    }

    pub(crate) fn finish(mut self) -> Vec<Violation> {
        let others = self.by_event.values().flatten().min();
        if let Some(place) = others {
            let got = format!("{:?}", self.arrivals[*place]);
            self.complain(format!("got {got}, which did not happen"));
        }
        let mut came: HashMap<&str, (i64, i64)> = HashMap::new();
        for arrival in &self.arrivals {
            let (times, taken) = came.entry(&arrival.id).or_default();
            *times += 1;
            *taken += i64::from(arrival.is_taken);
        }
        let mut wrong = Vec::new();
        for entry in &self.ledger {
            let (times, taken) = came.remove(&*entry.id).unwrap_or_default();
            let what = entry.contradicts(times, taken);
            wrong
                .extend(what.map(|what| format!("{what}: {entry:?}, which arrived {times} times")));
        }
        wrong.extend(
            came.keys()
                .map(|id| format!("got {id}, which is not noted")),
        );
        wrong.into_iter().for_each(|what| self.complain(what));
        self.violations
    }

    fn complain(&mut self, what: String) {
        let name = self.watches.first().map_or("nobody", |watch| &watch.name);
        self.violations.push(format!("{name}: {what}"));
    }

    /// Holds what came against the event, and against what came of it first.
    fn compare(&mut self, (place, first): (usize, usize), word: Option<&str>, event: &Event) {
        let (arrival, first) = (&self.arrivals[place], &self.arrivals[first]);
        let Message {
            tenant, of, said, ..
        } = &arrival.message;
        let kind = event.kind.map_or("other", Kind::word);
        let what = if *tenant != Some(self.tenant) {
            Some("of another tenant")
        } else if word.is_some_and(|word| word != said.word) {
            Some("with another word")
        } else if *of != format!("{kind}.{}", said.word.to_lowercase()) {
            Some("with another type")
        } else if arrival.id != first.id {
            Some("under another id than before")
        } else if arrival.digest != first.digest {
            Some("in other bytes than before")
        } else {
            said.misleads(event)
        };
        if let Some(what) = what {
            let got = format!("{arrival:?}");
            self.complain(format!("got {got} {what}: {event}"));
        }
    }

    /// Different events have different ids.
    fn name(&mut self, place: usize, event: &Event) {
        let id = self.arrivals[place].id.clone();
        if let Some(other) = self.ids.insert(id, event.seq) {
            self.complain(format!("got {event} under the id of event {other}"));
        }
    }

    /// Nothing of a record comes before what happened to it earlier was taken.
    fn order(&mut self, places: &[usize], event: &Event) {
        let Some(record) = event.kind.map(|kind| (kind, event.id)) else {
            return;
        };
        let mut taken = places
            .iter()
            .filter(|place| self.arrivals[**place].is_taken);
        let Some(taken) = taken.next().copied() else {
            return self.complain(format!("never took {event}, and that is over"));
        };
        let last = self.last.insert(record, (event.seq, taken));
        if let Some((earlier, taken)) = last
            && places.iter().any(|place| *place < taken)
        {
            self.complain(format!("got {event} before it had taken event {earlier}"));
        }
    }
}

impl Entry {
    /// What is wrong when it arrived and was taken so many times.
    fn contradicts(&self, times: i64, taken: i64) -> Option<&'static str> {
        if self.status != "DELIVERED" {
            return Some("all is over, and it is not delivered");
        }
        if self.noted != self.attempts {
            return Some("not each attempt is noted");
        }
        if self.delivered != 1 {
            return Some("it is not noted once that it was taken");
        }
        if times > self.attempts {
            return Some("it arrived more often than it was sent");
        }
        (taken < self.delivered).then_some("it is noted to be taken, and was not")
    }
}
