//! Judges what sockets got by what happened: whether it was all of it, once and in order, and how long it took.

use std::collections::{HashMap, HashSet};

use super::{happened::Happened, sample::Sample, writes::Write};
use crate::Outcome;

/// How long it took until events were there, in microseconds, one figure per event and socket.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    pub(super) since_asked: Vec<i64>,
    pub(super) since_commit: Vec<i64>,
    pub(super) faults: DeliveryFaults,
}

/// What went wrong, in events of sockets.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct DeliveryFaults {
    pub(super) lost: usize,
    pub(super) doubled: usize,
    /// Came after one with a higher number.
    pub(super) unordered: usize,
    /// Never happened.
    pub(super) made_up: usize,
}

impl DeliveryFaults {
    pub(super) fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.unordered += other.unordered;
        self.made_up += other.made_up;
    }

    pub(super) fn is_none(self) -> bool {
        self == Self::default()
    }
}

impl Delivery {
    pub(super) fn add(&mut self, other: Self) {
        self.since_asked.extend(other.since_asked);
        self.since_commit.extend(other.since_commit);
        self.faults.add(other.faults);
    }

    /// Of events with these numbers, each asked for and committed then.
    pub(super) fn judge(sent: &[Sent], sockets: &[Vec<Sample>]) -> Self {
        let places: HashMap<i64, &Sent> = sent.iter().map(|sent| (sent.seq, sent)).collect();
        let mut delivery = Self::default();
        for samples in sockets {
            delivery.faults.add(faults(&places, samples));
            for sample in samples {
                if let Some(sent) = places.get(&sample.seq) {
                    delivery.since_asked.push(sample.at - sent.asked);
                    delivery.since_commit.push(sample.at - sent.committed);
                }
            }
        }
        delivery
    }
}

/// An event that all are to receive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) seq: i64,
    pub(super) asked: i64,
    pub(super) committed: i64,
}

/// Finds the event of each write: a deal's moves were made one after the other, and so are its events.
///
/// # Errors
/// When a write left no event, or an event had no write.
pub(super) fn pair(happened: &[Happened], writes: &[Write]) -> Outcome<Vec<Sent>> {
    let mut waiting: HashMap<_, Vec<&Write>> = HashMap::new();
    for write in writes.iter().rev() {
        waiting.entry(write.deal).or_default().push(write);
    }
    let sent: Option<Vec<Sent>> = happened
        .iter()
        .map(|event| {
            let write = waiting.get_mut(&event.deal)?.pop()?;
            Some(Sent {
                seq: event.seq,
                asked: write.asked,
                // Never later than the answer, whatever the clocks say.
                committed: event.committed.min(write.answered),
            })
        })
        .collect();
    match sent {
        Some(sent) if sent.len() == writes.len() => Ok(sent),
        _ => Err(format!(
            "{} writes left {} events, not one each",
            writes.len(),
            happened.len()
        )
        .into()),
    }
}

fn faults(places: &HashMap<i64, &Sent>, samples: &[Sample]) -> DeliveryFaults {
    let mut faults = DeliveryFaults::default();
    let mut seen = HashSet::with_capacity(samples.len());
    let mut highest = i64::MIN;
    for sample in samples {
        if !places.contains_key(&sample.seq) {
            faults.made_up += 1;
        } else if !seen.insert(sample.seq) {
            faults.doubled += 1;
        } else if sample.seq < highest {
            faults.unordered += 1;
        }
        highest = highest.max(sample.seq);
    }
    faults.lost = places.len() - seen.len();
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(seqs: &[i64]) -> DeliveryFaults {
        let sent = [1, 2, 3].map(|seq| Sent {
            seq,
            asked: 0,
            committed: 5,
        });
        let samples = seqs.iter().map(|seq| Sample { seq: *seq, at: 7 });
        let delivery = Delivery::judge(&sent, &[samples.collect()]);
        assert!(delivery.since_commit.iter().all(|time| *time == 2));
        delivery.faults
    }

    #[test]
    fn losses_doubles_and_disorder_are_found() {
        assert!(judged(&[1, 2, 3]).is_none());
        let none = DeliveryFaults::default();
        assert_eq!(judged(&[1, 3]), DeliveryFaults { lost: 1, ..none });
        assert_eq!(judged(&[1, 2, 2, 3]), DeliveryFaults { doubled: 1, ..none });
        assert_eq!(
            judged(&[1, 3, 2]),
            DeliveryFaults {
                unordered: 1,
                ..none
            }
        );
        assert_eq!(judged(&[1, 2, 3, 4]), DeliveryFaults { made_up: 1, ..none });
    }
}
