//! Reading single fields: dates, whole numbers and amounts, without a float.

use chrono::{Datelike as _, NaiveDate};

use crate::base::money::MAX_MINOR;

/// A calendar date of a plausible year, written as 2017-03-01.
pub(super) fn date(column: &str, text: &str) -> Result<NaiveDate, String> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    date.filter(|date| date.to_string() == text && (1900..=2200).contains(&date.year()))
        .ok_or_else(|| format!("{column} {text:?} is not a date like 2017-03-01"))
}

/// A date, or nothing for an empty field.
pub(super) fn optional_date(column: &str, text: &str) -> Result<Option<NaiveDate>, String> {
    if text.is_empty() {
        Ok(None)
    } else {
        date(column, text).map(Some)
    }
}

/// A whole number within bounds, or nothing for an empty field.
pub(super) fn whole(
    column: &str,
    text: &str,
    bounds: std::ops::RangeInclusive<i32>,
) -> Result<Option<i32>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.parse().ok().filter(|number| bounds.contains(number));
    number.map(Some).ok_or_else(|| {
        format!(
            "{column} {text:?} is not a whole number from {} to {}",
            bounds.start(),
            bounds.end()
        )
    })
}

/// An amount in minor units: `12.5` times ten to the power of `decimals`. Digits beyond that are refused, not rounded.
pub(super) fn minor(column: &str, text: &str, decimals: usize) -> Result<i64, String> {
    scaled(text, decimals)
        .ok_or_else(|| format!("{column} {text:?} is not an amount like 1054 or 1054.50"))
}

fn scaled(text: &str, decimals: usize) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty()
        || text.ends_with('.')
        || !digits(whole)
        || !digits(fraction)
        || fraction.len() > decimals
    {
        return None;
    }
    let amount = format!("{whole}{fraction:0<decimals$}").parse().ok()?;
    (amount <= MAX_MINOR).then_some(amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly_or_not_at_all() {
        assert_eq!(minor("v", "1054", 2), Ok(105_400));
        assert_eq!(minor("v", "0.5", 2), Ok(50));
        assert_eq!(minor("revenue", "1100.04", 8), Ok(110_004_000_000));
        for bad in [
            "",
            "-1",
            "1e3",
            ".5",
            "5.",
            "1.005",
            "1,000",
            "90071992547409920",
            "99999999999999999999",
            "٣",
        ] {
            assert!(minor("v", bad, 2).is_err(), "{bad}");
        }
    }

    #[test]
    fn dates_are_full_and_real() {
        assert!(date("d", "2016-02-29").is_ok());
        for bad in [
            "2017-02-29",
            "2017-3-1",
            "20170301",
            "0017-03-01",
            "9999-01-01",
            "2017-03-01x",
            "+2017-03-1",
        ] {
            assert!(date("d", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn whole_numbers_have_bounds() {
        assert_eq!(whole("n", "12", 0..=20), Ok(Some(12)));
        assert_eq!(whole("n", "", 0..=20), Ok(None));
        assert!(whole("n", "21", 0..=20).is_err() && whole("n", "1.5", 0..=20).is_err());
    }
}
