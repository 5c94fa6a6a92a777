//! What a server that a tenant named answered.

use std::time::Duration;

use axum::http::{HeaderMap, header};
use chrono::{DateTime, Utc};

use super::exchange::Answer;

/// The longest that a server can have us wait.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 3_600);

/// An answer, whatever its status: also of 3xx, which nobody follows.
#[derive(Debug, Clone)]
pub struct OutboundAnswer {
    /// The status.
    pub status: u16,
    /// How long the server asks to be left alone, at most a day.
    pub retry_after: Option<Duration>,
    /// The headers, from the receiver: as little to be trusted as the body.
    pub headers: HeaderMap,
    /// The body, as far as it was read. It is not unpacked.
    pub body: Vec<u8>,
    /// Whether the body goes on after that.
    pub is_cut: bool,
}

impl OutboundAnswer {
    pub(super) fn new(answer: Answer, now: DateTime<Utc>) -> Self {
        Self {
            status: answer.status.as_u16(),
            retry_after: retry_after(&answer.headers, now),
            headers: answer.headers,
            body: answer.body,
            is_cut: answer.is_cut,
        }
    }
}

/// What `Retry-After` says (RFC 9110, section 10.2.3). A date is held against the server's own clock where it tells it, since it
/// may be wrong.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    let asked: &str = text(header::RETRY_AFTER)?.trim();
    if !asked.is_empty() && asked.bytes().all(|byte| byte.is_ascii_digit()) {
        // What is no number any more is a very large one.
        let seconds = asked.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
    }
    let date = |text| DateTime::parse_from_rfc2822(text).ok();
    let until = date(asked)?;
    let now = text(header::DATE)
        .and_then(date)
        .map_or(now, |date| date.to_utc());
    let wait = until.signed_duration_since(now).to_std();
    Some(wait.unwrap_or_default().min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(retry_after: &str, date: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", retry_after.parse().expect("a header"));
        if let Some(date) = date {
            headers.insert("date", date.parse().expect("a header"));
        }
        let now = DateTime::from_timestamp(784_111_777, 0).expect("an instant");
        super::retry_after(&headers, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn a_wait_is_seconds_or_a_date_and_at_most_a_day() {
        let day = 24 * 3_600;
        for (text, wait) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("86401", Some(day)),
            ("99999999999999999999999999", Some(day)),
            // The example of RFC 9110, at which it is 08:49:37.
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:49:27 GMT", Some(0)),
            ("Sat, 06 Nov 2094 08:49:37 GMT", Some(day)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("+1", None),
            ("soon", None),
        ] {
            assert_eq!(asked(text, None), wait, "{text}");
        }
    }

    #[test]
    fn a_date_is_held_against_the_clock_of_its_server() {
        let wait = asked(
            "Sun, 06 Nov 1994 09:00:30 GMT",
            Some("Sun, 06 Nov 1994 09:00:00 GMT"),
        );
        assert_eq!(wait, Some(30));
    }
}
