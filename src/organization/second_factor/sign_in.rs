//! The second factor in the middle of a sign-in: the password was right, or a provider identified the person, and the rest
//! is bound to a secret that was answered then.

use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    ACT, Enrolment, Factors, Shown, begin, check_password, proof, put_into_use, read, store,
};
use crate::{
    access::account_sign_in_required,
    base::{
        error::{Error, Result},
        ids::{TenantId, Typed as _, UserId},
    },
    db::{SystemReason, SystemTx, journal::Origin},
    organization::accounts::{
        Accounts, Entering, SignedIn, TenantChoice, enter,
        one_time::{self, SecretPurpose, Taken},
        trail,
    },
};

/// So many codes may be tried with one sign-in.
const TRIES: i32 = 5;

/// A sign-in that waits for its second factor.
struct PendingSignIn {
    user: UserId,
    data: Json,
}

impl PendingSignIn {
    /// The provider that the person came through, if they did.
    fn provider(&self) -> Option<&str> {
        self.data.get("provider").and_then(Json::as_str)
    }

    /// Whether the first factor is good for all of the account.
    fn is_trusted_by_all(&self, accounts: &Accounts) -> bool {
        accounts.identities.is_trusted_by_all(self.provider())
    }
}

/// Ends a sign-in by the second factor.
///
/// # Errors
/// `INVALID_TOKEN`, `WRONG_CODE`, `SECOND_FACTOR_NOT_SET_UP`, `TOO_MANY_ATTEMPTS`, and what entering fails with.
pub async fn complete(
    accounts: &Accounts,
    token: &str,
    shown: Shown,
    origin: &Origin,
) -> Result<SignedIn> {
    let step = peek(accounts, token).await?;
    let factors = read(accounts, step.user).await?;
    if !factors.is_on {
        return Err(Error::invalid(
            "SECOND_FACTOR_NOT_SET_UP",
            "token",
            "this person has no second factor yet: set one up with the same token",
        ));
    }
    let attempt = accounts
        .attempt(ACT, &step.user.to_string(), origin)
        .await?;
    count(accounts, token).await?;
    let mut tx = accounts.db.system(SystemReason::SignIn).await?;
    proof::check(accounts, &mut tx, &factors, &shown, origin).await?;
    let signed_in = go_on(accounts, &mut tx, step.user, token, origin).await?;
    if matches!(shown, Shown::Recovery(_)) {
        let action = "second_factor.recovery_code_used";
        trail::leave(&mut tx, step.user, action, origin).await?;
    }
    tx.commit().await?;
    attempt.succeeded().await;
    Ok(signed_in)
}

/// Begins to set up an app in the middle of a sign-in. Only for a person who has none: the password alone replaces nothing.
/// Where a session alone says who it is, a thief of it must not set up an app of their own: the password is required too,
/// and a person without one signs in again. Nor must the operator of a provider of some tenants: see [`may_set_up`].
///
/// # Errors
/// `INVALID_TOKEN`, `SECOND_FACTOR_ALREADY_SET_UP`, `ACCOUNT_SIGN_IN_REQUIRED`; `BLANK`, `WRONG_PASSWORD`,
/// `TOO_MANY_ATTEMPTS`.
pub async fn set_up_in_sign_in(
    accounts: &Accounts,
    token: &str,
    password: Option<String>,
    origin: &Origin,
) -> Result<Enrolment> {
    let step = peek(accounts, token).await?;
    let factors = without_app(accounts, step.user).await?;
    let is_resumed = step.data.get("resumed").and_then(Json::as_bool) == Some(true);
    if is_resumed {
        factors.password_hash.as_ref().ok_or_else(gone)?;
    }
    let is_own = may_set_up(accounts, &step, &factors).await?;
    if is_resumed || !step.is_trusted_by_all(accounts) && is_own {
        let attempt = accounts
            .attempt(ACT, &step.user.to_string(), origin)
            .await?;
        check_password(accounts, &factors, password).await?;
        attempt.succeeded().await;
    }
    let mut tx = accounts.db.system(SystemReason::SignIn).await?;
    let enrolment = begin(accounts, &mut tx, &factors).await?;
    tx.commit().await?;
    Ok(enrolment)
}

/// Puts the app into use by a first code of it, and ends the sign-in. Answers the recovery codes too.
///
/// # Errors
/// `INVALID_TOKEN`, `WRONG_CODE`, `NOT_SET_UP`, `SECOND_FACTOR_ALREADY_SET_UP`, `ACCOUNT_SIGN_IN_REQUIRED`,
/// `TOO_MANY_ATTEMPTS`, and what entering fails with.
pub async fn confirm_in_sign_in(
    accounts: &Accounts,
    token: &str,
    code: &str,
    origin: &Origin,
) -> Result<(SignedIn, Vec<String>)> {
    let step = peek(accounts, token).await?;
    let factors = without_app(accounts, step.user).await?;
    let is_own = may_set_up(accounts, &step, &factors).await?;
    let attempt = accounts
        .attempt(ACT, &step.user.to_string(), origin)
        .await?;
    count(accounts, token).await?;
    let mut tx = accounts.db.system(SystemReason::SignIn).await?;
    let codes = put_into_use(accounts, &mut tx, &factors, code, is_own).await?;
    let signed_in = go_on(accounts, &mut tx, step.user, token, origin).await?;
    trail::leave(&mut tx, step.user, "second_factor.enabled", origin).await?;
    tx.commit().await?;
    attempt.succeeded().await;
    Ok((signed_in, codes))
}

/// Whether this sign-in proves that the account is the person's, so that the app they set up is theirs. After a sign-in
/// through a provider of some tenants the password proves it. Without a password such an app is still good for these
/// tenants, and a person who is in no others may set it up.
async fn may_set_up(accounts: &Accounts, step: &PendingSignIn, factors: &Factors) -> Result<bool> {
    if step.is_trusted_by_all(accounts) || factors.password_hash.is_some() {
        return Ok(true);
    }
    let mut tx = accounts.db.system(SystemReason::SignIn).await?;
    let tenants = store::tenants(&mut tx, step.user).await?;
    let opens = |slug: &String| accounts.identities.trusts(step.provider(), slug);
    if tenants.iter().all(opens) {
        return Ok(false);
    }
    Err(account_sign_in_required(
        "a second factor is your whole account's, and you came in by what one of your tenants trusts: choose a \
         password by `requestPasswordReset`, sign in again and give it",
    ))
}

async fn without_app(accounts: &Accounts, user: UserId) -> Result<Factors> {
    let factors = read(accounts, user).await?;
    if factors.is_on {
        return Err(Error::invalid(
            "SECOND_FACTOR_ALREADY_SET_UP",
            "token",
            "this person has a second factor: show a code of it",
        ));
    }
    Ok(factors)
}

async fn peek(accounts: &Accounts, token: &str) -> Result<PendingSignIn> {
    let mut tx = accounts.db.system(SystemReason::SignIn).await?;
    read_step(one_time::peek(&mut tx, SecretPurpose::SecondFactor, token).await?)
}

/// Counts a try before it is judged, so that tries at the same time are counted too.
async fn count(accounts: &Accounts, token: &str) -> Result<()> {
    let mut tx = accounts.db.system(SystemReason::SignIn).await?;
    let counted = one_time::attempt(&mut tx, SecretPurpose::SecondFactor, token, TRIES).await?;
    tx.commit().await?;
    counted.map(|_| ()).ok_or_else(gone)
}

/// Uses the sign-in up and enters its tenant, by the rules of now.
async fn go_on(
    accounts: &Accounts,
    tx: &mut SystemTx,
    user: UserId,
    token: &str,
    origin: &Origin,
) -> Result<SignedIn> {
    let PendingSignIn { data, .. } =
        read_step(one_time::take(tx, SecretPurpose::SecondFactor, token).await?)?;
    let text = |name: &str| data.get(name).and_then(Json::as_str);
    let tenant = text("tenant").and_then(|id| id.rsplit(':').next()?.parse::<Uuid>().ok());
    let entering = Entering {
        user,
        tenant: tenant.map_or(TenantChoice::LastUsed, |id| {
            TenantChoice::Id(TenantId::from_uuid(id))
        }),
        second_factor: true,
        provider: text("provider").map(str::to_owned),
        resumed: false,
    };
    enter(accounts, tx, entering, origin).await
}

fn read_step(taken: Option<Taken>) -> Result<PendingSignIn> {
    let Taken { user, data } = taken.ok_or_else(gone)?;
    let user = user.ok_or_else(gone)?;
    Ok(PendingSignIn { user, data })
}

fn gone() -> Error {
    Error::invalid(
        "INVALID_TOKEN",
        "token",
        "this sign-in is over or was tried too often, sign in again",
    )
}
