//! Deals in the schema: what is part of one, with fields of its own.

use std::sync::Arc;

use async_graphql::{Context, Object};
use chrono::{DateTime, Utc};

use super::{
    Opportunity, OpportunityFields, OpportunityStatus,
    loader::{CollaboratorRow, ContactRoleRow, StageChangeRow},
};
use crate::{
    base::{
        error::Result,
        ids::{StageChangeId, Typed as _},
        money,
    },
    crm::{activities::ActivityKind, contacts::Contact, pipelines::Stage},
    graphql::{
        ContextExt as _,
        scalars::{BigInt, Money},
    },
    organization::members::{ChangeAuthor, User},
};

/// What is to be done next about a deal.
pub(super) struct ScheduledAction<'a> {
    pub(super) at: DateTime<Utc>,
    pub(super) kind: ActivityKind,
    pub(super) deal: &'a Opportunity,
}

/// What is to be done next about a deal.
#[Object(name = "NextAction")]
impl ScheduledAction<'_> {
    /// When it is due.
    async fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// What kind of thing it is.
    async fn kind(&self) -> ActivityKind {
        self.kind
    }

    /// What exactly.
    async fn details(&self) -> Option<&str> {
        self.deal.agenda.next_action_details.as_deref()
    }

    /// Who is to do it.
    async fn owner(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        User::load(ctx, self.deal.agenda.next_action_owner_id).await
    }
}

/// A contact of a deal, with the part it plays.
pub(super) struct ContactRole {
    pub(super) row: ContactRoleRow,
    pub(super) primary: bool,
}

/// A contact of a deal, with the part it plays.
#[Object(name = "OpportunityContact")]
impl ContactRole {
    /// The contact; null when you may not see it.
    async fn contact(&self, ctx: &Context<'_>) -> Result<Option<Arc<Contact>>> {
        ctx.request().load(Some(self.row.contact_id.uuid())).await
    }

    /// The part it plays, for example `decision maker`.
    async fn role(&self) -> Option<&str> {
        self.row.role.as_deref()
    }

    /// Whether it is the one to talk to first.
    async fn primary(&self) -> bool {
        self.primary
    }
}

/// A member who works on a deal beside its owner.
pub(super) struct Collaborator(pub(super) CollaboratorRow);

/// A member who works on a deal beside its owner.
#[Object(name = "OpportunityCollaborator")]
impl Collaborator {
    /// The person.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        User::load(ctx, Some(self.0.user_id)).await
    }

    /// The part the person plays, for example `presales`.
    async fn role(&self) -> Option<&str> {
        self.0.role.as_deref()
    }
}

/// One change of a deal's stage or status. Such entries are never changed.
pub(super) struct StageChange(pub(super) StageChangeRow);

/// One change of a deal's stage or status. Such entries are never changed.
#[Object]
impl StageChange {
    /// The id, as `stageChange:<uuid>`.
    async fn id(&self) -> StageChangeId {
        self.0.stage_change_id
    }

    /// The stage it left; null when the deal came about.
    #[graphql(name = "fromStage")]
    async fn left_stage(&self, ctx: &Context<'_>) -> Result<Option<Arc<Stage>>> {
        ctx.request()
            .load(self.0.from_stage_id.map(|id| id.uuid()))
            .await
    }

    /// The stage it entered.
    async fn to_stage(&self, ctx: &Context<'_>) -> Result<Option<Arc<Stage>>> {
        ctx.request().load(Some(self.0.to_stage_id.uuid())).await
    }

    /// The status before.
    #[graphql(name = "fromStatus")]
    async fn left_status(&self) -> Option<OpportunityStatus> {
        self.0.from_status
    }

    /// The status after.
    async fn to_status(&self) -> OpportunityStatus {
        self.0.to_status
    }

    /// What the deal was worth then.
    async fn amount(&self, ctx: &Context<'_>) -> Option<Money> {
        let currency = self.0.amount_currency.as_deref();
        let amount = money::Money::from_columns(self.0.amount_minor, currency);
        ctx.request()
            .unless_masked(OpportunityFields::AMOUNT_MINOR, amount.map(Money::from))
    }

    /// Its probability after the change, in percent.
    async fn probability(&self) -> i32 {
        self.0.probability.into()
    }

    /// How long it had stood in the stage it left, in seconds.
    async fn stood_seconds(&self) -> Option<BigInt> {
        self.0.stood_seconds.map(BigInt)
    }

    /// When.
    async fn changed_at(&self) -> DateTime<Utc> {
        self.0.changed_at
    }

    /// By whom.
    async fn changed_by(&self) -> ChangeAuthor {
        ChangeAuthor::new(&self.0.changed_by)
    }
}
