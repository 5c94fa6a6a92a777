//! Money: an integer count of minor units and an ISO 4217 currency, never a float.

use crate::base::error::{Error, Result};

/// The largest amount accepted, in minor units: what every JSON reader keeps exactly (2^53 - 1).
pub const MAX_MINOR: i64 = 9_007_199_254_740_991;

/// A currency by its three-letter ISO 4217 code.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Currency(String);

impl Currency {
    /// Reads a currency code.
    ///
    /// # Errors
    /// `INVALID_CURRENCY` for anything but three capital letters.
    pub fn parse(code: &str, field: &str) -> Result<Self> {
        if code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()) {
            return Ok(Self(code.to_owned()));
        }
        Err(Error::invalid(
            "INVALID_CURRENCY",
            field,
            "expected an ISO 4217 code of three capital letters, like EUR",
        ))
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An amount of money.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Money {
    /// The amount in the currency's minor unit (cents for EUR).
    pub amount_minor: i64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// Checks an amount that came from outside.
    ///
    /// # Errors
    /// `INVALID_AMOUNT` when negative or above [`MAX_MINOR`], `INVALID_CURRENCY` as [`Currency::parse`].
    pub fn parse(amount_minor: i64, currency: &str, field: &str) -> Result<Self> {
        if !(0..=MAX_MINOR).contains(&amount_minor) {
            return Err(Error::invalid(
                "INVALID_AMOUNT",
                format!("{field}.amountMinor"),
                format!("expected an amount between 0 and {MAX_MINOR} minor units"),
            ));
        }
        Ok(Self {
            amount_minor,
            currency: Currency::parse(currency, &format!("{field}.currency"))?,
        })
    }

    /// Puts an amount together from its two columns; absent when either is.
    #[must_use]
    pub fn from_columns(amount_minor: Option<i64>, currency: Option<&str>) -> Option<Self> {
        Some(Self {
            amount_minor: amount_minor?,
            currency: Currency(currency?.to_owned()),
        })
    }
}
