//! Trying a password without a session, and notifying the owner of the account of repeated failures.

use super::{Accounts, letters, service::Attempt, sign_in, store};
use crate::{
    base::{
        error::{Error, Result},
        ids::SessionId,
    },
    db::{SystemReason, journal::Origin},
    platform::redis::Counter,
};

/// Begins a try of an account's password by a caller who is not signed in. When it comes too early the owner is mailed,
/// once a day at most.
///
/// # Errors
/// `TooManyAttempts`.
pub(crate) async fn attempt<'a>(
    accounts: &'a Accounts,
    email: &str,
    device: Option<SessionId>,
    origin: &Origin,
) -> Result<Attempt<'a>> {
    let begun = accounts.attempt_from_outside(sign_in::ACT, email, device, origin);
    let begun = begun.await;
    if matches!(begun, Err(Error::TooManyAttempts { .. })) {
        sound(accounts, email, origin).await;
    }
    begun
}

/// Mails the owner, if there is one. That is looked up after the answer.
async fn sound(accounts: &Accounts, email: &str, origin: &Origin) {
    let daily = Counter::daily("sign-in-alarm", email);
    if accounts.throttle.begin(&daily).await.is_err() {
        return;
    }
    let (db, mail, settings) = (
        accounts.db.clone(),
        accounts.mail.clone(),
        accounts.settings.clone(),
    );
    let (recorder, origin, email) = (accounts.recorder.clone(), origin.clone(), email.to_owned());
    accounts.later("a warning of guesses at a password", async move {
        let mut tx = db.system(SystemReason::SignIn).await?;
        let Some(person) = store::by_email(&mut tx, email).await? else {
            return Ok(());
        };
        let user = person.user_id;
        if let Some(known) = store::secrets(&mut tx, user).await? {
            mail.send(letters::guessed(&settings, &known.email));
            sign_in::note_refusal(&recorder, user, "TOO_MANY_ATTEMPTS", &origin);
        }
        Ok(())
    });
}
