//! Places on a board: texts that sort byte by byte and between any two of which there is always another one,
//! so that moving a card writes one row (fractional indexing). Pure: no database in sight.

use chrono::{DateTime, Utc};
use uuid::Uuid;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE: u64 = 62;
/// Longer places are not given out; cards make room long before.
pub(super) const MAX_PLACE: usize = 200;
/// Digits of the number that a place at either end begins with.
const WIDTH: usize = 10;
/// How far apart places at the beginning are: a second.
const STEP: u64 = 1_000_000;

/// A place after all that were given out before `at`: the instant, and some of the id to tell equal ones apart.
pub(super) fn at_end(at: DateTime<Utc>, id: Uuid) -> String {
    numbered(u64::try_from(at.timestamp_micros()).unwrap_or(0), id)
}

/// A place before another one, which is no longer than those at the end, however often it is asked for; none where the
/// numbers end.
pub(super) fn before(place: &str, id: Uuid) -> Option<String> {
    let digits = place.bytes().map(value).chain(std::iter::repeat(0));
    let number = digits
        .take(WIDTH)
        .fold(0, |number, digit| number * BASE + digit as u64);
    match number.checked_sub(STEP) {
        Some(number @ 1..) => Some(numbered(number, id)),
        _ => between(None, Some(place)),
    }
}

fn numbered(number: u64, id: Uuid) -> String {
    let mut place: Vec<u8> = encode(number, WIDTH)
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

fn value(digit: u8) -> usize {
    DIGITS.iter().position(|known| *known == digit).unwrap_or(0)
}

/// A place between two others; `None` is the respective end of the board. None where there is none, as when the first
/// does not sort before the second.
pub(super) fn between(low: Option<&str>, high: Option<&str>) -> Option<String> {
    if high.is_some_and(|high| low.unwrap_or_default() >= high) {
        return None;
    }
    let low: Vec<usize> = low.unwrap_or_default().bytes().map(value).collect();
    let mut high: Option<Vec<usize>> = high.map(|place| place.bytes().map(value).collect());
    let mut place = String::new();
    // Texts of ours never end in zero. Between one that does and the same without there is nothing.
    let end = low.len().max(high.as_ref().map_or(0, Vec::len));
    for i in 0..=end {
        let floor = low.get(i).copied().unwrap_or(0);
        let ceiling = high
            .as_ref()
            .map_or(BASE as usize, |high| high.get(i).copied().unwrap_or(0));
        let middle = usize::midpoint(floor, ceiling);
        if middle > floor {
            place.push(char::from(DIGITS[middle]));
            return Some(place);
        }
        place.push(char::from(DIGITS[floor]));
        if floor < ceiling {
            // Anything that goes on from the lower one stays below the higher one.
            high = None;
        }
    }
    None
}

/// So many places between two others, in their order and as evenly as halving goes; none when the first does not sort
/// before the second.
pub(super) fn spread(low: Option<&str>, high: Option<&str>, count: usize) -> Option<Vec<String>> {
    if count == 0 {
        return Some(Vec::new());
    }
    let middle = between(low, high)?;
    let half = count / 2;
    let mut places = spread(low, Some(&middle), half)?;
    let upper = spread(Some(&middle), high, count - half - 1)?;
    places.push(middle);
    places.extend(upper);
    Some(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_always_a_place_between() {
        let mut places = vec![between(None, None).expect("a place")];
        let mut seed = fastrand::Rng::with_seed(7);
        for _ in 0..2000 {
            let i = seed.usize(0..=places.len());
            let low = i.checked_sub(1).map(|i| places[i].as_str());
            let place = between(low, places.get(i).map(String::as_str)).expect("a place");
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
        for (low, high) in [("a", "a"), ("b", "a"), ("a", "a00")] {
            assert_eq!(between(Some(low), Some(high)), None);
            assert_eq!(spread(Some(low), Some(high), 3), None);
        }
    }

    #[test]
    fn the_beginning_of_a_board_is_far_away() {
        let mut first = at_end(
            DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000),
            Uuid::nil(),
        );
        let length = first.len();
        for n in 0..50_000_u128 {
            let place = before(&first, Uuid::from_u128(n)).expect("a place");
            assert!(place < first && place.len() == length, "{place} {first}");
            first = place;
        }
        // Where the numbers end, places grow as they do between two others.
        let mut first = encode_text(3 * STEP);
        for _ in 0..100 {
            let place = before(&first, Uuid::nil()).expect("a place");
            assert!(place < first, "{place} {first}");
            first = place;
        }
    }

    fn encode_text(number: u64) -> String {
        String::from_utf8(encode(number, WIDTH)).expect("digits are ASCII")
    }

    #[test]
    fn places_that_are_spread_are_short_and_in_order() {
        let long = "V".repeat(60) + "1";
        for (low, high) in [
            (None, None),
            (Some("1"), Some("2")),
            (None, Some(long.as_str())),
            (Some(long.as_str()), None),
        ] {
            for count in [0, 1, 2, 33, 1_001] {
                let places = spread(low, high, count).expect("places");
                assert_eq!(places.len(), count);
                let all: Vec<&str> = low
                    .into_iter()
                    .chain(places.iter().map(String::as_str))
                    .chain(high)
                    .collect();
                assert!(all.windows(2).all(|two| two[0] < two[1]), "{all:?}");
                assert!(places.iter().all(|place| place.len() <= 6), "{places:?}");
            }
        }
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
        let between = between(Some(&early), Some(&late)).expect("a place");
        assert!(early < between && between < late);
    }
}
