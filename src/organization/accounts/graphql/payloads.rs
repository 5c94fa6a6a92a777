//! What the mutations of accounts answer, beside a session.

use async_graphql::SimpleObject;

use super::{Session, account::Account, session::errors_of};
use crate::{base::error::Result, graphql::UserError, organization::accounts::SignedIn};

/// Whether something is on its way by mail.
#[derive(SimpleObject)]
pub(super) struct MailPayload {
    /// Whether the request was taken. Whether a mail was sent is not disclosed.
    accepted: bool,
    /// What has to be mended; empty when it was taken.
    user_errors: Vec<UserError>,
}

/// What ending sessions came to.
#[derive(SimpleObject)]
pub(super) struct SessionsPayload {
    /// How many sessions ended.
    ended: i32,
    /// What has to be mended; empty when it was done.
    user_errors: Vec<UserError>,
}

/// What setting a password came to.
#[derive(SimpleObject)]
pub(super) struct PasswordPayload {
    /// Whether the new password holds.
    changed: bool,
    /// What has to be mended; empty when it holds.
    user_errors: Vec<UserError>,
}

/// What a mailed link came to.
#[derive(SimpleObject)]
pub(super) struct VerifyEmailPayload {
    /// Whether the address is confirmed.
    verified: bool,
    /// The session of the person who finished a registration.
    session: Option<Session>,
    /// What has to be mended; empty when the address is confirmed.
    user_errors: Vec<UserError>,
}

/// What changing one's own account came to.
#[derive(SimpleObject)]
pub(super) struct ViewerUpdatePayload {
    /// The account as it is now; null when nothing was changed.
    account: Option<Account>,
    /// What has to be mended; empty when it was changed.
    user_errors: Vec<UserError>,
}

impl MailPayload {
    pub(super) fn new(outcome: Result<()>) -> async_graphql::Result<Self> {
        let accepted = outcome.is_ok();
        Ok(Self {
            accepted,
            user_errors: outcome.map_or_else(errors_of, |()| Ok(Vec::new()))?,
        })
    }
}

impl SessionsPayload {
    pub(super) fn new(outcome: Result<usize>) -> async_graphql::Result<Self> {
        Ok(match outcome {
            Ok(ended) => Self {
                ended: i32::try_from(ended).unwrap_or(i32::MAX),
                user_errors: Vec::new(),
            },
            Err(error) => Self {
                ended: 0,
                user_errors: errors_of(error)?,
            },
        })
    }
}

impl PasswordPayload {
    pub(super) fn new(outcome: Result<()>) -> async_graphql::Result<Self> {
        let changed = outcome.is_ok();
        Ok(Self {
            changed,
            user_errors: outcome.map_or_else(errors_of, |()| Ok(Vec::new()))?,
        })
    }
}

impl VerifyEmailPayload {
    pub(super) fn new(outcome: Result<Option<SignedIn>>) -> async_graphql::Result<Self> {
        Ok(match outcome {
            Ok(signed_in) => Self {
                verified: true,
                session: match signed_in {
                    Some(SignedIn::Session(opened)) => Some(Session::from(*opened)),
                    Some(SignedIn::SecondFactor(_)) | None => None,
                },
                user_errors: Vec::new(),
            },
            Err(error) => Self {
                verified: false,
                session: None,
                user_errors: errors_of(error)?,
            },
        })
    }
}

impl ViewerUpdatePayload {
    pub(super) fn new(outcome: Result<Account>) -> async_graphql::Result<Self> {
        Ok(match outcome {
            Ok(account) => Self {
                account: Some(account),
                user_errors: Vec::new(),
            },
            Err(error) => Self {
                account: None,
                user_errors: errors_of(error)?,
            },
        })
    }
}
