//! How large an answer gets, counted while it is made: one count for all of a request, whichever way its parts are
//! worked out. What would be too large is never there as a whole.
//!
//! The projection executor counts the text that it writes, and the values of the GraphQL executor count as their text,
//! record by record. What is read for them is bounded too, by the snapshot ([`crate::db::ReadSession`]).

use std::{
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering},
};

use async_graphql::Value;

use crate::base::error::{Error, Result};

/// Bytes of rows that may be read for a byte of the answer. Records are read whole for the executor, also those of which
/// little is shown.
pub(super) const READ_FOR_WRITTEN: usize = 4;

/// How many bytes a response may still take.
#[derive(Debug)]
pub(super) struct Meter {
    limit: usize,
    /// More than the limit once it is too much.
    counted: AtomicUsize,
}

impl Meter {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            counted: AtomicUsize::new(0),
        }
    }

    /// Counts bytes of the answer.
    ///
    /// # Errors
    /// `TooLarge` from when there are more than may be.
    pub(super) fn add(&self, bytes: usize) -> Result<()> {
        self.counted.fetch_add(bytes, Ordering::Relaxed);
        match self.is_over() {
            true => Err(Error::TooLarge),
            false => Ok(()),
        }
    }

    /// Bytes so far.
    pub(super) fn counted(&self) -> usize {
        self.counted.load(Ordering::Relaxed)
    }

    /// Bytes that may still be written.
    pub(super) fn left(&self) -> usize {
        self.limit.saturating_sub(self.counted())
    }

    /// Whether it is too much.
    pub(super) fn is_over(&self) -> bool {
        self.counted() > self.limit
    }
}

tokio::task_local! {
    /// Bytes below the record that is being resolved, which are counted already.
    static COUNTED: Cell<usize>;
}

/// Resolves a record of a list, and answers besides how many bytes of its text were not counted with records below it.
pub(super) async fn weighed<E>(
    resolving: impl Future<Output = Result<Value, E>>,
) -> Result<(Value, usize), E> {
    let below = COUNTED.scope(Cell::new(0), async {
        let value = resolving.await?;
        Ok((value, COUNTED.with(Cell::get)))
    });
    let (value, below) = below.await?;
    let whole = length(&value);
    // The outermost record has none above it that would count these bytes too.
    _ = COUNTED.try_with(|above| above.set(above.get() + whole));
    Ok((value, whole - below))
}

/// Bytes that a value's text has at least: all but escapes.
fn length(value: &Value) -> usize {
    match value {
        Value::Null => 4,
        Value::Boolean(is_true) => 5 - usize::from(*is_true),
        // A digit at least.
        Value::Number(_) => 1,
        Value::String(text) => text.len() + 2,
        Value::Enum(name) => name.len() + 2,
        Value::Binary(text) => text.len(),
        Value::List(items) => bracketed(items.iter().map(length)),
        Value::Object(entries) => bracketed(
            entries
                .iter()
                .map(|(name, value)| name.len() + 3 + length(value)),
        ),
    }
}

/// Two brackets, and commas between what is in them.
fn bracketed(lengths: impl Iterator<Item = usize>) -> usize {
    lengths.map(|length| length + 1).sum::<usize>().max(1) + 1
}

#[cfg(test)]
mod tests {
    use async_graphql::value;

    use super::*;

    #[tokio::test]
    async fn what_is_counted_below_is_not_counted_again() {
        let leaf = async || weighed(async { Ok::<_, ()>(value!({ "text": "x" })) }).await;
        let (_, alone) = leaf().await.expect("no error");
        let whole = weighed(async {
            // As a list resolves its items: each of them whenever it can go on.
            let (one, two) = futures_util::join!(leaf(), leaf());
            Ok::<_, ()>(value!({ "all": [one?.0, two?.0], "more": "yy" }))
        });
        let (value, own) = whole.await.expect("no error");
        assert_eq!(own + 2 * alone, length(&value));
    }

    #[test]
    fn a_length_is_that_of_the_text_but_for_escapes_and_digits() {
        let value = value!({ "a": [1, "x", null, { "b": true, "c": false }], "d": {}, "e": [] });
        let text = serde_json::to_string(&value).expect("a text");
        assert_eq!(length(&value), text.len());
        let value = value!({ "a": "\"", "b": 0.5 });
        let text = serde_json::to_string(&value).expect("a text");
        assert_eq!(length(&value), text.len() - 3);
    }
}
