//! Acting on one's own account, which is beyond tenants: who may, and how far.
//!
//! What a tenant trusts (a provider that the operator named tenants for, another issuer's token) is good in that tenant
//! and not for the account: its operator could impersonate any member there, and must not reach other tenants by that.

use std::{fmt::Write as _, sync::Arc};

use super::{Actor, Subject};
use crate::base::{
    error::{Error, Result},
    ids::{SessionId, Typed as _, UserId},
};

/// How far the credential that a person signed in with is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vouched {
    /// For all of the account.
    Account,
    /// For what a provider opens that is trusted with some tenants only; by its key.
    Provider(Arc<str>),
    /// For the tenant of the token.
    Tenant,
}

/// A person who acts on their own account. Made by [`Self::of`] and [`Self::of_devices`] alone; the unit of work in `db/`
/// hands it to Postgres as settings, whose policies check it as well.
#[derive(Debug, Clone)]
pub struct Oneself {
    user: UserId,
    session: Option<SessionId>,
    provider: Option<Arc<str>>,
}

impl Oneself {
    /// A person who acts on all of their account.
    ///
    /// # Errors
    /// `Forbidden` for a program, `ACCOUNT_SIGN_IN_REQUIRED` for a person whom only a tenant trusts.
    pub fn of(actor: &Actor) -> Result<Self> {
        match actor.vouched {
            Vouched::Account => Self::new(actor, None),
            Vouched::Provider(_) | Vouched::Tenant => Err(refused(actor)),
        }
    }

    /// A person who acts on the devices they are signed in on. A sign-in through a provider that only some tenants trust
    /// reaches the devices that signed in through the same provider.
    ///
    /// # Errors
    /// `Forbidden` for a program, `ACCOUNT_SIGN_IN_REQUIRED` for a person with another issuer's token.
    pub fn of_devices(actor: &Actor) -> Result<Self> {
        match &actor.vouched {
            Vouched::Account => Self::new(actor, None),
            Vouched::Provider(key) => Self::new(actor, Some(Arc::clone(key))),
            Vouched::Tenant => Err(refused(actor)),
        }
    }

    fn new(actor: &Actor, provider: Option<Arc<str>>) -> Result<Self> {
        match actor.subject {
            Subject::Person(user, session) => Ok(Self {
                user,
                session,
                provider,
            }),
            Subject::Key(_) | Subject::Worker => Err(program()),
        }
    }

    /// Who.
    #[must_use]
    pub fn user(&self) -> UserId {
        self.user
    }

    /// The session of the request; a token from the command line has none.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// The provider whose devices alone are reached.
    #[must_use]
    pub fn provider(&self) -> Option<&str> {
        self.provider.as_deref()
    }

    /// The `SET LOCAL` statements by which the policies know the account, and the session or provider.
    pub(crate) fn settings(&self) -> String {
        let mut sql = format!("SET LOCAL app.account = '{}'", self.user.uuid());
        if let Some(session) = self.session {
            _ = write!(sql, "; SET LOCAL app.session = '{}'", session.uuid());
        }
        if let Some(provider) = &self.provider {
            // A key of the identity file: letters, digits and dashes.
            _ = write!(sql, "; SET LOCAL app.provider = '{provider}'");
        }
        sql
    }
}

fn refused(actor: &Actor) -> Error {
    if actor.person().is_none() {
        return program();
    }
    account_sign_in_required(
        "this is about your whole account, and you came in by what one of your tenants trusts: sign in with your \
         password, and if you have none, choose one by `requestPasswordReset`",
    )
}

/// Something that takes more than what a tenant trusts.
pub(crate) fn account_sign_in_required(message: &'static str) -> Error {
    Error::invalid("ACCOUNT_SIGN_IN_REQUIRED", "", message)
}

fn program() -> Error {
    Error::Forbidden("have an account: you are a program")
}
