//! Accounts in the schema.

mod account;
mod session;

use std::sync::Arc;

use async_graphql::{Context, InputObject, Object};

use super::{Accounts, Credentials, sign_in};
use crate::{audit::Origin, error::Result, graphql::ContextExt as _};

use account::Account;
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

/// What somebody signs in with.
#[derive(InputObject)]
struct SignInInput {
    /// The e-mail address.
    email: String,
    /// The password.
    password: String,
    /// The tenant to enter, by its slug; without it the one you were in last.
    tenant: Option<String>,
}

/// Reading one's own account.
#[derive(Default)]
pub struct AccountQuery;

#[Object]
impl AccountQuery {
    /// Your account, the same in all tenants; null for a program.
    async fn viewer_account(&self, ctx: &Context<'_>) -> Result<Option<Account>> {
        match ctx.request().actor().person() {
            Some(user) => account::get(ctx.accounts(), user).await.map(Some),
            None => Ok(None),
        }
    }
}

/// Registering, signing in and staying signed in.
#[derive(Default)]
pub struct AccountMutation;

#[Object]
impl AccountMutation {
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
        };
        SignInPayload::new(sign_in(ctx.accounts(), credentials, &ctx.origin()).await)
    }
}
