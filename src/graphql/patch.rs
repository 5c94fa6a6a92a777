//! Tri-state patches: a field that was left out stays, null empties it, a value replaces it.

use async_graphql::MaybeUndefined;

use super::scalars::MoneyInput;
use crate::{
    access::{Rights, Sensitivity},
    base::error::{Error, Result},
};

/// Refuses a write to a sensitive field that is masked for the actor. Whatever is sent, even the stored value: accepting
/// that one alone would disclose it.
///
/// # Errors
/// `FORBIDDEN` on `field`.
pub fn refuse_masked<T>(
    rights: &Rights,
    what: Sensitivity,
    change: &MaybeUndefined<T>,
    field: &str,
) -> Result<()> {
    match change.is_undefined() || what.is_shown(rights) {
        true => Ok(()),
        false => Err(masked(field)),
    }
}

/// A write to a field that the actor is not shown.
#[must_use]
pub fn masked(field: &str) -> Error {
    let message = "you are not allowed to write a field that you are not shown, leave it out";
    Error::invalid("FORBIDDEN", field, message)
}

/// Patches a field that may be empty.
pub fn patch<T>(change: MaybeUndefined<T>, field: &mut Option<T>) {
    match change {
        MaybeUndefined::Undefined => {}
        MaybeUndefined::Null => *field = None,
        MaybeUndefined::Value(value) => *field = Some(value),
    }
}

/// Patches a field that is never empty: null makes it the default, an empty list for example.
pub fn patch_or_default<T: Default>(change: MaybeUndefined<T>, field: &mut T) {
    match change {
        MaybeUndefined::Undefined => {}
        MaybeUndefined::Null => *field = T::default(),
        MaybeUndefined::Value(value) => *field = value,
    }
}

/// Patches a field that can't be emptied; null counts as left out.
pub fn patch_required<T>(change: Option<T>, field: &mut T) {
    if let Some(value) = change {
        *field = value;
    }
}

/// What a mutation is all about: null empties it, and it can't be left out, which would do the same by mistake.
///
/// # Errors
/// `BLANK` on `field`.
pub fn said<T>(change: MaybeUndefined<T>, field: &str) -> Result<Option<T>> {
    match change {
        MaybeUndefined::Undefined => {
            let message = "say what this is to be, or null for nothing";
            Err(Error::invalid("BLANK", field, message))
        }
        MaybeUndefined::Null => Ok(None),
        MaybeUndefined::Value(value) => Ok(Some(value)),
    }
}

/// What may be left out, where null would be taken for all of it.
///
/// # Errors
/// `BLANK` on `field` for null.
pub fn given<T>(change: MaybeUndefined<T>, field: &str) -> Result<Option<T>> {
    match change {
        MaybeUndefined::Undefined => Ok(None),
        MaybeUndefined::Value(value) => Ok(Some(value)),
        MaybeUndefined::Null => {
            let message = "null says nothing here, leave this out if that is meant";
            Err(Error::invalid("BLANK", field, message))
        }
    }
}

/// Patches an amount with its currency.
///
/// # Errors
/// `INVALID_AMOUNT`, `INVALID_CURRENCY` on a field below `name`.
pub fn patch_money(
    change: MaybeUndefined<MoneyInput>,
    name: &str,
    (minor, currency): (&mut Option<i64>, &mut Option<String>),
) -> Result<()> {
    match change {
        MaybeUndefined::Undefined => {}
        MaybeUndefined::Null => (*minor, *currency) = (None, None),
        MaybeUndefined::Value(input) => {
            let money = input.parse(name)?;
            (*minor, *currency) = (
                Some(money.amount_minor),
                Some(money.currency.as_str().to_owned()),
            );
        }
    }
    Ok(())
}
