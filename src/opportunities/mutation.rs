//! Deals in the schema: what can be changed.

use std::sync::Arc;

use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::{
    DealContact, DealUser, ForecastCategory, NewOpportunity, NextAction, Opportunity,
    OpportunityFields, Place,
};
use crate::{
    activities::{Activity, ActivityKind},
    auth::{Rights, Sensitive},
    error::Result,
    graphql::{
        ContextExt as _, DeletePayload, UserError, answer,
        patch::{patch, patch_money, patch_or_default, patch_required, refuse_masked},
        scalars::{Date, MoneyInput},
    },
    ids::{CompanyId, ContactId, OpportunityId, StageId, Typed as _, UserId},
    pipelines, records,
};

/// What can be written of a deal beside its name. Leave a field out to keep it, send null to empty it.
#[derive(Debug, InputObject)]
struct OpportunityDetails {
    /// What it is worth.
    amount: MaybeUndefined<MoneyInput>,
    /// How likely it is won, in percent, set by hand; null follows the stage again.
    probability: MaybeUndefined<i16>,
    /// Where it counts in a forecast; winning and losing change it too.
    forecast_category: Option<ForecastCategory>,
    /// When it is expected to close.
    expected_close_on: MaybeUndefined<Date>,
    /// Where it came from.
    source: MaybeUndefined<String>,
    /// The company it is with.
    company_id: MaybeUndefined<CompanyId>,
    /// The contact to talk to first; becomes one of its contacts.
    primary_contact_id: MaybeUndefined<ContactId>,
    /// Who owns it. A new deal is yours unless you say otherwise.
    owner_id: MaybeUndefined<UserId>,
    /// Free words to find it by; replaces all.
    tags: MaybeUndefined<Vec<String>>,
}

impl OpportunityDetails {
    fn probability(&self) -> Option<Option<i16>> {
        match &self.probability {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(percent) => Some(Some(*percent)),
        }
    }

    fn write_to(self, fields: &mut OpportunityFields, rights: &Rights) -> Result<()> {
        refuse_masked(rights, Sensitive::Amounts, (&self.amount, "amount"))?;
        patch_money(
            self.amount,
            "amount",
            (&mut fields.amount_minor, &mut fields.amount_currency),
        )?;
        patch_required(self.forecast_category, &mut fields.forecast_category);
        patch(
            self.expected_close_on.map_value(|date| date.0),
            &mut fields.expected_close_on,
        );
        patch(self.source, &mut fields.source);
        patch(self.company_id, &mut fields.company_id);
        patch(self.primary_contact_id, &mut fields.primary_contact_id);
        patch(self.owner_id, &mut fields.ownership.owner_id);
        patch_or_default(self.tags, &mut fields.tags);
        Ok(())
    }
}

/// A contact of a deal.
#[derive(Debug, InputObject)]
struct OpportunityContactInput {
    /// Which contact.
    contact_id: ContactId,
    /// The part it plays, for example `decision maker`.
    role: Option<String>,
}

/// Somebody who works on a deal beside its owner.
#[derive(Debug, InputObject)]
struct OpportunityCollaboratorInput {
    /// Which person.
    user_id: UserId,
    /// The part the person plays, for example `presales`.
    role: Option<String>,
}

/// What is to be done next about a deal.
#[derive(Debug, InputObject)]
struct NextActionInput {
    /// When it is due.
    at: DateTime<Utc>,
    /// What kind of thing it is.
    kind: ActivityKind,
    /// What exactly.
    details: Option<String>,
    /// Who is to do it; the deal's owner unless you say otherwise.
    owner_id: Option<UserId>,
}

impl From<NextActionInput> for NextAction {
    fn from(
        NextActionInput {
            at,
            kind,
            details,
            owner_id,
        }: NextActionInput,
    ) -> Self {
        Self {
            at,
            kind,
            details,
            owner_id,
        }
    }
}

/// A deal to be created.
#[derive(Debug, InputObject)]
struct OpportunityCreateInput {
    /// Your own id for it (`opportunity:<uuid>`, best a version 7): sending the same twice creates it once.
    id: Option<OpportunityId>,
    /// What it is called.
    name: String,
    /// The stage it enters; the first open one of the preferred pipeline unless you say otherwise.
    stage_id: Option<StageId>,
    /// Its contacts beside the primary one.
    contacts: Option<Vec<OpportunityContactInput>>,
    /// Who works on it beside its owner.
    collaborators: Option<Vec<OpportunityCollaboratorInput>>,
    /// What is to be done next.
    next_action: Option<NextActionInput>,
    /// Why it was lost, when it is created in a lost stage.
    lost_reason: Option<String>,
    #[graphql(flatten)]
    details: OpportunityDetails,
}

/// A change to a deal.
#[derive(Debug, InputObject)]
struct OpportunityUpdateInput {
    /// Which deal.
    id: OpportunityId,
    /// The version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// What it is called.
    name: Option<String>,
    #[graphql(flatten)]
    details: OpportunityDetails,
}

/// Names a deal, and the version it is expected at.
#[derive(Debug, InputObject)]
struct OpportunityRefInput {
    /// Which deal.
    id: OpportunityId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
}

/// A deal's way to another stage.
#[derive(Debug, InputObject)]
struct OpportunityMoveStageInput {
    /// Which deal.
    id: OpportunityId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// Into which stage; an open or a won one. Losing takes a reason: use `opportunityLose`.
    stage_id: StageId,
    /// On the board right after this deal of that stage; at the end when neither is named.
    after_id: Option<OpportunityId>,
    /// On the board right before this deal of that stage.
    before_id: Option<OpportunityId>,
}

/// A deal's place on the board.
#[derive(Debug, InputObject)]
struct OpportunityReorderInput {
    /// Which deal.
    id: OpportunityId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// Right after this deal of the same stage; at the end when neither is named.
    after_id: Option<OpportunityId>,
    /// Right before this deal of the same stage.
    before_id: Option<OpportunityId>,
}

/// A win.
#[derive(Debug, InputObject)]
struct OpportunityWinInput {
    /// Which deal.
    id: OpportunityId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// Into which won stage; the first of its pipeline unless you say otherwise.
    stage_id: Option<StageId>,
}

/// A loss.
#[derive(Debug, InputObject)]
struct OpportunityLoseInput {
    /// Which deal.
    id: OpportunityId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// Into which lost stage; the first of its pipeline unless you say otherwise.
    stage_id: Option<StageId>,
    /// Why it is lost; most tenants require it.
    reason: Option<String>,
    /// What else there is to say about it.
    note: Option<String>,
}

/// A way back from a win or a loss.
#[derive(Debug, InputObject)]
struct OpportunityReopenInput {
    /// Which deal.
    id: OpportunityId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// Into which open stage; the one it was in last unless you say otherwise.
    stage_id: Option<StageId>,
}

/// A deal's contacts.
#[derive(Debug, InputObject)]
struct OpportunitySetContactsInput {
    /// Which deal.
    id: OpportunityId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// All of its contacts; replaces those it has.
    contacts: Vec<OpportunityContactInput>,
}

/// Who works on a deal.
#[derive(Debug, InputObject)]
struct OpportunitySetCollaboratorsInput {
    /// Which deal.
    id: OpportunityId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// All who work on it beside its owner; replaces those who do now.
    collaborators: Vec<OpportunityCollaboratorInput>,
}

/// What is to be done next.
#[derive(Debug, InputObject)]
struct OpportunitySetNextActionInput {
    /// Which deal.
    id: OpportunityId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// What is to be done next; null when nothing is.
    next_action: Option<NextActionInput>,
}

/// A next action that is done.
#[derive(Debug, InputObject)]
struct OpportunityCompleteNextActionInput {
    /// Which deal.
    id: OpportunityId,
    /// The version it is expected at. Required: of two people who complete the same action, one gets a CONFLICT.
    expected_version: i32,
    /// What came of it, for example `reached, wants a quote`.
    outcome: Option<String>,
    /// What else there is to say about it; becomes the activity's body.
    notes: Option<String>,
    /// What is to be done after it; nothing when left out.
    next: Option<NextActionInput>,
}

/// What a change to a deal came to.
#[derive(SimpleObject)]
struct OpportunityPayload {
    /// The deal after the change; after a CONFLICT as it is now; null when the change was refused.
    opportunity: Option<Arc<Opportunity>>,
    /// What has to be mended; empty when the change was made.
    user_errors: Vec<UserError>,
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
        payload(ctx, id, outcome.await).await
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
        payload(ctx, id, outcome.await).await
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
        payload(ctx, id, outcome.await).await
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
        payload(ctx, id, outcome.await).await
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
        payload(ctx, id, outcome.await).await
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
            super::lose(tx, (id, expected_version), stage_id, (reason, note)).await
        });
        payload(ctx, id, outcome.await).await
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
        payload(ctx, id, outcome.await).await
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
        payload(ctx, id, outcome.await).await
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
        payload(ctx, id, outcome.await).await
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
        let next = next_action.map(NextAction::from);
        let outcome = ctx
            .request()
            .write(async |tx| super::set_next_action(tx, (id, expected_version), next).await);
        payload(ctx, id, outcome.await).await
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
        let next = next.map(NextAction::from);
        let done = ctx.request().write(async |tx| {
            super::complete_next_action(tx, (id, expected_version), (outcome, notes), next).await
        });
        let (deal, activity) = done.await.map_or_else(
            |error| (Err(error), None),
            |(deal, id)| (Ok(deal), Some(id)),
        );
        let (opportunity, user_errors) = answer(ctx, id.uuid(), deal).await?;
        let activity = ctx.request().load(activity.map(|id| id.uuid())).await?;
        Ok(OpportunityCompleteNextActionPayload {
            opportunity,
            activity,
            user_errors,
        })
    }

    /// Puts a deal away.
    async fn opportunity_archive(
        &self,
        ctx: &Context<'_>,
        input: OpportunityRefInput,
    ) -> async_graphql::Result<OpportunityPayload> {
        let outcome = ctx
            .request()
            .write(async |tx| records::archive(tx, input.id.uuid(), input.expected_version).await);
        payload(ctx, input.id, outcome.await).await
    }

    /// Takes a deal back from the archive.
    async fn opportunity_restore(
        &self,
        ctx: &Context<'_>,
        input: OpportunityRefInput,
    ) -> async_graphql::Result<OpportunityPayload> {
        let outcome = ctx
            .request()
            .write(async |tx| records::restore(tx, input.id.uuid(), input.expected_version).await);
        payload(ctx, input.id, outcome.await).await
    }

    /// Deletes a deal with its stage history for good; its activities stay.
    async fn opportunity_delete(
        &self,
        ctx: &Context<'_>,
        input: OpportunityRefInput,
    ) -> async_graphql::Result<DeletePayload> {
        let outcome = ctx.request().write(async |tx| {
            records::delete::<Opportunity>(tx, input.id.uuid(), input.expected_version).await
        });
        DeletePayload::new(input.id, outcome.await)
    }
}

fn contacts(inputs: Vec<OpportunityContactInput>) -> Vec<DealContact> {
    inputs
        .into_iter()
        .map(|OpportunityContactInput { contact_id, role }| DealContact { contact_id, role })
        .collect()
}

fn users(inputs: Vec<OpportunityCollaboratorInput>) -> Vec<DealUser> {
    inputs
        .into_iter()
        .map(|OpportunityCollaboratorInput { user_id, role }| DealUser { user_id, role })
        .collect()
}

async fn payload(
    ctx: &Context<'_>,
    id: OpportunityId,
    outcome: Result<Opportunity>,
) -> async_graphql::Result<OpportunityPayload> {
    let (opportunity, user_errors) = answer(ctx, id.uuid(), outcome).await?;
    Ok(OpportunityPayload {
        opportunity,
        user_errors,
    })
}
