//! Working out what is to be sent: the events after the mark, as whoever answers for the endpoint sees them.

use super::{Webhooks, body, ledger, notice};
use crate::{
    base::ids::Typed as _,
    jobs::{Failure, Run, consumers},
    organization::{
        members,
        webhooks::{self, DisabledReason, Page, RenderFailure, Rendered, WebhookEndpoint},
    },
};

impl Webhooks {
    /// Works out what follows from the next events and writes it with the mark; how far that is, or nothing when the
    /// endpoint had to be disabled.
    pub(super) async fn expand(
        &self,
        run: &Run,
        endpoint: &WebhookEndpoint,
        mark: consumers::Mark,
    ) -> Result<Option<i64>, Failure> {
        let Some(actor) = self.actor(run, endpoint).await? else {
            self.give_up(run, endpoint, DisabledReason::OwnerGone)
                .await?;
            return Ok(None);
        };
        let subscriptions = &endpoint.fields.subscriptions;
        let renderer = self.renderer.get()?;
        let page = renderer.render(&actor, subscriptions, mark.seq, mark.last_seq);
        let Page { upto, rendered } = match page.await {
            Ok(page) => page,
            Err(RenderFailure::Unavailable) => {
                let message = "the database does not answer, or is too busy";
                return Err(Failure::passing("UNAVAILABLE", message));
            }
            Err(RenderFailure::Unreadable(why)) => {
                tracing::warn!(endpoint = %endpoint.id, why, "the subscription of a webhook can't be read any more");
                self.give_up(run, endpoint, DisabledReason::Unreadable)
                    .await?;
                return Ok(None);
            }
            Err(RenderFailure::LogLost) => {
                self.give_up(run, endpoint, DisabledReason::LogLost).await?;
                return Ok(None);
            }
        };
        let own = |rendered: &Rendered| {
            endpoint.fields.skips_own && rendered.author == endpoint.fields.runs_as
        };
        let new: Vec<_> = rendered
            .iter()
            .filter(|rendered| !own(rendered))
            .map(|rendered| ledger::NewDelivery {
                id: body::id(endpoint.id, &rendered.cursor),
                seq: rendered.cursor.seq,
                change: body::word(rendered.change),
                entity: rendered.entity.clone(),
                entity_id: rendered.id,
                body: body::of(run.tenant(), &endpoint.fields.api_version, rendered),
            })
            .collect();
        let instance = endpoint.id.uuid();
        let written = run.write(async |tx| {
            let of = (endpoint.id, endpoint.fields.runs_as.as_str());
            ledger::insert(tx, of, new).await?;
            consumers::advance::<Self>(tx, instance, mark.seq, upto).await
        });
        written.await?;
        Ok(Some(upto))
    }

    /// Disables an endpoint that can't be sent anything, and tells who cares.
    pub(super) async fn give_up(
        &self,
        run: &Run,
        endpoint: &WebhookEndpoint,
        reason: DisabledReason,
    ) -> Result<(), Failure> {
        tracing::warn!(endpoint = %endpoint.id, ?reason, "a webhook endpoint is disabled");
        let disabled = run.write(async |tx| {
            webhooks::disable(tx, endpoint.id, reason).await?;
            members::answerable(tx, &endpoint.fields.runs_as).await
        });
        for to in disabled.await? {
            let message = notice::disabled(&to, &self.app_url, endpoint, reason);
            self.mailer.send(message);
        }
        run.db().metrics().webhooks.note_disabled(reason.word());
        Ok(())
    }
}
