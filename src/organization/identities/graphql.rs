//! Signing in at a provider, in the schema.

use async_graphql::{Context, InputObject, Object, SimpleObject};

use super::sign_in::{self, Beginning, Completing};
use crate::{
    graphql::UserError,
    organization::accounts::{AccountsExt as _, SignInPayload},
};

/// How people may sign in.
#[derive(SimpleObject)]
struct SignInOptions {
    /// Whether by password.
    passwords: bool,
    /// Through which outside providers.
    providers: Vec<SignInProvider>,
    /// Whether a second factor is wanted of everybody.
    second_factor_required: bool,
}

/// An outside provider that people sign in through.
#[derive(SimpleObject)]
struct SignInProvider {
    /// What `beginProviderSignIn` calls it.
    key: String,
    /// What people call it.
    name: String,
}

/// Begins a sign-in at a provider.
#[derive(InputObject)]
struct BeginProviderSignInInput {
    /// The key of the provider.
    provider: String,
    /// The page of yours that the provider sends people back to; one of those it was configured with.
    redirect_uri: String,
    /// The tenant to enter, by its slug; without it the one you were in last.
    tenant: Option<String>,
}

/// What beginning came to.
#[derive(SimpleObject)]
struct BeginProviderSignInPayload {
    /// Where to send the browser.
    authorization_url: Option<String>,
    /// What to complete the sign-in with. Keep it in this browser, for example in its session storage: it shows that
    /// the person who comes back is the one who went.
    sign_in_token: Option<String>,
    /// What has to be mended.
    user_errors: Vec<UserError>,
}

/// Completes a sign-in with what the provider sent back.
#[derive(InputObject)]
struct CompleteProviderSignInInput {
    /// The token that the sign-in began with.
    sign_in_token: String,
    /// The `state` that came back.
    state: String,
    /// The `code` that came back.
    code: String,
    /// The `iss` that came back, if one did.
    issuer: Option<String>,
}

/// What may be known before signing in.
#[derive(Default)]
pub struct IdentityQuery;

/// Signing in at outside providers.
#[derive(Default)]
pub struct IdentityMutation;

#[Object]
impl IdentityQuery {
    /// How people may sign in to a tenant. Also answered without being signed in.
    async fn sign_in_options(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant, by its slug.")] tenant: Option<String>,
    ) -> async_graphql::Result<SignInOptions> {
        let options = sign_in::options(ctx.accounts(), tenant).await?;
        let provider = |(key, name)| SignInProvider { key, name };
        Ok(SignInOptions {
            passwords: options.passwords,
            providers: options.providers.into_iter().map(provider).collect(),
            second_factor_required: options.second_factor_required,
        })
    }
}

#[Object]
impl IdentityMutation {
    /// Begins a sign-in at an outside provider: answers where to send the browser.
    async fn begin_provider_sign_in(
        &self,
        ctx: &Context<'_>,
        input: BeginProviderSignInInput,
    ) -> async_graphql::Result<BeginProviderSignInPayload> {
        let beginning = Beginning {
            provider: input.provider,
            redirect_uri: input.redirect_uri,
            tenant: input.tenant,
        };
        let begun = sign_in::begin(ctx.accounts(), beginning, &ctx.origin()).await;
        let (begun, user_errors) = match begun {
            Ok(begun) => (Some(begun), Vec::new()),
            Err(error) if error.is_users() => (None, vec![UserError::from(&error)]),
            Err(error) => return Err(error.into()),
        };
        let (authorization_url, sign_in_token) = begun
            .map(|begun| (begun.authorization_url, begun.token))
            .unzip();
        Ok(BeginProviderSignInPayload {
            authorization_url,
            sign_in_token,
            user_errors,
        })
    }

    /// Completes a sign-in with what the provider sent the browser back with.
    async fn complete_provider_sign_in(
        &self,
        ctx: &Context<'_>,
        input: CompleteProviderSignInInput,
    ) -> async_graphql::Result<SignInPayload> {
        let completing = Completing {
            token: input.sign_in_token,
            state: input.state,
            code: input.code,
            issuer: input.issuer,
        };
        let completed = sign_in::complete(ctx.accounts(), completing, &ctx.origin()).await;
        SignInPayload::new(completed)
    }
}
