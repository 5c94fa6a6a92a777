//! Deals in the schema: what can be changed.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use uuid::Uuid;

use super::{
    Completion, Loss, NewOpportunity, NextAction, Opportunity, OpportunityFields, Place,
    input::{
        OpportunityCompleteNextActionInput, OpportunityCreateInput, OpportunityLoseInput,
        OpportunityMoveStageInput, OpportunityReopenInput, OpportunityReorderInput,
        OpportunitySetCollaboratorsInput, OpportunitySetContactsInput,
        OpportunitySetNextActionInput, OpportunityUpdateInput, OpportunityWinInput, contacts,
        users,
    },
};
use crate::{
    base::{
        error::Result,
        ids::{ActivityId, OpportunityId, Typed as _},
    },
    crm::{
        activities::{self, Activity},
        lifecycle::record_lifecycle,
        pipelines,
    },
    db::{Registered as _, Tx, list},
    graphql::{
        ContextExt as _, UserError, Written, answer,
        patch::{patch_required, said},
    },
};

record_lifecycle! {
    Opportunity, OpportunityId;

    /// Names a deal, and the version it is expected at.
    OpportunityRefInput {
        /// Which deal.
        id
    }

    /// What a change to a deal came to.
    OpportunityPayload {
        /// The deal after the change; after a CONFLICT as it is now; null when the change was refused.
        opportunity
    }

    /// Archiving and deleting deals.
    OpportunityLifecycle {
        /// Archives a deal.
        opportunity_archive
        /// Restores a deal from the archive.
        opportunity_restore
        /// Deletes a deal with its stage history for good; its activities stay.
        opportunity_delete
    }
}

/// What completing a next action came to.
#[derive(SimpleObject)]
struct OpportunityCompleteNextActionPayload {
    /// The deal after it; after a CONFLICT as it is now; null when it was refused.
    opportunity: Option<Arc<Opportunity>>,
    /// The done activity that was logged.
    activity: Option<Arc<Activity>>,
    /// What has to be mended; empty when it was completed.
    user_errors: Vec<UserError>,
}

/// A deal whose next action was completed, and the activity that was logged.
struct Completed {
    deal: Opportunity,
    activity: ActivityId,
}

impl Written for Completed {
    const LOST: &str = "read the deal and its activities";

    fn subject(&self) -> Option<(&'static str, Uuid)> {
        Some((Activity::KIND, self.activity.uuid()))
    }

    async fn rebuild(tx: &mut Tx, subject: Option<(&str, Uuid)>) -> Result<Option<Self>> {
        let activity = subject.filter(|(kind, _)| *kind == Activity::KIND);
        let Some(activity) = activity.map(|(_, id)| ActivityId::from_uuid(id)) else {
            return Ok(None);
        };
        let Some(deal) = activities::only_deal(tx, activity).await? else {
            return Ok(None);
        };
        let deal = list::find(tx, deal.uuid()).await?;
        Ok(deal.map(|deal| Self { deal, activity }))
    }
}

/// Writing deals.
#[derive(Default)]
pub struct OpportunityMutation;

#[Object]
impl OpportunityMutation {
    /// Creates a deal.
    async fn opportunity_create(
        &self,
        ctx: &Context<'_>,
        input: OpportunityCreateInput,
    ) -> async_graphql::Result<OpportunityPayload> {
        let id = input.id.unwrap_or_default();
        let owner = ctx.request().actor().person();
        let outcome = ctx.request().write(async |tx| {
            let stage_id = match input.stage_id {
                Some(stage_id) => stage_id,
                None => pipelines::entry_stage(tx).await?.id,
            };
            let mut fields = OpportunityFields {
                name: input.name,
                ..Default::default()
            };
            fields.ownership.owner_id = owner;
            let probability = input.details.probability().flatten();
            input.details.write_to(&mut fields, &tx.actor().rights)?;
            let new = NewOpportunity {
                id,
                fields,
                stage_id,
                probability,
                path: Vec::new(),
                contacts: contacts(input.contacts.unwrap_or_default()),
                users: users(input.collaborators.unwrap_or_default()),
                lost_reason: input.lost_reason,
                next_action: input.next_action.map(NextAction::from),
                last_activity_at: None,
                created_at: None,
            };
            super::create(tx, new).await
        });
        OpportunityPayload::new(ctx, id, outcome.await).await
    }

    /// Changes a deal.
    async fn opportunity_update(
        &self,
        ctx: &Context<'_>,
        input: OpportunityUpdateInput,
    ) -> async_graphql::Result<OpportunityPayload> {
        let OpportunityUpdateInput {
            id,
            expected_version,
            name,
            details,
        } = input;
        let probability = details.probability();
        let outcome = ctx.request().write(async |tx| {
            let rights = Arc::clone(&tx.actor().rights);
            super::update(tx, (id, expected_version), probability, |fields| {
                patch_required(name, &mut fields.name);
                details.write_to(fields, &rights)
            })
            .await
        });
        OpportunityPayload::new(ctx, id, outcome.await).await
    }

    /// Moves an open deal to another stage, also of another pipeline. A stage of kind WON wins it.
    async fn opportunity_move_stage(
        &self,
        ctx: &Context<'_>,
        input: OpportunityMoveStageInput,
    ) -> async_graphql::Result<OpportunityPayload> {
        let OpportunityMoveStageInput {
            id,
            expected_version,
            stage_id,
            after_id,
            before_id,
        } = input;
        let place = Place {
            after: after_id,
            before: before_id,
        };
        let outcome = ctx
            .request()
            .write(async |tx| super::move_stage(tx, (id, expected_version), stage_id, place).await);
        OpportunityPayload::new(ctx, id, outcome.await).await
    }

    /// Moves a deal along the board within its stage.
    async fn opportunity_reorder(
        &self,
        ctx: &Context<'_>,
        input: OpportunityReorderInput,
    ) -> async_graphql::Result<OpportunityPayload> {
        let OpportunityReorderInput {
            id,
            expected_version,
            after_id,
            before_id,
        } = input;
        let place = Place {
            after: after_id,
            before: before_id,
        };
        let outcome = ctx
            .request()
            .write(async |tx| super::reorder(tx, (id, expected_version), place).await);
        OpportunityPayload::new(ctx, id, outcome.await).await
    }

    /// Wins an open deal.
    async fn opportunity_win(
        &self,
        ctx: &Context<'_>,
        input: OpportunityWinInput,
    ) -> async_graphql::Result<OpportunityPayload> {
        let OpportunityWinInput {
            id,
            expected_version,
            stage_id,
        } = input;
        let outcome = ctx
            .request()
            .write(async |tx| super::win(tx, (id, expected_version), stage_id).await);
        OpportunityPayload::new(ctx, id, outcome.await).await
    }

    /// Loses an open deal.
    async fn opportunity_lose(
        &self,
        ctx: &Context<'_>,
        input: OpportunityLoseInput,
    ) -> async_graphql::Result<OpportunityPayload> {
        let OpportunityLoseInput {
            id,
            expected_version,
            stage_id,
            reason,
            note,
        } = input;
        let outcome = ctx.request().write(async |tx| {
            super::lose(tx, (id, expected_version), stage_id, Loss { reason, note }).await
        });
        OpportunityPayload::new(ctx, id, outcome.await).await
    }

    /// Opens a won or lost deal again.
    async fn opportunity_reopen(
        &self,
        ctx: &Context<'_>,
        input: OpportunityReopenInput,
    ) -> async_graphql::Result<OpportunityPayload> {
        let OpportunityReopenInput {
            id,
            expected_version,
            stage_id,
        } = input;
        let outcome = ctx
            .request()
            .write(async |tx| super::reopen(tx, (id, expected_version), stage_id).await);
        OpportunityPayload::new(ctx, id, outcome.await).await
    }

    /// Replaces the contacts of a deal.
    async fn opportunity_set_contacts(
        &self,
        ctx: &Context<'_>,
        input: OpportunitySetContactsInput,
    ) -> async_graphql::Result<OpportunityPayload> {
        let OpportunitySetContactsInput {
            id,
            expected_version,
            contacts: wanted,
        } = input;
        let outcome = ctx.request().write(async |tx| {
            super::set_contacts(tx, (id, expected_version), contacts(wanted)).await
        });
        OpportunityPayload::new(ctx, id, outcome.await).await
    }

    /// Replaces the people who work on a deal beside its owner. They see it whatever their role's row scope.
    async fn opportunity_set_collaborators(
        &self,
        ctx: &Context<'_>,
        input: OpportunitySetCollaboratorsInput,
    ) -> async_graphql::Result<OpportunityPayload> {
        let OpportunitySetCollaboratorsInput {
            id,
            expected_version,
            collaborators,
        } = input;
        let outcome = ctx.request().write(async |tx| {
            super::set_collaborators(tx, (id, expected_version), users(collaborators)).await
        });
        OpportunityPayload::new(ctx, id, outcome.await).await
    }

    /// Sets what is to be done next about an open deal, or that nothing is.
    async fn opportunity_set_next_action(
        &self,
        ctx: &Context<'_>,
        input: OpportunitySetNextActionInput,
    ) -> async_graphql::Result<OpportunityPayload> {
        let OpportunitySetNextActionInput {
            id,
            expected_version,
            next_action,
        } = input;
        let outcome = ctx.request().write(async |tx| {
            let next = said(next_action, "nextAction")?.map(NextAction::from);
            super::set_next_action(tx, (id, expected_version), next).await
        });
        OpportunityPayload::new(ctx, id, outcome.await).await
    }

    /// Completes the next action in one atomic step: logs it as a done activity, and schedules what comes next.
    async fn opportunity_complete_next_action(
        &self,
        ctx: &Context<'_>,
        input: OpportunityCompleteNextActionInput,
    ) -> async_graphql::Result<OpportunityCompleteNextActionPayload> {
        let OpportunityCompleteNextActionInput {
            id,
            expected_version,
            outcome,
            notes,
            next,
        } = input;
        let completion = Completion {
            outcome,
            notes,
            next: next.map(NextAction::from),
        };
        let done = ctx.request().write(async |tx| {
            let done = super::complete_next_action(tx, (id, expected_version), completion).await?;
            let (deal, activity) = done;
            Ok(Completed { deal, activity })
        });
        let (deal, activity) = done.await.map_or_else(
            |error| (Err(error), None),
            |done| (Ok(done.deal), Some(done.activity)),
        );
        let (opportunity, user_errors) = answer(ctx, id.uuid(), deal).await?;
        let activity = ctx.request().load(activity.map(|id| id.uuid())).await?;
        Ok(OpportunityCompleteNextActionPayload {
            opportunity,
            activity,
            user_errors,
        })
    }

    #[graphql(flatten)]
    async fn lifecycle(&self) -> OpportunityLifecycle {
        OpportunityLifecycle
    }
}
