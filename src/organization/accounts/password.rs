//! Changing a known password, and resetting a forgotten one.

use chrono::TimeDelta;
use serde_json::json;

use super::{
    Accounts, letters,
    one_time::{self, SecretPurpose},
    rules,
    sessions::{self, Ended, Which},
    store, trail,
};
use crate::{
    access::Oneself,
    base::{
        error::{Error, Result},
        ids::{Typed as _, UserId},
        text::normalize_email,
    },
    db::{
        SystemReason, SystemTx,
        journal::{Entry, Origin, Whom},
    },
};

/// How long a mailed link to a new password is valid.
const RESET_WITHIN: TimeDelta = TimeDelta::hours(1);

/// Changes one's own password and ends all other sessions.
///
/// # Errors
/// `INVALID_CREDENTIALS` on the field `currentPassword`, `TOO_MANY_ATTEMPTS`, and what is wrong with the new one.
pub async fn change(
    accounts: &Accounts,
    oneself: &Oneself,
    (current, new): (&str, &str),
    origin: &Origin,
) -> Result<()> {
    let user = oneself.user();
    // A stolen access token must not become a way to guess the password.
    let attempt = accounts
        .attempt("password-change", &user.to_string(), origin)
        .await?;
    let mut tx = accounts.db.account(oneself).await?;
    let known = store::secrets(&mut tx, user).await?.ok_or_else(wrong)?;
    drop(tx);
    let hash = known.password_hash.as_deref();
    if !accounts.hasher.verify(current, hash).await? {
        return Err(wrong());
    }
    attempt.succeeded().await;
    rules::check(new, &known.email, "newPassword")?;
    let hash = accounts.hasher.hash(new).await?;
    let mut tx = accounts.db.account(oneself).await?;
    if !store::set_password(&mut tx, user, hash, known.password_hash).await? {
        return Err(wrong());
    }
    revoke_begun(&mut tx, user).await?;
    let which = oneself.session().map_or(Which::All, Which::Others);
    let ended = sessions::end_all(&mut tx, user, which, Ended::PasswordChanged).await?;
    trail::leave(&mut tx, user, "password.changed", origin).await?;
    tx.commit().await?;
    for ended in &ended {
        sessions::note_ended(accounts, user, ended, Ended::PasswordChanged, origin);
    }
    accounts
        .mail
        .send(letters::password_changed(&accounts.settings, &known.email));
    Ok(())
}

/// Mails a link to a new password, if the address has an account. That is looked up after the answer.
///
/// # Errors
/// `INVALID_EMAIL`, `TOO_MANY_ATTEMPTS`.
pub async fn request_reset(accounts: &Accounts, email: &str, origin: &Origin) -> Result<()> {
    let email = normalize_email(email, "email")?;
    accounts
        .attempt_from_outside("mail", &email, None, origin)
        .await?;
    let (db, mail, settings) = (
        accounts.db.clone(),
        accounts.mail.clone(),
        accounts.settings.clone(),
    );
    let (recorder, origin) = (accounts.recorder.clone(), origin.clone());
    accounts.later("a link to a new password", async move {
        let mut tx = db.system(SystemReason::SignIn).await?;
        let Some(person) = store::by_email(&mut tx, email).await? else {
            return Ok(());
        };
        let user = person.user_id;
        let Some(known) = store::secrets(&mut tx, user).await? else {
            return Ok(());
        };
        let (purpose, data) = (SecretPurpose::ResetPassword, json!({}));
        let token = one_time::issue(&mut tx, purpose, Some(user), data, RESET_WITHIN).await?;
        tx.commit().await?;
        mail.send(letters::reset_password(&settings, &known.email, &token));
        let entry = Entry::new("anonymous", "password.reset_requested").about("user", user.uuid());
        recorder.note(Whom::TenantsOf(user), entry, origin);
        Ok(())
    });
    Ok(())
}

/// Sets a new password by a mailed link, which also shows that the address is the person's, and ends all sessions.
///
/// # Errors
/// `INVALID_TOKEN`, `TOO_MANY_ATTEMPTS`, and what is wrong with the password; the link stays valid then.
pub async fn reset(accounts: &Accounts, token: &str, new: &str, origin: &Origin) -> Result<()> {
    let mut tx = accounts.db.system(SystemReason::SignIn).await?;
    let found = one_time::peek(&mut tx, SecretPurpose::ResetPassword, token).await?;
    let user = found
        .and_then(|found| found.user)
        .ok_or_else(invalid_token)?;
    let known = store::secrets(&mut tx, user)
        .await?
        .ok_or_else(invalid_token)?;
    drop(tx);
    rules::check(new, &known.email, "newPassword")?;
    let attempt = accounts
        .attempt("password-reset", &user.to_string(), origin)
        .await?;
    let hash = accounts.hasher.hash(new).await?;
    let mut tx = accounts.db.system(SystemReason::SignIn).await?;
    // Of two concurrent requests one takes it.
    let taken = one_time::take(&mut tx, SecretPurpose::ResetPassword, token).await?;
    taken.ok_or_else(invalid_token)?;
    store::reset_password(&mut tx, user, hash).await?;
    revoke_begun(&mut tx, user).await?;
    let ended = sessions::end_all(&mut tx, user, Which::All, Ended::PasswordChanged).await?;
    trail::leave(&mut tx, user, "password.reset", origin).await?;
    tx.commit().await?;
    attempt.succeeded().await;
    for ended in &ended {
        sessions::note_ended(accounts, user, ended, Ended::PasswordChanged, origin);
    }
    accounts
        .mail
        .send(letters::password_changed(&accounts.settings, &known.email));
    Ok(())
}

/// Revokes what was begun with the old password or may still replace the new one.
async fn revoke_begun(tx: &mut SystemTx, user: UserId) -> Result<()> {
    one_time::revoke(tx, SecretPurpose::ResetPassword, user).await?;
    one_time::revoke(tx, SecretPurpose::SecondFactor, user).await
}

fn wrong() -> Error {
    Error::invalid(
        "INVALID_CREDENTIALS",
        "currentPassword",
        "this is not your password",
    )
}

pub(super) fn invalid_token() -> Error {
    Error::invalid(
        "INVALID_TOKEN",
        "token",
        "this link was used already or is too old, ask for a new one",
    )
}
