//! A position in a tenant's event log, as clients hold it.

use std::{fmt, str::FromStr};

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

/// Which history the numbers of a tenant belong to: sixteen hex digits that no other tenant, and no restored copy of
/// the database, has. `app.epoch` in `policies/80_events.sql` makes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct Epoch(String);

impl Epoch {
    /// One that was read from the database.
    pub(super) fn read(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// A position in a tenant's event log: after an event, and before the next one.
///
/// It is not signed: a client that makes one up starts somewhere else in what it may see anyway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCursor {
    /// The history.
    pub epoch: Epoch,
    /// The number of the last event before it.
    pub seq: i64,
}

/// A text that is not a cursor of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a cursor of events, as `eventCursor` and every event give it")]
pub struct BadCursor;

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for EventCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch.0, self.seq)
    }
}

impl FromStr for EventCursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let (epoch, seq) = text.split_once('.').ok_or(BadCursor)?;
        let is_number = !seq.is_empty() && seq.bytes().all(|byte| byte.is_ascii_digit());
        let is_epoch = epoch.len() == 16 && epoch.bytes().all(|byte| byte.is_ascii_hexdigit());
        match seq.parse() {
            Ok(seq) if is_number && is_epoch => Ok(Self {
                epoch: Epoch(epoch.to_owned()),
                seq,
            }),
            _ => Err(BadCursor),
        }
    }
}

/// A place in your tenant's stream of events. Take it from `eventCursor` or an event and give it back as `after`;
/// there is nothing to read in it.
#[Scalar(name = "EventCursor")]
impl ScalarType for EventCursor {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => text.parse().map_err(|bad| {
                InputValueError::custom(bad).with_extension("code", "INVALID_CURSOR")
            }),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nothing_else_is_one() {
        let text = "0123456789abcdef.42";
        let cursor: EventCursor = text.parse().expect("a cursor");
        assert_eq!((cursor.seq, cursor.to_string().as_str()), (42, text));
        for bad in [
            "",
            "42",
            ".42",
            "0123456789abcdef.",
            "0123456789abcdef.-1",
            "0123456789abcdef.+1",
            "0123456789abcdef.99999999999999999999",
            "0123456789abcdeg.1",
            "123456789abcdef.1",
        ] {
            assert_eq!(bad.parse::<EventCursor>(), Err(BadCursor), "{bad}");
        }
    }
}
