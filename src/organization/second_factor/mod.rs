//! The second factor: an authenticator app beside the password, and recovery codes for when the app is lost.
//!
//! It is set up by a signed-in person, or in the middle of a sign-in to a tenant that requires one. The password alone can
//! neither replace nor turn it off. Tries are few: five with one sign-in, and then the person's counter makes each next
//! one wait longer.

mod examine;
mod graphql;
mod model;
mod proof;
mod sign_in;
mod store;

use chrono::{DateTime, Utc};

use crate::{
    access::{Actor, Oneself},
    base::{
        error::{Error, Result},
        ids::{SessionId, Typed as _, UserId},
        secret,
    },
    db::{
        SystemReason, SystemTx,
        journal::{Entry, Origin, Whom},
    },
    organization::{
        accounts::{Accounts, trail},
        auth::{AccessChange, publish_access_change},
    },
};
pub use examine::examine;
pub use graphql::{SecondFactorMutation, SecondFactorQuery};
pub use model::Enrolment;
pub use proof::Shown;
pub use sign_in::{complete, confirm_in_sign_in, set_up_in_sign_in};
use store::Factors;

/// What tries of a second factor are counted as.
const ACT: &str = "second-factor";

/// The state of a person's second factor.
#[derive(Debug, Clone)]
pub struct Status {
    /// Since when an app is in use.
    pub enabled_at: Option<DateTime<Utc>>,
    /// Whether one of the person's tenants wants it.
    pub is_required: bool,
    /// How many recovery codes are left.
    pub recovery_codes_left: i64,
}

/// A signed-in person who changes how they sign in. A token without a session (a program's, another issuer's) can't do
/// that.
#[derive(Debug, Clone)]
pub struct SignedInPerson {
    oneself: Oneself,
    session: SessionId,
}

impl SignedInPerson {
    /// The person of a session.
    ///
    /// # Errors
    /// `Forbidden`, `ACCOUNT_SIGN_IN_REQUIRED`.
    pub fn of(actor: &Actor) -> Result<Self> {
        let oneself = Oneself::of(actor)?;
        let session = oneself.session().ok_or(Error::Forbidden(
            "change how somebody signs in without being signed in yourself",
        ))?;
        Ok(Self { oneself, session })
    }

    fn user(&self) -> UserId {
        self.oneself.user()
    }
}

/// Reads the state of a person's second factor.
///
/// # Errors
/// The database.
pub async fn status(accounts: &Accounts, oneself: &Oneself) -> Result<Status> {
    let (mut tx, user) = (accounts.db.account(oneself).await?, oneself.user());
    Ok(Status {
        enabled_at: store::enabled_at(&mut tx, user).await?,
        is_required: store::is_required(&mut tx, user).await?,
        recovery_codes_left: store::codes_left(&mut tx, user).await?,
    })
}

/// Begins to set up an app, beside the one in use. It takes a code of that one, or without one the password.
///
/// # Errors
/// `WRONG_CODE`, `WRONG_PASSWORD`, `BLANK`, `TOO_MANY_ATTEMPTS`.
pub async fn set_up(
    accounts: &Accounts,
    person: SignedInPerson,
    password: Option<String>,
    shown: Option<Shown>,
    origin: &Origin,
) -> Result<Enrolment> {
    let user = person.user();
    let factors = read(accounts, user).await?;
    let attempt = accounts.attempt(ACT, &user.to_string(), origin).await?;
    if !factors.is_on {
        check_password(accounts, &factors, password).await?;
    }
    let mut tx = accounts.db.account(&person.oneself).await?;
    if factors.is_on {
        let shown = shown.map_or_else(|| Shown::read(None, None), Ok)?;
        proof::check(accounts, &mut tx, &factors, &shown, origin).await?;
    }
    let enrolment = begin(accounts, &mut tx, &factors).await?;
    tx.commit().await?;
    attempt.succeeded().await;
    Ok(enrolment)
}

/// Puts the app into use by a first code of it. Answers new recovery codes, which are not shown again.
///
/// # Errors
/// `WRONG_CODE`, `NOT_SET_UP`, `TOO_MANY_ATTEMPTS`.
pub async fn confirm(
    accounts: &Accounts,
    person: SignedInPerson,
    code: &str,
    origin: &Origin,
) -> Result<Vec<String>> {
    let user = person.user();
    let factors = read(accounts, user).await?;
    let attempt = accounts.attempt(ACT, &user.to_string(), origin).await?;
    let mut tx = accounts.db.account(&person.oneself).await?;
    let codes = put_into_use(accounts, &mut tx, &factors, code, true).await?;
    store::strengthen(&mut tx, person.session).await?;
    trail::leave(&mut tx, user, "second_factor.enabled", origin).await?;
    tx.commit().await?;
    attempt.succeeded().await;
    Ok(codes)
}

/// Turns the second factor off, by password and code. Not while a tenant of the person wants it.
///
/// # Errors
/// `SECOND_FACTOR_REQUIRED`, `WRONG_PASSWORD`, `WRONG_CODE`, `NOT_SET_UP`, `TOO_MANY_ATTEMPTS`.
pub async fn disable(
    accounts: &Accounts,
    person: SignedInPerson,
    password: Option<String>,
    shown: Shown,
    origin: &Origin,
) -> Result<Status> {
    let user = person.user();
    let factors = read(accounts, user).await?;
    if !factors.is_on {
        return Err(not_set_up("code"));
    }
    let attempt = accounts.attempt(ACT, &user.to_string(), origin).await?;
    check_password(accounts, &factors, password).await?;
    let mut tx = accounts.db.account(&person.oneself).await?;
    if store::is_required(&mut tx, user).await? {
        return Err(Error::invalid(
            "SECOND_FACTOR_REQUIRED",
            "",
            "one of your tenants wants a second factor of everybody",
        ));
    }
    proof::check(accounts, &mut tx, &factors, &shown, origin).await?;
    store::turn_off(&mut tx, user).await?;
    publish_access_change(&mut tx, AccessChange::Person(user)).await?;
    trail::leave(&mut tx, user, "second_factor.disabled", origin).await?;
    tx.commit().await?;
    attempt.succeeded().await;
    status(accounts, &person.oneself).await
}

/// Replaces all recovery codes, by a code of the app. The new ones are not shown again.
///
/// # Errors
/// `WRONG_CODE`, `TOO_MANY_ATTEMPTS`.
pub async fn renew_codes(
    accounts: &Accounts,
    person: SignedInPerson,
    code: String,
    origin: &Origin,
) -> Result<Vec<String>> {
    let user = person.user();
    let factors = read(accounts, user).await?;
    let attempt = accounts.attempt(ACT, &user.to_string(), origin).await?;
    let mut tx = accounts.db.account(&person.oneself).await?;
    let shown = Shown::Code(code);
    proof::check(accounts, &mut tx, &factors, &shown, origin).await?;
    let codes = new_codes(&mut tx, user).await?;
    let action = "second_factor.recovery_codes_renewed";
    trail::leave(&mut tx, user, action, origin).await?;
    tx.commit().await?;
    attempt.succeeded().await;
    Ok(codes)
}

/// Turns a person's second factor off without a proof; for the operator, who has verified the person otherwise.
///
/// # Errors
/// The database.
pub async fn forget(tx: &mut SystemTx, user: UserId) -> Result<()> {
    store::turn_off(tx, user).await
}

async fn read(accounts: &Accounts, user: UserId) -> Result<Factors> {
    let mut tx = accounts.db.system(SystemReason::SignIn).await?;
    let factors = store::factors(&mut tx, user).await?;
    factors
        .filter(|factors| factors.active)
        .ok_or(Error::Unauthenticated("this account is not active"))
}

/// A person who always signs in through a provider has no password to give.
async fn check_password(
    accounts: &Accounts,
    factors: &Factors,
    password: Option<String>,
) -> Result<()> {
    let Some(hash) = factors.password_hash.as_deref() else {
        return Ok(());
    };
    let blank = || Error::invalid("BLANK", "password", "give your password");
    let password = password.ok_or_else(blank)?;
    match accounts.hasher.verify(&password, Some(hash)).await? {
        true => Ok(()),
        false => Err(Error::invalid(
            "WRONG_PASSWORD",
            "password",
            "this is not your password",
        )),
    }
}

async fn begin(accounts: &Accounts, tx: &mut SystemTx, factors: &Factors) -> Result<Enrolment> {
    let user = factors.user_id;
    let secret: [u8; model::SECRET_BYTES] = secret::random();
    let sealed = accounts.vault.seal(&proof::place(user), &secret)?;
    store::set_pending(tx, user, sealed).await?;
    Enrolment::new(&secret, &factors.email)
}

async fn put_into_use(
    accounts: &Accounts,
    tx: &mut SystemTx,
    factors: &Factors,
    code: &str,
    is_own: bool,
) -> Result<Vec<String>> {
    let user = factors.user_id;
    let pending = factors
        .totp_pending
        .clone()
        .ok_or_else(|| not_set_up("code"))?;
    let step = proof::step(accounts, user, Some(&pending), code)?;
    let step = step.ok_or_else(|| proof::wrong_code("code"))?;
    if !store::turn_on(tx, user, pending, step, is_own).await? {
        return Err(not_set_up("code"));
    }
    new_codes(tx, user).await
}

async fn new_codes(tx: &mut SystemTx, user: UserId) -> Result<Vec<String>> {
    let codes = model::recovery_codes();
    let hashes = codes.iter().map(|code| model::recovery_hash(user, code));
    store::replace_codes(tx, user, hashes.collect()).await?;
    Ok(codes)
}

fn not_set_up(field: &'static str) -> Error {
    Error::invalid(
        "NOT_SET_UP",
        field,
        "there is no app to confirm or to turn off, set one up first",
    )
}

/// Records an attempt in the audit logs of all tenants of the person, in the background.
fn note(accounts: &Accounts, user: UserId, action: &str, origin: &Origin) {
    let entry = Entry::new(user, action).about("user", user.uuid());
    accounts
        .recorder
        .note(Whom::TenantsOf(user), entry, origin.clone());
}
