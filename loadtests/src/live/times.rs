//! Times of many deliveries, said in three figures.

/// Milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) min: f64,
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

impl Times {
    /// Of microseconds.
    pub(super) fn of(mut microseconds: Vec<i64>) -> Self {
        microseconds.sort_unstable();
        let at = |part: f64| {
            let place = (microseconds.len() as f64 * part) as usize;
            let place = place.min(microseconds.len().saturating_sub(1));
            let found = microseconds.get(place).copied();
            found.map_or(f64::NAN, |found| found as f64 / 1e3)
        };
        Self {
            min: at(0.0),
            p50: at(0.5),
            p99: at(0.99),
            max: at(1.0),
        }
    }

    /// The medians over rounds.
    pub(super) fn median(rounds: &[Self]) -> Self {
        let of =
            |figure: fn(&Self) -> f64| crate::report::median(rounds.iter().map(figure).collect());
        Self {
            min: of(|times| times.min),
            p50: of(|times| times.p50),
            p99: of(|times| times.p99),
            max: of(|times| times.max),
        }
    }

    /// p50, p99 and the longest.
    pub(super) fn said(&self) -> String {
        format!("{:.1} / {:.1} / {:.1}", self.p50, self.p99, self.max)
    }

    /// How many times as long as others.
    pub(super) fn beside(&self, other: &Self) -> String {
        format!("{:.2} / {:.2}", self.p50 / other.p50, self.p99 / other.p99)
    }
}
