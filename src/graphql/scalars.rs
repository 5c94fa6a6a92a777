//! Scalars of the API beside the built-in ones.

use async_graphql::{
    InputObject, InputType, InputValueError, InputValueResult, Scalar, ScalarType, SimpleObject,
    Value,
};
use chrono::{DateTime, NaiveDate, Utc};

use crate::{
    base::{error::Result, money},
    events::EventCursor,
};

/// A value that is none of its type.
#[derive(Debug)]
pub(crate) struct Mismatch {
    /// What was expected.
    pub(crate) expected: String,
    /// The scalar's own code, where it has one.
    pub(crate) code: Option<Value>,
}

impl From<String> for Mismatch {
    fn from(expected: String) -> Self {
        Self {
            expected,
            code: None,
        }
    }
}

/// Checks that a value is one of a scalar of ours; any value passes as one of another type.
///
/// # Errors
/// [`Mismatch`].
pub(crate) fn check(type_name: &str, value: &Value) -> std::result::Result<(), Mismatch> {
    fn read<T: InputType>(value: &Value) -> std::result::Result<(), Mismatch> {
        let read = T::parse(Some(value.clone()));
        read.map(drop).map_err(|error| {
            let error = error.into_server_error(Default::default());
            // The library says in front which type it is about.
            let reason = error.message.split_once("\": ").map(|(_, reason)| reason);
            let extensions = error.extensions.as_ref();
            Mismatch {
                expected: reason
                    .map_or_else(|| format!("expected {}", T::type_name()), str::to_owned),
                code: extensions.and_then(|more| more.get("code")).cloned(),
            }
        })
    }
    match type_name {
        "BigInt" => read::<BigInt>(value),
        "Date" => read::<Date>(value),
        "DateTime" => read::<DateTime<Utc>>(value),
        "EventCursor" => read::<EventCursor>(value),
        _ => Ok(()),
    }
}

/// An integer beyond 32 bits, as a JSON number up to 2^53 - 1 either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BigInt(pub i64);

/// An integer beyond 32 bits, as a JSON number between -(2^53 - 1) and 2^53 - 1.
#[Scalar(name = "BigInt")]
impl ScalarType for BigInt {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::Number(number) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        match number.as_i64() {
            Some(n) if n.abs() <= money::MAX_MINOR => Ok(Self(n)),
            _ => Err(InputValueError::custom(
                "expected a whole number of at most 2^53 - 1 either way",
            )),
        }
    }

    fn to_value(&self) -> Value {
        Value::Number(self.0.into())
    }
}

/// A day without a time, as `2026-11-21`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date(pub NaiveDate);

/// A day without a time, as `2026-11-21` (ISO 8601).
#[Scalar(name = "Date")]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d");
        date.map(Self)
            .map_err(|_| InputValueError::custom("expected a day like 2026-11-21"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// Any JSON value, as it was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonValue(serde_json::Value);

impl JsonValue {
    /// The value, or nothing for null.
    #[must_use]
    pub fn some(value: serde_json::Value) -> Option<Self> {
        (!value.is_null()).then_some(Self(value))
    }

    /// The value.
    #[must_use]
    pub fn into_inner(self) -> serde_json::Value {
        self.0
    }
}

/// Any JSON value, as it was recorded: a text, a number, a list or an object.
#[Scalar(name = "JSON")]
impl ScalarType for JsonValue {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value.into_json()?))
    }

    fn to_value(&self) -> Value {
        Value::from_json(self.0.clone()).unwrap_or_default()
    }
}

/// An amount of money in one currency.
#[derive(Debug, Clone, SimpleObject)]
pub struct Money {
    /// The amount in the currency's minor unit, for example cents for EUR.
    amount_minor: BigInt,
    /// The currency, by its ISO 4217 code.
    currency: String,
}

impl From<money::Money> for Money {
    fn from(money: money::Money) -> Self {
        Self {
            amount_minor: BigInt(money.amount_minor),
            currency: money.currency.as_str().to_owned(),
        }
    }
}

/// An amount of money to be stored.
#[derive(Debug, Clone, InputObject)]
pub struct MoneyInput {
    /// The amount in the currency's minor unit, not negative.
    amount_minor: BigInt,
    /// The currency, by its ISO 4217 code, for example `EUR`.
    currency: String,
}

impl MoneyInput {
    /// Checks the amount and the currency.
    ///
    /// # Errors
    /// `INVALID_AMOUNT` or `INVALID_CURRENCY` on a field below `field`.
    pub fn parse(&self, field: &str) -> Result<money::Money> {
        money::Money::parse(self.amount_minor.0, &self.currency, field)
    }
}
