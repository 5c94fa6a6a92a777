//! Accounts in the schema.

mod account;
mod inputs;
mod payloads;
mod session;

use std::sync::Arc;

use async_graphql::{Context, Object};

use super::{
    Accounts, Credentials, TenantChoice, password, profile, refresh,
    register::{self, FirstTenant, Registration},
    sessions::{self, Ended, Which},
    sign_in, switch, verify,
};
use crate::{
    access::Oneself,
    base::{
        error::{Error, Result},
        ids::SessionId,
        text::normalize_email,
    },
    db::journal::Origin,
    graphql::ContextExt as _,
};
use account::{Account, SignedInDevice};
use inputs::{
    EmailVerificationResendInput, PasswordChangeInput, RefreshSessionInput, RegisterInput,
    RequestPasswordResetInput, ResetPasswordInput, SessionRevokeAllInput, SessionRevokeInput,
    SignInInput, SignOutInput, SwitchTenantInput, VerifyEmailInput, ViewerUpdateInput,
};
use payloads::{
    MailPayload, PasswordPayload, SessionsPayload, VerifyEmailPayload, ViewerUpdatePayload,
};

pub use session::{Session, SignInPayload};

/// Reaching the accounts from a resolver, also from one that answers people who are not signed in.
pub trait AccountsExt {
    /// The accounts service.
    fn accounts(&self) -> &Arc<Accounts>;
    /// Where the request comes from.
    fn origin(&self) -> Origin;
}

impl AccountsExt for Context<'_> {
    fn accounts(&self) -> &Arc<Accounts> {
        // The only way to build the schema of a server puts it in.
        self.data_unchecked::<Arc<Accounts>>()
    }

    fn origin(&self) -> Origin {
        self.data_opt::<Origin>().cloned().unwrap_or_default()
    }
}

/// The caller, for what is about all of their account.
fn oneself(ctx: &Context<'_>) -> Result<Oneself> {
    Oneself::of(ctx.request().actor())
}

/// The caller, for what is about the devices they are signed in on.
fn of_devices(ctx: &Context<'_>) -> Result<Oneself> {
    Oneself::of_devices(ctx.request().actor())
}

/// The session of the request; a token from the command line has none.
fn session(ctx: &Context<'_>) -> Result<SessionId> {
    let session = ctx.request().actor().session();
    session.ok_or(Error::Forbidden("do this without a session: sign in"))
}

/// Reading one's own account.
#[derive(Default)]
pub struct AccountQuery;

#[Object]
impl AccountQuery {
    /// Your account, the same in all tenants; null for a program. It takes a session of the account's own, as every
    /// act on it does: `ACCOUNT_SIGN_IN_REQUIRED` for who came in by what a tenant trusts.
    async fn viewer_account(&self, ctx: &Context<'_>) -> Result<Option<Account>> {
        match ctx.request().actor().person() {
            Some(_) => account::get(ctx.accounts(), &oneself(ctx)?).await.map(Some),
            None => Ok(None),
        }
    }

    /// The devices you are signed in on, the last used first; at most 200. Who came through a provider of some tenants
    /// sees those that came through it as well.
    async fn sessions(&self, ctx: &Context<'_>) -> Result<Vec<SignedInDevice>> {
        let oneself = of_devices(ctx)?;
        let mut tx = ctx.accounts().db.account(&oneself).await?;
        let devices = sessions::list(&mut tx, oneself.user()).await?.into_iter();
        Ok(devices
            .map(|device| SignedInDevice {
                is_current: Some(device.session) == oneself.session(),
                device,
            })
            .collect())
    }
}

/// Registering, signing in and staying signed in.
#[derive(Default)]
pub struct AccountMutation;

#[Object]
impl AccountMutation {
    /// Registers you with your first tenant. A link is mailed to you; `verifyEmail` with its secret and your password
    /// finishes the registration and signs you in. An address that has an account gets the same answer.
    async fn register(
        &self,
        ctx: &Context<'_>,
        input: RegisterInput,
    ) -> async_graphql::Result<MailPayload> {
        let new = Registration {
            name: input.name,
            email: input.email,
            password: input.password,
            tenant: FirstTenant {
                name: input.tenant.name,
                slug: input.tenant.slug,
                base_currency: input.tenant.base_currency,
                time_zone: input.tenant.time_zone,
                locale: input.tenant.locale,
            },
        };
        MailPayload::new(register::register(ctx.accounts(), new, &ctx.origin()).await)
    }

    /// Takes the secret of a mailed link, which shows that the address is yours. For a registration it also takes the
    /// password, and signs you in.
    async fn verify_email(
        &self,
        ctx: &Context<'_>,
        input: VerifyEmailInput,
    ) -> async_graphql::Result<VerifyEmailPayload> {
        let password = input.password.as_deref();
        let verified =
            verify::verify_email(ctx.accounts(), &input.token, password, &ctx.origin()).await;
        VerifyEmailPayload::new(verified)
    }

    /// Mails you the link that confirms your address once more.
    async fn email_verification_resend(
        &self,
        ctx: &Context<'_>,
        input: EmailVerificationResendInput,
    ) -> async_graphql::Result<MailPayload> {
        let resend = async || {
            let oneself = oneself(ctx)?;
            let email = normalize_email(&input.email, "email")?;
            verify::resend(ctx.accounts(), &oneself, &email, &ctx.origin()).await
        };
        MailPayload::new(resend().await)
    }

    /// Signs you in with your password. An unknown address and a wrong password get the same answer.
    async fn sign_in(
        &self,
        ctx: &Context<'_>,
        input: SignInInput,
    ) -> async_graphql::Result<SignInPayload> {
        let credentials = Credentials {
            email: input.email,
            password: input.password,
            tenant: input.tenant,
            device: input.previous_refresh_token,
        };
        SignInPayload::new(sign_in::sign_in(ctx.accounts(), credentials, &ctx.origin()).await)
    }

    /// Gets you the next access token and the next refresh token; the one you had is used up. Ask once at a time: an
    /// old refresh token that comes back ends the session, unless its answer got lost less than half a minute ago.
    /// With `tenant` the access token is for that one, and the session stays where it is as well: so tabs that are in
    /// different tenants share a session.
    async fn refresh_session(
        &self,
        ctx: &Context<'_>,
        input: RefreshSessionInput,
    ) -> async_graphql::Result<SignInPayload> {
        let RefreshSessionInput {
            refresh_token,
            tenant,
        } = input;
        let (accounts, origin) = (ctx.accounts(), ctx.origin());
        SignInPayload::new(refresh::refresh(accounts, &refresh_token, tenant, &origin).await)
    }

    /// Goes on in another tenant that you are in, with the same session: the refresh token stays good, and the access
    /// tokens for the tenant you leave end.
    async fn switch_tenant(
        &self,
        ctx: &Context<'_>,
        input: SwitchTenantInput,
    ) -> async_graphql::Result<SignInPayload> {
        let switch = async || {
            let (oneself, session) = (of_devices(ctx)?, session(ctx)?);
            let from = ctx.request().actor().tenant;
            let (wanted, field) = chosen_tenant(input)?;
            let (accounts, origin) = (ctx.accounts(), ctx.origin());
            let switched =
                switch::switch_tenant(accounts, &oneself, session, from, wanted, &origin);
            switched.await.map_err(|error| error.about(field))
        };
        SignInPayload::new(switch().await)
    }

    /// Signs you out, here or everywhere.
    async fn sign_out(
        &self,
        ctx: &Context<'_>,
        input: SignOutInput,
    ) -> async_graphql::Result<SessionsPayload> {
        let which = if input.everywhere {
            Ok(Which::All)
        } else {
            session(ctx).map(Which::One)
        };
        end(ctx, which, Ended::SignedOut).await
    }

    /// Signs you out on one of your devices.
    async fn session_revoke(
        &self,
        ctx: &Context<'_>,
        input: SessionRevokeInput,
    ) -> async_graphql::Result<SessionsPayload> {
        end(ctx, Ok(Which::One(input.id)), Ended::Revoked).await
    }

    /// Signs you out on all your devices, on all others unless you say otherwise.
    async fn session_revoke_all(
        &self,
        ctx: &Context<'_>,
        input: SessionRevokeAllInput,
    ) -> async_graphql::Result<SessionsPayload> {
        let current = ctx.request().actor().session();
        let which = match current.filter(|_| input.except_current) {
            Some(current) => Which::Others(current),
            None => Which::All,
        };
        end(ctx, Ok(which), Ended::Revoked).await
    }

    /// Changes your password and signs you out on all other devices.
    async fn password_change(
        &self,
        ctx: &Context<'_>,
        input: PasswordChangeInput,
    ) -> async_graphql::Result<PasswordPayload> {
        let change = async || {
            let oneself = oneself(ctx)?;
            let passwords = (input.current_password.as_str(), input.new_password.as_str());
            password::change(ctx.accounts(), &oneself, passwords, &ctx.origin()).await
        };
        PasswordPayload::new(change().await)
    }

    /// Mails you a link to a new password. The answer is the same whether or not the address has an account.
    async fn request_password_reset(
        &self,
        ctx: &Context<'_>,
        input: RequestPasswordResetInput,
    ) -> async_graphql::Result<MailPayload> {
        let origin = ctx.origin();
        MailPayload::new(password::request_reset(ctx.accounts(), &input.email, &origin).await)
    }

    /// Sets a new password by a mailed link, which works once, and signs you out on all devices.
    async fn reset_password(
        &self,
        ctx: &Context<'_>,
        input: ResetPasswordInput,
    ) -> async_graphql::Result<PasswordPayload> {
        let (token, new) = (input.token.as_str(), input.new_password.as_str());
        PasswordPayload::new(password::reset(ctx.accounts(), token, new, &ctx.origin()).await)
    }

    /// Changes what you say of yourself.
    async fn viewer_update(
        &self,
        ctx: &Context<'_>,
        input: ViewerUpdateInput,
    ) -> async_graphql::Result<ViewerUpdatePayload> {
        let update = async || {
            let oneself = oneself(ctx)?;
            profile::rename(ctx.accounts(), &oneself, input.name, &ctx.origin()).await?;
            account::get(ctx.accounts(), &oneself).await
        };
        ViewerUpdatePayload::new(update().await)
    }
}

/// Ends sessions of the caller. One that is not theirs is not found.
async fn end(
    ctx: &Context<'_>,
    which: Result<Which>,
    because: Ended,
) -> async_graphql::Result<SessionsPayload> {
    let end = async || {
        let (oneself, which) = (of_devices(ctx)?, which?);
        let origin = ctx.origin();
        let ended = sessions::end_now(ctx.accounts(), &oneself, which, because, &origin).await?;
        match which {
            Which::One(_) if ended == 0 => Err(Error::NotFound {
                kind: "session",
                field: "id",
            }),
            _ => Ok(ended),
        }
    };
    SessionsPayload::new(end().await)
}

fn chosen_tenant(input: SwitchTenantInput) -> Result<(TenantChoice, &'static str)> {
    match (input.tenant_id, input.slug) {
        (Some(id), None) => Ok((TenantChoice::Id(id), "tenantId")),
        (None, Some(slug)) => Ok((TenantChoice::Slug(slug), "slug")),
        _ => Err(Error::invalid(
            "INVALID_INPUT",
            "tenantId",
            "name exactly one of tenantId and slug",
        )),
    }
}
