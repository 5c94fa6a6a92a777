//! One's own account.

use async_graphql::SimpleObject;

use crate::{
    accounts::{Accounts, store},
    db::SystemReason,
    error::{Error, Result},
    ids::UserId,
};

/// Your account, the same in all tenants.
#[derive(SimpleObject)]
#[graphql(name = "ViewerAccount")]
pub(super) struct Account {
    /// Whether you have shown that the e-mail address is yours.
    email_verified: bool,
    /// Whether signing in wants a second factor from you.
    second_factor_enabled: bool,
    /// Whether you can sign in with a password.
    has_password: bool,
}

/// Reads the own account, which is beyond the tenant.
pub(super) async fn get(accounts: &Accounts, user: UserId) -> Result<Account> {
    let mut tx = accounts.db.system(SystemReason::SignIn).await?;
    let standing = store::standing(&mut tx, user).await?;
    let standing = standing.ok_or_else(|| Error::internal("an actor is no person"))?;
    Ok(Account {
        email_verified: standing.has_verified_email,
        second_factor_enabled: standing.has_second_factor,
        has_password: standing.has_password,
    })
}
