//! Proving a second factor: a code of the app, or a recovery code. Each works once.

use super::{model, store, store::Factors};
use crate::{
    base::{
        error::{Error, Result},
        ids::{Typed as _, UserId},
    },
    db::{SystemTx, journal::Origin},
    organization::accounts::Accounts,
};

/// What a person proves the second factor with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// The code that the app shows now.
    Code(String),
    /// One of the codes that were written down.
    Recovery(String),
}

impl Shown {
    /// One of both.
    ///
    /// # Errors
    /// `BLANK` or `TOO_MANY` on the field `code`.
    pub fn read(code: Option<String>, recovery_code: Option<String>) -> Result<Self> {
        match (code, recovery_code) {
            (Some(code), None) => Ok(Self::Code(code)),
            (None, Some(code)) => Ok(Self::Recovery(code)),
            (None, None) => Err(Error::invalid(
                "BLANK",
                "code",
                "show a code of the app, or a recovery code",
            )),
            (Some(_), Some(_)) => Err(Error::invalid(
                "TOO_MANY",
                "code",
                "show either a code of the app or a recovery code",
            )),
        }
    }

    fn refused(&self) -> Error {
        match self {
            Self::Code(_) => wrong_code("code"),
            Self::Recovery(_) => wrong_code("recoveryCode"),
        }
    }
}

/// Where the secret of a person's app is sealed for.
pub(super) fn place(user: UserId) -> String {
    format!("user:{}:totp", user.uuid())
}

/// The same whether it is wrong, was used before or belongs to another person.
pub(super) fn wrong_code(field: &'static str) -> Error {
    Error::invalid(
        "WRONG_CODE",
        field,
        "this code is wrong or was used before; an app's next one is good in half a minute",
    )
}

/// Checks what is shown and uses it up in the transaction: without a commit it is not used. A refusal is audited.
pub(super) async fn check(
    accounts: &Accounts,
    tx: &mut SystemTx,
    factors: &Factors,
    shown: &Shown,
    origin: &Origin,
) -> Result<()> {
    let user = factors.user_id;
    let is_right = match shown {
        Shown::Code(code) => match step(accounts, user, factors.totp_secret.as_deref(), code)? {
            Some(step) => store::take_step(tx, user, step).await?,
            None => false,
        },
        Shown::Recovery(code) => {
            factors.is_on && store::use_code(tx, user, model::recovery_hash(user, code)).await?
        }
    };
    if is_right {
        return Ok(());
    }
    super::note(accounts, user, "second_factor.refused", origin);
    Err(shown.refused())
}

/// The time step that a code of a sealed secret is right for.
pub(super) fn step(
    accounts: &Accounts,
    user: UserId,
    sealed: Option<&[u8]>,
    code: &str,
) -> Result<Option<i64>> {
    let Some(sealed) = sealed else {
        return Ok(None);
    };
    let secret = accounts.vault.open(&place(user), sealed)?;
    model::step_of(&secret, code, accounts.db.clock().now())
}
