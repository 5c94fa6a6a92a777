//! Which times and days are taken from a client: chrono knows some that Postgres or a reader of RFC 3339 does not.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike, NaiveDate, Utc};

use crate::base::error::{Error, Result};

/// Years of what is written: a client that sends another one has mistaken a unit or a field.
const WRITTEN: RangeInclusive<i32> = 1900..=2200;
/// Years of what is compared with, where the first and the last one mean "always": those of four digits, which is all that
/// RFC 3339 has.
const COMPARED: RangeInclusive<i32> = 1..=9999;

/// Refuses a time that is no time of a record's.
///
/// # Errors
/// `OUT_OF_RANGE` on `field` for a time beyond the years 1900 to 2200.
pub fn check_time(field: &str, time: DateTime<Utc>) -> Result<()> {
    within(WRITTEN, &time, field, "a time")
}

/// Refuses a day that is no day of a record's.
///
/// # Errors
/// `OUT_OF_RANGE` on `field` for a day beyond the years 1900 to 2200.
pub fn check_date(field: &str, day: NaiveDate) -> Result<()> {
    within(WRITTEN, &day, field, "a day")
}

/// Refuses a time that nothing can be compared with.
///
/// # Errors
/// `OUT_OF_RANGE` for a time beyond the years 1 to 9999.
pub fn check_compared_time(time: DateTime<Utc>) -> Result<()> {
    within(COMPARED, &time, "", "a time")
}

/// Refuses a day that nothing can be compared with.
///
/// # Errors
/// `OUT_OF_RANGE` for a day beyond the years 1 to 9999.
pub fn check_compared_date(day: NaiveDate) -> Result<()> {
    within(COMPARED, &day, "", "a day")
}

fn within(years: RangeInclusive<i32>, when: &impl Datelike, field: &str, what: &str) -> Result<()> {
    if years.contains(&when.year()) {
        return Ok(());
    }
    let (first, last) = years.into_inner();
    let message = format!("expected {what} between the years {first} and {last}");
    Err(Error::invalid("OUT_OF_RANGE", field, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_beyond_the_years_of_records_is_refused_with_its_field() {
        let error = check_time("dueAt", DateTime::<Utc>::MAX_UTC).expect_err("too late");
        assert_eq!(
            (error.code(), error.field()),
            ("OUT_OF_RANGE", Some("dueAt"))
        );
        assert!(check_date("on", NaiveDate::MIN).is_err());
        assert!(check_date("on", NaiveDate::default()).is_ok());
    }

    #[test]
    fn what_is_compared_with_may_mean_always() {
        for sound in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"] {
            assert!(check_compared_time(sound.parse().expect("a time")).is_ok());
        }
        assert!(check_compared_time(DateTime::<Utc>::MIN_UTC).is_err());
        assert!(check_compared_date(NaiveDate::MAX).is_err());
    }
}
