//! Who is at the other end of a connection that stays open, and whether they still may be.

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

/// How long somebody may be unknown because the database does not answer. Nothing is sent to them meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_millis(500);

/// Somebody who stays.
pub(crate) struct Peer {
    access: Arc<Access>,
    token: String,
    origin: Origin,
    actor: Arc<Actor>,
}

/// What somebody's rights came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checked {
    /// What they see is what they saw.
    Same,
    /// They see other things now, so what they hold may be wrong.
    Other,
}

impl Peer {
    /// Lets somebody in by their token.
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

    /// Resolves when their rights may have changed or their token has ended.
    pub(crate) fn changed(&self) -> BoxFuture<'static, ()> {
        let (access, actor) = (Arc::clone(&self.access), Arc::clone(&self.actor));
        async move { access.changed(&actor).await }.boxed()
    }

    /// Finds out what their rights are now, or at least as of an instant. Waits for a database that does not answer.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when they may not stay; `UNAVAILABLE` when that could not be found out for a minute.
    pub(crate) async fn check(&mut self, since: Option<Instant>) -> Result<Checked> {
        let began = Instant::now();
        loop {
            let asked = match since {
                Some(since) => {
                    self.access
                        .actor_as_of(&self.token, &self.origin, since)
                        .await
                }
                None => self.access.actor(&self.token, &self.origin).await,
            };
            match asked {
                Ok(actor) => return Ok(self.become_actor(actor)),
                Err(Error::Unavailable(_) | Error::TimedOut) if began.elapsed() < PATIENCE => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Goes on by a newer token of the same person in the same tenant.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when it is not good or somebody else's: the old one counts until it ends.
    pub(crate) async fn refresh(&mut self, token: String) -> Result<Checked> {
        let actor = self.access.actor(&token, &self.origin).await?;
        if (actor.tenant, actor.row_id()) != (self.actor.tenant, self.actor.row_id()) {
            return Err(Error::Unauthenticated(
                "the token is another person's or of another tenant: open a new connection with it",
            ));
        }
        self.token = token;
        Ok(self.become_actor(actor))
    }

    fn become_actor(&mut self, actor: Arc<Actor>) -> Checked {
        let is_same = self.actor.class(true) == actor.class(true);
        self.actor = actor;
        match is_same {
            true => Checked::Same,
            false => Checked::Other,
        }
    }
}

/// What ends the subscriptions of somebody whose rights are others now.
pub(crate) fn rights_changed() -> Failure {
    Failure::resync("what you may see has changed", None)
}
