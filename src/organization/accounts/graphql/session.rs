//! Sessions as their client gets them.

use async_graphql::{Object, SimpleObject};
use chrono::{DateTime, Utc};

use crate::{
    access::Role,
    base::{
        error::{Error, Result},
        ids::TenantId,
    },
    graphql::UserError,
    organization::accounts::{JoinedTenant, SecondFactorStep, SignedIn, sessions::OpenedSession},
};

/// What you stay signed in with. Keep the refresh token where only your own pages reach it, and the access token in
/// memory.
pub struct Session(OpenedSession);

/// What you stay signed in with. Keep the refresh token where only your own pages reach it, and the access token in
/// memory.
#[Object]
impl Session {
    /// What to send with requests, as `Authorization: Bearer …`.
    async fn access_token(&self) -> &str {
        &self.0.access.token
    }

    /// When the access token ends; refresh the session before.
    async fn access_token_expires_at(&self) -> DateTime<Utc> {
        self.0.access.expires_at
    }

    /// What to get the next access token with; each works once. Null when the one you have stays good.
    async fn refresh_token(&self) -> Option<&str> {
        self.0.refresh.as_ref().map(|(token, _)| token.as_str())
    }

    /// When the session ends, however often it is refreshed.
    async fn refresh_token_expires_at(&self) -> Option<DateTime<Utc>> {
        self.0.refresh.as_ref().map(|(_, expires_at)| *expires_at)
    }

    /// The tenant that the access token is for.
    async fn tenant(&self) -> Option<SessionTenant<'_>> {
        let tenants = self.0.tenants.iter();
        let mut here = tenants.filter(|joined| joined.tenant == self.0.tenant);
        here.next().map(SessionTenant)
    }

    /// All tenants you are in, to switch between.
    async fn tenants(&self) -> Vec<SessionTenant<'_>> {
        self.0.tenants.iter().map(SessionTenant).collect()
    }
}

/// A tenant you are in.
pub(super) struct SessionTenant<'a>(pub(super) &'a JoinedTenant);

/// A tenant you are in.
#[Object]
impl SessionTenant<'_> {
    /// The id, as `tenant:<uuid>`.
    async fn id(&self) -> TenantId {
        self.0.tenant
    }

    /// The short name in addresses.
    async fn slug(&self) -> &str {
        &self.0.slug
    }

    /// What it is called.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Your role there.
    async fn role(&self) -> Role {
        self.0.role
    }
}

impl From<OpenedSession> for Session {
    fn from(opened: OpenedSession) -> Self {
        Self(opened)
    }
}

/// The step between password and second factor.
#[derive(SimpleObject)]
pub(super) struct SecondFactorChallenge {
    /// What to complete the step with; good for ten minutes.
    token: String,
    /// Whether you have no second factor yet and have to set one up.
    set_up_required: bool,
}

/// What signing in came to: a session, or the step to the second factor.
#[derive(SimpleObject)]
pub struct SignInPayload {
    /// The session; null when there is a step left or something to be mended.
    session: Option<Session>,
    /// The step that is left: show a second factor.
    second_factor: Option<SecondFactorChallenge>,
    /// What has to be mended; empty when you are in or there is a step left.
    user_errors: Vec<UserError>,
}

impl SignInPayload {
    /// Splits what a sign-in came to; faults become GraphQL errors.
    ///
    /// # Errors
    /// Faults of the server.
    pub fn new(outcome: Result<SignedIn>) -> async_graphql::Result<Self> {
        let mut payload = Self {
            session: None,
            second_factor: None,
            user_errors: Vec::new(),
        };
        match outcome {
            Ok(SignedIn::Session(opened)) => payload.session = Some(Session(*opened)),
            Ok(SignedIn::SecondFactor(SecondFactorStep {
                token,
                set_up_required,
            })) => {
                payload.second_factor = Some(SecondFactorChallenge {
                    token,
                    set_up_required,
                });
            }
            Err(error) => payload.user_errors = errors_of(error)?,
        }
        Ok(payload)
    }
}

/// The client's errors as data; faults become GraphQL errors.
pub(super) fn errors_of(error: Error) -> async_graphql::Result<Vec<UserError>> {
    if error.is_users() {
        Ok(vec![UserError::from(&error)])
    } else {
        Err(error.into())
    }
}
