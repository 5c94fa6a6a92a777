//! What jobs keep accounts in step with: the rights of who connected them, and a word to people when that ends.

use std::sync::Arc;

use super::{Connector, Integration, IntegrationStatus, notice, store};
use crate::{
    access::{Actor, Subject},
    base::{
        error::Result,
        ids::{TenantId, Typed as _},
    },
    db::{Tx, journal::EventKind},
    entity,
    integrations::sync::Pushing,
    jobs::{Authority, Failure, Run, consumers},
    organization::members,
    platform::mail::Mailer,
};

/// Why nobody answers for an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::integrations) enum Nobody {
    /// Whoever authorised it is not in the tenant any more.
    Gone,
    /// They are not shown all fields of records any more.
    Masked,
}

impl Nobody {
    /// The code, for programs.
    pub(in crate::integrations) fn code(self) -> &'static str {
        match self {
            Self::Gone => "OWNER_GONE",
            Self::Masked => "OWNER_MASKED",
        }
    }

    /// The same, for people.
    pub(in crate::integrations) fn message(self) -> &'static str {
        match self {
            Self::Gone => "whoever authorised the account is not in the tenant any more",
            Self::Masked => {
                "whoever authorised the account is not shown all fields of records any more"
            }
        }
    }
}

/// What jobs keep accounts in step with.
pub struct Synchronizer {
    pub(in crate::integrations) connector: Arc<Connector>,
    authority: Arc<dyn Authority>,
    mailer: Mailer,
    /// Where people find the frontend.
    app_url: String,
}

impl Synchronizer {
    /// Puts it together; `app_url` is where people find the frontend.
    #[must_use]
    pub fn new(
        connector: Arc<Connector>,
        authority: Arc<dyn Authority>,
        mailer: Mailer,
        app_url: String,
    ) -> Self {
        Self {
            connector,
            authority,
            mailer,
            app_url,
        }
    }

    /// Whoever an account acts for, with their rights now, in the account's own name; or why there is nobody.
    ///
    /// # Errors
    /// The database.
    pub(in crate::integrations) async fn actor(
        &self,
        tenant: TenantId,
        integration: &Integration,
    ) -> Result<Result<Arc<Actor>, Nobody>> {
        let actor = match Subject::of(&integration.fields.runs_as) {
            Some(subject) => self.authority.actor(tenant, subject).await?,
            None => None,
        };
        Ok(match actor {
            None => Err(Nobody::Gone),
            // What they are not shown here, a service would be told.
            Some(actor) if !actor.rights.masks().is_empty() => Err(Nobody::Masked),
            Some(actor) => Ok(actor.integrating(integration.id)),
        })
    }

    /// Says that an account has to be authorised again, and tells who cares.
    ///
    /// # Errors
    /// The database.
    pub(in crate::integrations) async fn need_reauthorization(
        &self,
        run: &Run,
        integration: &Integration,
        reason: &'static str,
    ) -> Result<(), Failure> {
        tracing::warn!(integration = %integration.id, reason, "an integration has to be authorised again");
        let told = run.write(async |tx| {
            let now = tx.now();
            let act = async |_: &mut Tx, integration: &mut Integration| {
                // It may have been paused, disconnected or authorised meanwhile.
                if integration.fields.status == IntegrationStatus::Active {
                    let status = IntegrationStatus::ReauthorizationNeeded;
                    integration.fields.stand(status, Some(reason), now);
                }
                Ok(())
            };
            let before = integration.fields.status;
            let id = (integration.id, None);
            let after: Integration = entity::change(tx, id, EventKind::Suspended, act).await?;
            match after.fields.status != before {
                true => members::answerable(tx, &after.fields.runs_as).await,
                false => Ok(Vec::new()),
            }
        });
        for to in told.await? {
            let message = notice::reauthorization(&to, &self.app_url, integration);
            self.mailer.send(message);
        }
        Ok(())
    }

    /// Has what changes here be written there, if the service is told anything: from now on, or from where it was paused.
    ///
    /// # Errors
    /// The database.
    pub(in crate::integrations) async fn follow(
        &self,
        tx: &mut Tx,
        integration: &Integration,
    ) -> Result<()> {
        let provider = self.connector.providers.get(&integration.fields.provider);
        let kinds = provider.map(|provider| provider.about().kinds.as_slice());
        if !kinds.unwrap_or_default().iter().any(|kind| kind.is_pushed) {
            return Ok(());
        }
        let instance = integration.id.uuid();
        match store::pushed(tx, integration.id).await? {
            Some(seq) => {
                store::note_pushed(tx, integration.id, None).await?;
                consumers::rewind::<Pushing>(tx, instance, seq).await
            }
            None => consumers::follow::<Pushing>(tx, instance).await,
        }
    }

    /// Ends that, for an account that is not active: how far it was is known when it is active again.
    ///
    /// # Errors
    /// The database.
    pub(in crate::integrations) async fn leave(
        &self,
        tx: &mut Tx,
        integration: &Integration,
        seq: i64,
    ) -> Result<()> {
        let is_over = integration.fields.status == IntegrationStatus::Disconnected;
        store::note_pushed(tx, integration.id, (!is_over).then_some(seq)).await?;
        consumers::leave::<Pushing>(tx, integration.id.uuid()).await
    }
}
