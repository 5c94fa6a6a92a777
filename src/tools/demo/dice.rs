//! Chance that always falls alike: dice seeded by the id of the record they are thrown for.

use chrono::{DateTime, Days, NaiveDate, Utc};
use uuid::Uuid;

use crate::data::import::maven::instant;

/// Dice for one record.
pub(super) struct Dice(fastrand::Rng);

impl Dice {
    pub(super) fn of(id: Uuid) -> Self {
        let (high, low) = id.as_u64_pair();
        Self(fastrand::Rng::with_seed(high ^ low.rotate_left(32)))
    }

    /// True so many times out of a hundred.
    pub(super) fn chance(&mut self, percent: u8) -> bool {
        self.0.u8(0..100) < percent
    }

    /// A number within bounds, both included.
    pub(super) fn number(&mut self, low: u32, high: u32) -> u32 {
        self.0.u32(low..=high)
    }

    /// One of these; they must not be empty.
    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.0.usize(0..from.len())]
    }

    /// One of these, each as likely as its weight is large.
    pub(super) fn weighted<T: Copy>(&mut self, from: &[(u32, T)]) -> T {
        let mut rest = self.0.u32(0..from.iter().map(|(weight, _)| weight).sum());
        for (weight, value) in from {
            if rest < *weight {
                return *value;
            }
            rest -= weight;
        }
        from[0].1
    }

    /// A quarter of an hour of a working day.
    pub(super) fn office_hour(&mut self, date: NaiveDate) -> DateTime<Utc> {
        instant(date, self.number(8, 16))
            + chrono::TimeDelta::minutes(i64::from(self.number(0, 3)) * 15)
    }

    /// A working hour of a day between two others, both included.
    pub(super) fn moment(&mut self, from: NaiveDate, to: NaiveDate) -> DateTime<Utc> {
        let days = u32::try_from((to - from).num_days()).unwrap_or(0);
        let date = from
            .checked_add_days(Days::new(self.number(0, days).into()))
            .unwrap_or(from);
        self.office_hour(date)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_fall_alike_for_the_same_record() {
        let throw = |id| {
            let mut dice = Dice::of(id);
            [dice.number(1, 1_000_000), dice.number(1, 1_000_000)]
        };
        assert_eq!(throw(Uuid::from_u128(7)), throw(Uuid::from_u128(7)));
        assert_ne!(throw(Uuid::from_u128(7)), throw(Uuid::from_u128(8)));
    }

    #[test]
    fn weights_count() {
        let mut dice = Dice::of(Uuid::from_u128(1));
        assert!((0..100).all(|_| dice.weighted(&[(0, 'a'), (3, 'b')]) == 'b'));
        let first = (0..1_000)
            .filter(|_| dice.weighted(&[(3, true), (1, false)]))
            .count();
        assert!((650..850).contains(&first), "{first}");
    }
}
