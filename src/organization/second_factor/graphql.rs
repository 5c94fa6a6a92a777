//! The second factor in the schema.

use std::sync::Arc;

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::{Enrolment, Shown, SignedInPerson, Status};
use crate::{
    access::{Actor, Oneself},
    base::error::{Error, Result},
    graphql::{RequestContext, UserError},
    organization::accounts::{AccountsExt as _, Session, SignInPayload, SignedIn},
};

/// Your second factor.
#[derive(SimpleObject)]
struct SecondFactor {
    /// Since when an authenticator app is in use; null when there is none.
    enabled_at: Option<DateTime<Utc>>,
    /// Whether one of your tenants wants a second factor of everybody; it can't be turned off then.
    required: bool,
    /// How many recovery codes you have left.
    recovery_codes_left: i64,
}

/// What an authenticator app is set up with. It is shown once.
#[derive(SimpleObject)]
struct SecondFactorSetUp {
    /// The secret, to be typed in by hand.
    secret: String,
    /// The same as an address that apps on this device open.
    otpauth_uri: String,
    /// The same as a picture to be scanned: an SVG element.
    qr_svg: String,
}

/// Asks for a new authenticator app.
#[derive(InputObject)]
struct SetUpSecondFactorInput {
    /// The token of the sign-in that waits for its second factor; not when you are signed in.
    token: Option<String>,
    /// Your password, when you have no app yet and are signed in or were so when the sign-in began, or when it began at
    /// a provider that is trusted with some tenants only.
    password: Option<String>,
    /// A code of the app in use, when you replace it.
    code: Option<String>,
    /// A recovery code in its place.
    recovery_code: Option<String>,
}

/// What setting up came to.
#[derive(SimpleObject)]
struct SetUpSecondFactorPayload {
    /// What the app is set up with.
    set_up: Option<SecondFactorSetUp>,
    /// What has to be mended.
    user_errors: Vec<UserError>,
}

/// Puts the app into use.
#[derive(InputObject)]
struct ConfirmSecondFactorInput {
    /// The token of the sign-in that waits for its second factor; not when you are signed in.
    token: Option<String>,
    /// The code that the app shows now.
    code: String,
}

/// What confirming came to.
#[derive(SimpleObject)]
struct ConfirmSecondFactorPayload {
    /// Ten codes for when the app is lost, each works once. They are not shown again.
    recovery_codes: Option<Vec<String>>,
    /// The session, when this ended a sign-in.
    session: Option<Session>,
    /// What has to be mended.
    user_errors: Vec<UserError>,
}

/// Ends a sign-in by the second factor: a code of the app, or a recovery code.
#[derive(InputObject)]
struct CompleteSecondFactorInput {
    /// The token that the sign-in answered.
    token: String,
    /// The code that the app shows now.
    code: Option<String>,
    /// A recovery code in its place.
    recovery_code: Option<String>,
}

/// Turns the second factor off.
#[derive(InputObject)]
struct DisableSecondFactorInput {
    /// Your password, if you have one.
    password: Option<String>,
    /// The code that the app shows now.
    code: Option<String>,
    /// A recovery code in its place.
    recovery_code: Option<String>,
}

/// What turning off came to.
#[derive(SimpleObject)]
struct DisableSecondFactorPayload {
    /// How you stand now.
    second_factor: Option<SecondFactor>,
    /// What has to be mended.
    user_errors: Vec<UserError>,
}

/// Replaces the recovery codes.
#[derive(InputObject)]
struct RenewRecoveryCodesInput {
    /// The code that the app shows now.
    code: String,
}

/// What renewing came to.
#[derive(SimpleObject)]
struct RenewRecoveryCodesPayload {
    /// Ten new codes; those before are void. They are not shown again.
    recovery_codes: Option<Vec<String>>,
    /// What has to be mended.
    user_errors: Vec<UserError>,
}

/// Reading one's own second factor.
#[derive(Default)]
pub struct SecondFactorQuery;

/// Setting up and using a second factor.
#[derive(Default)]
pub struct SecondFactorMutation;

#[Object]
impl SecondFactorQuery {
    /// Your second factor; null for programs. It takes a session of the account's own (`ACCOUNT_SIGN_IN_REQUIRED`).
    async fn second_factor(
        &self,
        ctx: &Context<'_>,
    ) -> async_graphql::Result<Option<SecondFactor>> {
        let actor = actor(ctx)?;
        if actor.person().is_none() {
            return Ok(None);
        }
        let oneself = Oneself::of(actor)?;
        Ok(Some(super::status(ctx.accounts(), &oneself).await?.into()))
    }
}

#[Object]
impl SecondFactorMutation {
    /// Begins to set up an authenticator app: when you are signed in, or in the middle of a sign-in that wants one.
    /// An app in use goes on until the new one is confirmed.
    async fn set_up_second_factor(
        &self,
        ctx: &Context<'_>,
        input: SetUpSecondFactorInput,
    ) -> async_graphql::Result<SetUpSecondFactorPayload> {
        let (accounts, origin) = (ctx.accounts(), ctx.origin());
        let outcome = match &input.token {
            Some(token) => super::set_up_in_sign_in(accounts, token, input.password, &origin).await,
            None => {
                let is_shown = input.code.is_some() || input.recovery_code.is_some();
                let shown = is_shown.then(|| Shown::read(input.code, input.recovery_code));
                match (SignedInPerson::of(actor(ctx)?), shown.transpose()) {
                    (Ok(person), Ok(shown)) => {
                        super::set_up(accounts, person, input.password, shown, &origin).await
                    }
                    (Err(error), _) | (_, Err(error)) => Err(error),
                }
            }
        };
        let (set_up, user_errors) = split(outcome)?;
        Ok(SetUpSecondFactorPayload {
            set_up: set_up.map(SecondFactorSetUp::from),
            user_errors,
        })
    }

    /// Puts the app that was set up into use, by a first code of it. In the middle of a sign-in this ends it.
    async fn confirm_second_factor(
        &self,
        ctx: &Context<'_>,
        input: ConfirmSecondFactorInput,
    ) -> async_graphql::Result<ConfirmSecondFactorPayload> {
        let (accounts, origin) = (ctx.accounts(), ctx.origin());
        let ConfirmSecondFactorInput { token, code } = input;
        let outcome = match token {
            Some(token) => super::confirm_in_sign_in(accounts, &token, &code, &origin)
                .await
                .map(|(signed_in, codes)| (session(signed_in), codes)),
            None => match SignedInPerson::of(actor(ctx)?) {
                Ok(person) => super::confirm(accounts, person, &code, &origin)
                    .await
                    .map(|codes| (None, codes)),
                Err(error) => Err(error),
            },
        };
        let (done, user_errors) = split(outcome)?;
        let (session, recovery_codes) = done.unzip();
        Ok(ConfirmSecondFactorPayload {
            recovery_codes,
            session: session.flatten(),
            user_errors,
        })
    }

    /// Ends a sign-in that waits for your second factor. Each code works once, and there are five tries.
    async fn complete_second_factor(
        &self,
        ctx: &Context<'_>,
        input: CompleteSecondFactorInput,
    ) -> async_graphql::Result<SignInPayload> {
        let outcome = match Shown::read(input.code, input.recovery_code) {
            Ok(shown) => super::complete(ctx.accounts(), &input.token, shown, &ctx.origin()).await,
            Err(error) => Err(error),
        };
        SignInPayload::new(outcome)
    }

    /// Turns your second factor off. Not while one of your tenants wants it.
    async fn disable_second_factor(
        &self,
        ctx: &Context<'_>,
        input: DisableSecondFactorInput,
    ) -> async_graphql::Result<DisableSecondFactorPayload> {
        let accounts = ctx.accounts();
        let shown = Shown::read(input.code, input.recovery_code);
        let outcome = match (SignedInPerson::of(actor(ctx)?), shown) {
            (Ok(person), Ok(shown)) => {
                super::disable(accounts, person, input.password, shown, &ctx.origin()).await
            }
            (Err(error), _) | (_, Err(error)) => Err(error),
        };
        let (status, user_errors) = split(outcome)?;
        Ok(DisableSecondFactorPayload {
            second_factor: status.map(SecondFactor::from),
            user_errors,
        })
    }

    /// Replaces your recovery codes, for example when others have seen them or they are used up.
    async fn renew_recovery_codes(
        &self,
        ctx: &Context<'_>,
        input: RenewRecoveryCodesInput,
    ) -> async_graphql::Result<RenewRecoveryCodesPayload> {
        let outcome = match SignedInPerson::of(actor(ctx)?) {
            Ok(person) => {
                super::renew_codes(ctx.accounts(), person, input.code, &ctx.origin()).await
            }
            Err(error) => Err(error),
        };
        let (recovery_codes, user_errors) = split(outcome)?;
        Ok(RenewRecoveryCodesPayload {
            recovery_codes,
            user_errors,
        })
    }
}

impl From<Status> for SecondFactor {
    fn from(status: Status) -> Self {
        Self {
            enabled_at: status.enabled_at,
            required: status.is_required,
            recovery_codes_left: status.recovery_codes_left,
        }
    }
}

impl From<Enrolment> for SecondFactorSetUp {
    fn from(enrolment: Enrolment) -> Self {
        Self {
            secret: enrolment.secret,
            otpauth_uri: enrolment.uri,
            qr_svg: enrolment.qr_svg,
        }
    }
}

/// The actor: these fields may also be selected without being signed in.
fn actor<'c>(ctx: &'c Context<'_>) -> Result<&'c Actor> {
    let request = ctx.data_opt::<Arc<RequestContext>>();
    let request = request.ok_or(Error::Unauthenticated(
        "sign in first, or send the token of the sign-in that waits",
    ))?;
    Ok(request.actor())
}

fn session(signed_in: SignedIn) -> Option<Session> {
    match signed_in {
        SignedIn::Session(opened) => Some(Session::from(*opened)),
        SignedIn::SecondFactor(_) => None,
    }
}

fn split<T>(outcome: Result<T>) -> async_graphql::Result<(Option<T>, Vec<UserError>)> {
    match outcome {
        Ok(done) => Ok((Some(done), Vec::new())),
        Err(error) if error.is_users() => Ok((None, vec![UserError::from(&error)])),
        Err(error) => Err(error.into()),
    }
}
