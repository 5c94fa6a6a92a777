//! When something is done again and again. Summer time is done as cron does: a time that the clock skips is done when it has
//! been skipped, one that comes twice is done the first time, and intervals (`*/30`) go on through both.

use std::str::FromStr as _;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};

use crate::base::error::{Error, Result};

/// The longest cron expression, in bytes.
const EXPRESSION_BYTES: usize = 100;
/// Expressions that name no instant in some years are none.
const FIRST_WITHIN: TimeDelta = TimeDelta::days(5 * 366);

/// When something is to be done.
#[derive(Debug, Clone)]
pub struct Timetable {
    cron: Cron,
    pub(super) expression: String,
    pub(super) zone: Tz,
}

impl Timetable {
    /// Reads a cron expression (minute, hour, day, month, weekday; with `L`, names, and `@daily` and its like), in a time
    /// zone by its IANA name.
    ///
    /// # Errors
    /// `INVALID_CRON` for an expression that is none or never comes, `INVALID_TIME_ZONE`.
    pub fn parse(expression: &str, zone: &str) -> Result<Self> {
        let refused = |message: String| Error::invalid("INVALID_CRON", "cron", message);
        if expression.len() > EXPRESSION_BYTES {
            return Err(refused(format!("at most {EXPRESSION_BYTES} bytes")));
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed);
        let cron = parser.build().parse(expression);
        let cron = cron.map_err(|error| refused(error.to_string()))?;
        let zone = Tz::from_str(zone).map_err(|_| {
            let message = "expected a name of the IANA time zone database, such as Europe/Berlin";
            Error::invalid("INVALID_TIME_ZONE", "timeZone", message)
        })?;
        Ok(Self {
            cron,
            expression: expression.to_owned(),
            zone,
        })
    }

    /// The first occurrence after an instant, if there is one within some years.
    #[must_use]
    pub fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let local = after.with_timezone(&self.zone);
        let next = self.cron.find_next_occurrence(&local, false).ok()?;
        let next = next.with_timezone(&Utc);
        (next > after && next - after < FIRST_WITHIN).then_some(next)
    }

    /// The last occurrence up to an instant, of those after another.
    pub(super) fn last_until(
        &self,
        after: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let local = until.with_timezone(&self.zone);
        let last = self.cron.find_previous_occurrence(&local, true).ok()?;
        let last = last.with_timezone(&Utc);
        (last > after).then_some(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    fn berlin(cron: &str) -> Timetable {
        Timetable::parse(cron, "Europe/Berlin").expect("a timetable")
    }

    fn occurrences(cron: &str, from: &str, count: usize) -> Vec<String> {
        let (timetable, mut now) = (berlin(cron), at(from));
        let next = || {
            now = timetable.next_after(now)?;
            Some(now.with_timezone(&timetable.zone).to_rfc3339())
        };
        std::iter::from_fn(next).take(count).collect()
    }

    #[test]
    fn a_time_that_the_clock_skips_is_done_after_it_and_one_that_comes_twice_once() {
        assert_eq!(
            occurrences("30 2 * * *", "2027-03-27T12:00:00Z", 2),
            ["2027-03-28T03:00:00+02:00", "2027-03-29T02:30:00+02:00"]
        );
        assert_eq!(
            occurrences("30 2 * * *", "2027-10-30T12:00:00Z", 2),
            ["2027-10-31T02:30:00+02:00", "2027-11-01T02:30:00+01:00"]
        );
        assert_eq!(
            occurrences("*/30 2 * * *", "2027-10-30T12:00:00Z", 5),
            [
                "2027-10-31T02:00:00+02:00",
                "2027-10-31T02:30:00+02:00",
                "2027-10-31T02:00:00+01:00",
                "2027-10-31T02:30:00+01:00",
                "2027-11-01T02:00:00+01:00",
            ]
        );
    }

    #[test]
    fn what_is_no_timetable_says_what_is_wrong_with_it() {
        let refusal = |cron: &str, zone: &str| {
            let error = Timetable::parse(cron, zone).err()?;
            Some((error.code(), error.field().map(str::to_owned)))
        };
        let cron = Some(("INVALID_CRON", Some("cron".to_owned())));
        for bad in ["", "61 * * * *", "* * * *", "x", &"1,".repeat(60)] {
            assert_eq!(refusal(bad, "Europe/Berlin"), cron, "{bad:?}");
        }
        let zone = Some(("INVALID_TIME_ZONE", Some("timeZone".to_owned())));
        assert_eq!(refusal("0 9 * * MON-FRI", "Mars/Base"), zone);
        assert_eq!(refusal("0 9 L * *", "America/New_York"), None);
        let never = berlin("0 0 30 2 *");
        assert_eq!(never.next_after(at("2027-01-01T00:00:00Z")), None);
    }
}
