//! Deals in the schema: what is sent to change them.

use async_graphql::{InputObject, MaybeUndefined};
use chrono::{DateTime, Utc};

use super::{DealContact, DealUser, ForecastCategory, NextAction, OpportunityFields};
use crate::{
    access::Rights,
    base::{
        error::Result,
        ids::{CompanyId, ContactId, OpportunityId, StageId, UserId},
    },
    crm::activities::ActivityKind,
    graphql::{
        patch::{patch, patch_money, patch_or_default, patch_required, refuse_masked},
        scalars::{Date, MoneyInput},
    },
};

/// What can be written of a deal beside its name. Leave a field out to keep it, send null to empty it.
#[derive(Debug, InputObject)]
pub(super) struct OpportunityDetails {
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
    pub(super) fn probability(&self) -> Option<Option<i16>> {
        match &self.probability {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(percent) => Some(Some(*percent)),
        }
    }

    pub(super) fn write_to(self, fields: &mut OpportunityFields, rights: &Rights) -> Result<()> {
        let amounts = OpportunityFields::AMOUNT_MINOR;
        refuse_masked(rights, amounts, &self.amount, "amount")?;
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
pub(super) struct OpportunityContactInput {
    /// Which contact.
    contact_id: ContactId,
    /// The part it plays, for example `decision maker`.
    role: Option<String>,
}

/// A member who works on a deal beside its owner.
#[derive(Debug, InputObject)]
pub(super) struct OpportunityCollaboratorInput {
    /// Which person.
    user_id: UserId,
    /// The part the person plays, for example `presales`.
    role: Option<String>,
}

/// What is to be done next about a deal.
#[derive(Debug, InputObject)]
pub(super) struct NextActionInput {
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
pub(super) struct OpportunityCreateInput {
    /// Your own id for it (`opportunity:<uuid>`, best a version 7): sending the same twice creates it once.
    pub(super) id: Option<OpportunityId>,
    /// What it is called.
    pub(super) name: String,
    /// The stage it enters; the first open one of the preferred pipeline unless you say otherwise.
    pub(super) stage_id: Option<StageId>,
    /// Its contacts beside the primary one.
    pub(super) contacts: Option<Vec<OpportunityContactInput>>,
    /// Who works on it beside its owner.
    pub(super) collaborators: Option<Vec<OpportunityCollaboratorInput>>,
    /// What is to be done next.
    pub(super) next_action: Option<NextActionInput>,
    /// Why it was lost, when it is created in a lost stage.
    pub(super) lost_reason: Option<String>,
    #[graphql(flatten)]
    pub(super) details: OpportunityDetails,
}

/// A change to a deal.
#[derive(Debug, InputObject)]
pub(super) struct OpportunityUpdateInput {
    /// Which deal.
    pub(super) id: OpportunityId,
    /// The version that the change was made for; another one answers CONFLICT.
    pub(super) expected_version: Option<i32>,
    /// What it is called.
    pub(super) name: Option<String>,
    #[graphql(flatten)]
    pub(super) details: OpportunityDetails,
}

/// A deal's way to another stage.
#[derive(Debug, InputObject)]
pub(super) struct OpportunityMoveStageInput {
    /// Which deal.
    pub(super) id: OpportunityId,
    /// The version it is expected at; another one answers CONFLICT.
    pub(super) expected_version: Option<i32>,
    /// Into which stage; an open or a won one. Losing takes a reason: use `opportunityLose`.
    pub(super) stage_id: StageId,
    /// On the board right after this deal of that stage; at the end when neither is named.
    pub(super) after_id: Option<OpportunityId>,
    /// On the board right before this deal of that stage.
    pub(super) before_id: Option<OpportunityId>,
}

/// A deal's place on the board.
#[derive(Debug, InputObject)]
pub(super) struct OpportunityReorderInput {
    /// Which deal.
    pub(super) id: OpportunityId,
    /// The version it is expected at; another one answers CONFLICT.
    pub(super) expected_version: Option<i32>,
    /// Right after this deal of the same stage; at the end when neither is named.
    pub(super) after_id: Option<OpportunityId>,
    /// Right before this deal of the same stage.
    pub(super) before_id: Option<OpportunityId>,
}

/// A win.
#[derive(Debug, InputObject)]
pub(super) struct OpportunityWinInput {
    /// Which deal.
    pub(super) id: OpportunityId,
    /// The version it is expected at; another one answers CONFLICT.
    pub(super) expected_version: Option<i32>,
    /// Into which won stage; the first of its pipeline unless you say otherwise.
    pub(super) stage_id: Option<StageId>,
}

/// A loss.
#[derive(Debug, InputObject)]
pub(super) struct OpportunityLoseInput {
    /// Which deal.
    pub(super) id: OpportunityId,
    /// The version it is expected at; another one answers CONFLICT.
    pub(super) expected_version: Option<i32>,
    /// Into which lost stage; the first of its pipeline unless you say otherwise.
    pub(super) stage_id: Option<StageId>,
    /// Why it is lost; most tenants require it.
    pub(super) reason: Option<String>,
    /// What else there is to say about it.
    pub(super) note: Option<String>,
}

/// A way back from a win or a loss.
#[derive(Debug, InputObject)]
pub(super) struct OpportunityReopenInput {
    /// Which deal.
    pub(super) id: OpportunityId,
    /// The version it is expected at; another one answers CONFLICT.
    pub(super) expected_version: Option<i32>,
    /// Into which open stage; the one it was in last unless you say otherwise.
    pub(super) stage_id: Option<StageId>,
}

/// A deal's contacts.
#[derive(Debug, InputObject)]
pub(super) struct OpportunitySetContactsInput {
    /// Which deal.
    pub(super) id: OpportunityId,
    /// The version it is expected at; another one answers CONFLICT.
    pub(super) expected_version: Option<i32>,
    /// All of its contacts; replaces those it has.
    pub(super) contacts: Vec<OpportunityContactInput>,
}

/// Who works on a deal.
#[derive(Debug, InputObject)]
pub(super) struct OpportunitySetCollaboratorsInput {
    /// Which deal.
    pub(super) id: OpportunityId,
    /// The version it is expected at; another one answers CONFLICT.
    pub(super) expected_version: Option<i32>,
    /// All who work on it beside its owner; replaces those who do now.
    pub(super) collaborators: Vec<OpportunityCollaboratorInput>,
}

/// What is to be done next.
#[derive(Debug, InputObject)]
pub(super) struct OpportunitySetNextActionInput {
    /// Which deal.
    pub(super) id: OpportunityId,
    /// The version it is expected at; another one answers CONFLICT.
    pub(super) expected_version: Option<i32>,
    /// What is to be done next; null when nothing is. One of both has to be said.
    pub(super) next_action: MaybeUndefined<NextActionInput>,
}

/// A next action that is done.
#[derive(Debug, InputObject)]
pub(super) struct OpportunityCompleteNextActionInput {
    /// Which deal.
    pub(super) id: OpportunityId,
    /// The version it is expected at. Required: of two people who complete the same action, one gets a CONFLICT.
    pub(super) expected_version: i32,
    /// What came of it, for example `reached, wants a quote`.
    pub(super) outcome: Option<String>,
    /// What else there is to say about it; becomes the activity's body.
    pub(super) notes: Option<String>,
    /// What is to be done after it; nothing when left out.
    pub(super) next: Option<NextActionInput>,
}

/// The contacts that were sent, as the verbs take them.
pub(super) fn contacts(inputs: Vec<OpportunityContactInput>) -> Vec<DealContact> {
    inputs
        .into_iter()
        .map(|OpportunityContactInput { contact_id, role }| DealContact { contact_id, role })
        .collect()
}

/// The people that were sent, as the verbs take them.
pub(super) fn users(inputs: Vec<OpportunityCollaboratorInput>) -> Vec<DealUser> {
    inputs
        .into_iter()
        .map(|OpportunityCollaboratorInput { user_id, role }| DealUser { user_id, role })
        .collect()
}
