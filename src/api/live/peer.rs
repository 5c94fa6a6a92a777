//! The authenticated client of a long-lived connection, and whether it may stay.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{FutureExt as _, future::BoxFuture};

use super::Failure;
use crate::{
    access::Actor,
    base::error::{Error, Result},
    db::journal::Origin,
    organization::auth::Access,
};

/// How long the client's rights may be unknown because the database does not answer. Nothing is sent to it meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait before trying again.
const PAUSE: Duration = Duration::from_millis(500);

/// The client of a long-lived connection.
pub(crate) struct Peer {
    access: Arc<Access>,
    token: String,
    origin: Origin,
    actor: Arc<Actor>,
}

/// What reading the client's rights again came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RightsCheck {
    /// They are the same.
    Unchanged,
    /// They differ, so what the client has received may be more than it may see.
    Changed,
}

impl Peer {
    /// Authenticates a client by its token.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`, `UNAVAILABLE`.
    pub(crate) async fn admit(access: Arc<Access>, token: String, origin: Origin) -> Result<Self> {
        let actor = access.actor(&token, &origin).await?;
        Ok(Self {
            access,
            token,
            origin,
            actor,
        })
    }

    pub(crate) fn actor(&self) -> &Arc<Actor> {
        &self.actor
    }

    /// Resolves when its rights may have changed or its token has expired.
    pub(crate) fn changed(&self) -> BoxFuture<'static, ()> {
        let (access, actor) = (Arc::clone(&self.access), Arc::clone(&self.actor));
        async move { access.changed(&actor).await }.boxed()
    }

    /// Reads its rights as of now, or as of an instant or later. Waits for a database that does not answer.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when it may not stay; `UNAVAILABLE` when that could not be found out for a minute.
    pub(crate) async fn check_rights(&mut self, since: Option<Instant>) -> Result<RightsCheck> {
        let began = Instant::now();
        loop {
            let read = match since {
                Some(since) => {
                    self.access
                        .actor_as_of(&self.token, &self.origin, since)
                        .await
                }
                None => self.access.actor(&self.token, &self.origin).await,
            };
            match read {
                Ok(actor) => return Ok(self.replace_actor(actor)),
                Err(Error::Unavailable(_) | Error::TimedOut) if began.elapsed() < PATIENCE => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Continues with a newer token of the same person in the same tenant.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when it is invalid or another person's: the old one stays in use until it expires.
    pub(crate) async fn refresh(&mut self, token: String) -> Result<RightsCheck> {
        let actor = self.access.actor(&token, &self.origin).await?;
        if (actor.tenant, actor.row_id()) != (self.actor.tenant, self.actor.row_id()) {
            return Err(Error::Unauthenticated(
                "the token is another person's or of another tenant: open a new connection with it",
            ));
        }
        self.token = token;
        Ok(self.replace_actor(actor))
    }

    fn replace_actor(&mut self, actor: Arc<Actor>) -> RightsCheck {
        let is_same = self.actor.class(true) == actor.class(true);
        self.actor = actor;
        match is_same {
            true => RightsCheck::Unchanged,
            false => RightsCheck::Changed,
        }
    }
}

/// What ends the subscriptions of a client whose rights have changed.
pub(crate) fn rights_changed() -> Failure {
    Failure::resync("what you may see has changed", None)
}
