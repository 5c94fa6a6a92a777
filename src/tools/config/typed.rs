//! The kinds of value that several sections read: numbers, switches, names.

use std::{ops::RangeInclusive, time::Duration};

use super::reader::Reader;

/// The longest name accepted for an issuer, an audience or a service, in bytes.
const NAME_BYTES: usize = 200;

impl Reader {
    /// A whole number that has a default.
    pub(super) fn number(&mut self, name: &'static str, range: RangeInclusive<u32>) -> u32 {
        self.setting(name, &expected_number(&range), |value| {
            number_in(value, &range)
        })
    }

    /// A whole number that may be unset.
    pub(super) fn optional_number(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u32>,
    ) -> Option<u32> {
        self.optional(name, &expected_number(&range), |value| {
            number_in(value, &range)
        })
    }

    /// `on` or `off`.
    pub(super) fn switch(&mut self, name: &'static str) -> bool {
        self.setting(name, "on or off", |value| match value {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        })
    }

    /// A name that others compare with theirs.
    pub(super) fn name(&mut self, variable: &'static str) -> String {
        self.setting(variable, "a name of at most 200 bytes", |value| {
            (!value.is_empty() && value.len() <= NAME_BYTES).then(|| value.to_owned())
        })
    }
}

/// A number of milliseconds as a length of time.
pub(super) fn milliseconds(number: u32) -> Duration {
    Duration::from_millis(number.into())
}

fn number_in(value: &str, range: &RangeInclusive<u32>) -> Option<u32> {
    let digits_only = value.bytes().all(|byte| byte.is_ascii_digit());
    value
        .parse()
        .ok()
        .filter(|number| digits_only && range.contains(number))
}

fn expected_number(range: &RangeInclusive<u32>) -> String {
    format!("a whole number from {} to {}", range.start(), range.end())
}
