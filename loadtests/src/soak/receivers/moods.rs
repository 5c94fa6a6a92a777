//! How a receiver answers: nearly always well.

use std::time::Duration;

use hyper::StatusCode;

use crate::receiver::Reply;

/// A receiver's bad moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Fails,
    IsAway,
    IsSlow,
    Cuts,
}

/// By the thousand of what comes. What fails waits for 5 s and then for a minute and more, and an endpoint that is away gets
/// nothing for 5 s, so that a soak of a minute would hardly get anywhere if these were more.
const CHANCES: [(Mood, u16); 4] = [
    (Mood::Fails, 4),
    (Mood::IsAway, 1),
    (Mood::IsSlow, 4),
    (Mood::Cuts, 1),
];

pub(super) struct Moods {
    dice: fastrand::Rng,
    /// Those that it has not had: each comes once before any comes again.
    first: Vec<Mood>,
}

impl Moods {
    pub(super) fn new(mut dice: fastrand::Rng) -> Self {
        let mut first: Vec<_> = CHANCES.iter().map(|(mood, _)| *mood).collect();
        dice.shuffle(&mut first);
        Self { dice, first }
    }

    pub(super) fn reply(&mut self) -> Reply {
        let mood = match self.first.is_empty() {
            false if self.dice.u8(..20) == 0 => self.first.pop(),
            false => None,
            true => self.any(),
        };
        match mood {
            None => Reply::Now(StatusCode::NO_CONTENT),
            Some(Mood::Fails) => Reply::Now(StatusCode::INTERNAL_SERVER_ERROR),
            Some(Mood::IsAway) => Reply::Now(StatusCode::SERVICE_UNAVAILABLE),
            Some(Mood::IsSlow) => {
                let pause = Duration::from_millis(self.dice.u64(1_000..3_000));
                Reply::After(pause, StatusCode::NO_CONTENT)
            }
            Some(Mood::Cuts) => Reply::Cut,
        }
    }

    fn any(&mut self) -> Option<Mood> {
        let mut thrown = self.dice.u16(..1_000);
        CHANCES.iter().find_map(|(mood, chance)| {
            let is_it = thrown < *chance;
            thrown = thrown.saturating_sub(*chance);
            is_it.then_some(*mood)
        })
    }
}
