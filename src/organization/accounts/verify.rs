//! Verifying an address by a mailed link, which also finishes a registration.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{
    Accounts, Entering, SignedIn, TenantChoice, letters,
    one_time::{self, SecretPurpose},
    password::invalid_token,
    register::{FINISH_WITHIN, Pending},
    sign_in, slug,
    store::{self, NewPerson},
    trail,
};
use crate::{
    access::{Actor, Membership, Oneself, Role, Subject},
    base::{
        error::{Error, Result},
        ids::{PipelineId, TenantId, Typed as _, UserId},
        text::normalize_email,
    },
    db::{SystemReason, Tx, journal::Origin},
    organization::members::provision::{self, NewMember, NewTenant},
};

/// So often a link of a registration may be tried with a wrong password.
const MOST_TRIES: i32 = 5;

/// Takes a mailed link. One of a registration also takes the password that was chosen then, and signs the person in.
///
/// # Errors
/// `INVALID_TOKEN`; for a registration `PASSWORD_REQUIRED`, `INVALID_CREDENTIALS`, and `TAKEN` when the address got an
/// account in the meantime.
pub async fn verify_email(
    accounts: &Accounts,
    token: &str,
    password: Option<&str>,
    origin: &Origin,
) -> Result<Option<SignedIn>> {
    let mut tx = accounts.db.system(SystemReason::SignIn).await?;
    let taken = one_time::take(&mut tx, SecretPurpose::VerifyEmail, token).await?;
    if let Some(user) = taken.and_then(|taken| taken.user) {
        store::verify_email(&mut tx, user).await?;
        trail::leave(&mut tx, user, "email.verified", origin).await?;
        tx.commit().await?;
        return Ok(None);
    }
    let found = one_time::peek(&mut tx, SecretPurpose::Register, token).await?;
    drop(tx);
    found.ok_or_else(invalid_token)?;
    let password = password.ok_or_else(|| {
        Error::invalid(
            "PASSWORD_REQUIRED",
            "password",
            "type the password that you registered with",
        )
    })?;
    finish(accounts, token, password, origin).await.map(Some)
}

/// Mails a link to the address of a signed-in person who has not verified it yet.
///
/// # Errors
/// `TOO_MANY_ATTEMPTS`, `VERIFIED_ALREADY`, `NOT_YOURS` for an address that is not the account's.
pub async fn resend(
    accounts: &Accounts,
    oneself: &Oneself,
    email: &str,
    origin: &Origin,
) -> Result<()> {
    let (mut tx, user) = (accounts.db.account(oneself).await?, oneself.user());
    let known = store::secrets(&mut tx, user).await?;
    let known = known.ok_or_else(|| Error::internal("an actor is no person"))?;
    drop(tx);
    let normalized = normalize_email(&known.email, "email")?;
    if normalized != email {
        return Err(Error::invalid(
            "NOT_YOURS",
            "email",
            "this is not the address of your account",
        ));
    }
    if known.has_verified_email {
        return Err(Error::invalid(
            "VERIFIED_ALREADY",
            "",
            "this address was confirmed already",
        ));
    }
    accounts
        .attempt_from_outside("mail", &normalized, None, origin)
        .await?;
    let mut tx = accounts.db.account(oneself).await?;
    let (purpose, data) = (SecretPurpose::VerifyEmail, json!({}));
    let token = one_time::issue(&mut tx, purpose, Some(user), data, FINISH_WITHIN).await?;
    tx.commit().await?;
    accounts.mail.send(letters::verify_email(
        &accounts.settings,
        &known.email,
        &token,
    ));
    Ok(())
}

/// Makes what was registered. The link is used up last: after an interruption it can be opened again, and what was made
/// already stays as it is.
async fn finish(
    accounts: &Accounts,
    token: &str,
    password: &str,
    origin: &Origin,
) -> Result<SignedIn> {
    let mut tx = accounts.db.system(SystemReason::SignIn).await?;
    let found = one_time::attempt(&mut tx, SecretPurpose::Register, token, MOST_TRIES).await?;
    tx.commit().await?;
    let pending: Pending =
        serde_json::from_value(found.ok_or_else(invalid_token)?.data).map_err(Error::internal)?;
    if !accounts
        .hasher
        .verify(password, Some(&pending.password_hash))
        .await?
    {
        return Err(Error::invalid(
            "INVALID_CREDENTIALS",
            "password",
            "this is not the password that you registered with",
        ));
    }
    let (user, tenant) = (
        UserId::from_uuid(pending.user),
        TenantId::from_uuid(pending.tenant),
    );
    let pipeline = PipelineId::from_uuid(pending.pipeline);
    make(accounts, user, tenant, pending).await?;
    furnish(accounts, user, tenant, pipeline, origin).await?;

    let mut tx = accounts.db.system(SystemReason::SignIn).await?;
    let taken = one_time::take(&mut tx, SecretPurpose::Register, token).await?;
    taken.ok_or_else(invalid_token)?;
    let entering = Entering {
        user,
        tenant: TenantChoice::Id(tenant),
        second_factor: false,
        provider: None,
        resumed: false,
    };
    let entered = sign_in::enter(accounts, &mut tx, entering, origin).await?;
    trail::leave(&mut tx, user, "email.verified", origin).await?;
    tx.commit().await?;
    Ok(entered)
}

async fn make(accounts: &Accounts, user: UserId, tenant: TenantId, pending: Pending) -> Result<()> {
    let Pending {
        name,
        email,
        password_hash,
        first,
        ..
    } = pending;
    let normalized = normalize_email(&email, "email")?;
    let mut tx = accounts.db.system(SystemReason::Provisioning).await?;
    let known = store::by_email(&mut tx, normalized.clone()).await?;
    if known.is_some_and(|known| known.user_id != user) {
        return Err(Error::invalid(
            "TAKEN",
            "",
            "you have an account with this address already, sign in",
        ));
    }
    let person = NewPerson {
        user,
        email: email.clone(),
        normalized,
        name: name.clone(),
        password_hash,
    };
    store::add_person(&mut tx, person).await?;
    let slug = slug::free(&mut tx, first.slug.as_deref(), &first.name).await?;
    let new = NewTenant {
        id: tenant,
        slug,
        name: first.name,
        base_currency: first.base_currency,
        time_zone: first.time_zone,
        locale: first.locale,
    };
    provision::tenant(&mut tx, &new).await?;
    let member = NewMember {
        user,
        email,
        name,
        role: Role::Admin,
        team: None,
    };
    provision::members(&mut tx, tenant, &[member]).await?;
    tx.commit().await
}

/// Gives a new tenant what it needs to work, in the name of its admin.
async fn furnish(
    accounts: &Accounts,
    user: UserId,
    tenant: TenantId,
    pipeline: PipelineId,
    origin: &Origin,
) -> Result<()> {
    let membership = Membership::of(tenant, Role::Admin, None);
    let subject = Subject::Person(user, None);
    let admin = Arc::new(Actor::new(subject, membership, DateTime::<Utc>::MAX_UTC));
    let work = async |tx: &mut Tx| (accounts.furnish)(tx, pipeline).await;
    accounts.db.write(&admin, origin, work).await
}
