//! Places on a board: texts that sort byte by byte and between any two of which there is always another one,
//! so that moving a card writes one row (fractional indexing).

use chrono::{DateTime, Utc};
use uuid::Uuid;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE: u64 = 62;
/// Longer places are not given out; a board is renumbered long before.
pub(super) const MAX_PLACE: usize = 200;

/// A place after all that were given out before `at`: the instant, and some of the id to tell equal ones apart.
pub(super) fn at_end(at: DateTime<Utc>, id: Uuid) -> String {
    let micros = u64::try_from(at.timestamp_micros()).unwrap_or(0);
    let mut place: Vec<u8> = encode(micros, 10)
        .into_iter()
        .chain(encode(id.as_u64_pair().1 % BASE.pow(4), 4))
        .collect();
    // A place never ends in zero: there would be nothing between it and the same one without the zero.
    place.push(b'V');
    String::from_utf8(place).expect("digits are ASCII")
}

fn encode(mut number: u64, width: usize) -> Vec<u8> {
    let mut digits = vec![b'0'; width];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(number % BASE) as usize];
        number /= BASE;
    }
    digits
}

/// A place between two others; `None` is the respective end of the board. The first must sort before the second.
pub(super) fn between(low: Option<&str>, high: Option<&str>) -> String {
    let value = |byte: u8| DIGITS.iter().position(|digit| *digit == byte).unwrap_or(0);
    let low: Vec<usize> = low.unwrap_or_default().bytes().map(value).collect();
    let mut high: Option<Vec<usize>> = high.map(|place| place.bytes().map(value).collect());
    let mut place = String::new();
    for i in 0.. {
        let floor = low.get(i).copied().unwrap_or(0);
        let ceiling = high
            .as_ref()
            .map_or(BASE as usize, |high| high.get(i).copied().unwrap_or(0));
        let middle = usize::midpoint(floor, ceiling);
        if middle > floor {
            place.push(char::from(DIGITS[middle]));
            return place;
        }
        place.push(char::from(DIGITS[floor]));
        if floor < ceiling {
            // Anything that goes on from the lower one stays below the higher one.
            high = None;
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_always_a_place_between() {
        let mut places = vec![between(None, None)];
        let mut seed = fastrand::Rng::with_seed(7);
        for _ in 0..2000 {
            let i = seed.usize(0..=places.len());
            let low = i.checked_sub(1).map(|i| places[i].as_str());
            let place = between(low, places.get(i).map(String::as_str));
            assert!(
                low.is_none_or(|low| low < place.as_str()),
                "{low:?} {place}"
            );
            assert!(
                places.get(i).is_none_or(|high| place < *high),
                "{place} {:?}",
                places.get(i)
            );
            assert!(!place.ends_with('0'));
            places.insert(i, place);
        }
        assert!(places.is_sorted());
    }

    #[test]
    fn later_deals_come_after_earlier_ones() {
        let early = at_end(
            DateTime::from_timestamp_micros(1_480_000_000_000_000).expect("in range"),
            Uuid::max(),
        );
        let late = at_end(
            DateTime::from_timestamp_micros(1_480_000_000_000_001).expect("in range"),
            Uuid::nil(),
        );
        assert!(early < late);
        assert!(early < between(Some(&early), Some(&late)));
    }
}
