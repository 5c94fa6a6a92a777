//! Deals in the schema: what can be read.

use std::sync::Arc;

use async_graphql::{Context, Object};
use chrono::{DateTime, Utc};
use dealgraph_derive::connection_args;
use uuid::Uuid;

use super::{
    Opportunity, OpportunityFields,
    due::{DueActions, DueScope},
    filter::{OpportunityFilter, OpportunityOrder, USUAL_ORDER},
    loader::{Collaborators, ContactRoles, StageHistory},
    model::Agenda,
    parts::{Collaborator, ContactRole, ScheduledAction, StageChange},
    projection::SHAPE,
    standing::Standing,
    stats::{self, PipelineStats},
};
use crate::{
    base::{
        error::Result,
        ids::{OpportunityId, PipelineId, Typed as _},
        money,
    },
    crm::{
        activities::{self, Activity, ActivityFilter, ActivityOrder},
        companies::Company,
        contacts::{self, Contact, ContactFilter, ContactOrder},
        pipelines::{Pipeline, Stage},
    },
    db::list::{Link, Relation},
    entity::Stamps,
    graphql::{
        Connection, ContextExt as _, ListArgs, Listing, RecordRights,
        projection::{self, Found},
        scalars::Money,
    },
    organization::members::User,
};

pub(crate) static OF_COMPANY: Relation = Relation {
    name: "company.opportunities",
    link: None,
    key: "t.company_id",
};
pub(crate) static OF_PIPELINE: Relation = Relation {
    name: "pipeline.opportunities",
    link: None,
    key: "t.pipeline_id",
};
pub(crate) static OF_STAGE: Relation = Relation {
    name: "stage.opportunities",
    link: None,
    key: "t.stage_id",
};
pub(crate) static OF_CONTACT: Relation = Relation {
    name: "contact.opportunities",
    link: Some(Link {
        table: "opportunity_contacts",
        on: "l.opportunity_id = t.opportunity_id",
        copies: &[],
    }),
    key: "l.contact_id",
};

/// A parent's page of deals, the newest first unless ordered otherwise.
pub(crate) async fn below(
    ctx: &Context<'_>,
    relation: &'static Relation,
    parent: Uuid,
    args: ListArgs<OpportunityFilter, OpportunityOrder>,
) -> Result<Connection<Opportunity>> {
    let query = args.query(ctx.request().actor().tenant, USUAL_ORDER)?;
    Listing::below(ctx, relation, parent, query).await
}

/// A deal on its way through a pipeline.
#[connection_args]
#[Object]
impl Opportunity {
    /// The id, as `opportunity:<uuid>`.
    pub async fn id(&self) -> OpportunityId {
        self.id
    }

    #[graphql(flatten)]
    async fn fields(&self) -> &OpportunityFields {
        &self.fields
    }

    #[graphql(flatten)]
    async fn standing(&self) -> &Standing {
        &self.standing
    }

    #[graphql(flatten)]
    async fn agenda(&self) -> &Agenda {
        &self.agenda
    }

    /// What it is worth.
    async fn amount(&self, ctx: &Context<'_>) -> Option<Money> {
        let amount = self.fields.amount().map(Money::from);
        ctx.request()
            .unless_masked(OpportunityFields::AMOUNT_MINOR, amount)
    }

    /// What it is worth times its probability, rounded down to the minor unit.
    async fn weighted_amount(&self, ctx: &Context<'_>) -> Option<Money> {
        let currency = self.fields.amount_currency.as_deref();
        let weighted = money::Money::from_columns(self.weighted_minor, currency);
        ctx.request()
            .unless_masked(Self::WEIGHTED_MINOR, weighted.map(Money::from))
    }

    /// The pipeline it goes through.
    async fn pipeline(&self, ctx: &Context<'_>) -> Result<Option<Arc<Pipeline>>> {
        ctx.request()
            .load(Some(self.standing.pipeline_id.uuid()))
            .await
    }

    /// The stage it stands in.
    async fn stage(&self, ctx: &Context<'_>) -> Result<Option<Arc<Stage>>> {
        ctx.request()
            .load(Some(self.standing.stage_id.uuid()))
            .await
    }

    /// Who owns it.
    async fn owner(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        User::load(ctx, self.fields.ownership.owner_id).await
    }

    /// The company it is with.
    async fn company(&self, ctx: &Context<'_>) -> Result<Option<Arc<Company>>> {
        ctx.request()
            .load(self.fields.company_id.map(|id| id.uuid()))
            .await
    }

    /// The contact to talk to first.
    async fn primary_contact(&self, ctx: &Context<'_>) -> Result<Option<Arc<Contact>>> {
        ctx.request()
            .load(self.fields.primary_contact_id.map(|id| id.uuid()))
            .await
    }

    /// Its contacts with the parts they play, the primary one among them.
    async fn contact_roles(&self, ctx: &Context<'_>) -> Result<Vec<ContactRole>> {
        let primary = self.fields.primary_contact_id;
        let rows = ctx
            .request()
            .load_with::<ContactRoles>(self.id.uuid())
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| ContactRole {
                primary: primary == Some(row.contact_id),
                row,
            })
            .collect())
    }

    /// Its contacts as a list of their own.
    async fn contacts(
        &self,
        ctx: &Context<'_>,
        args: ListArgs<ContactFilter, ContactOrder>,
    ) -> Result<Connection<Contact>> {
        contacts::below(ctx, &contacts::OF_OPPORTUNITY, self.id.uuid(), args).await
    }

    /// The people who work on it beside its owner, with the parts they play.
    async fn collaborators(&self, ctx: &Context<'_>) -> Result<Vec<Collaborator>> {
        let rows = ctx
            .request()
            .load_with::<Collaborators>(self.id.uuid())
            .await?;
        Ok(rows.into_iter().map(Collaborator).collect())
    }

    /// What is to be done next.
    async fn next_action(&self) -> Option<ScheduledAction<'_>> {
        let (at, kind) = (self.agenda.next_action_at?, self.agenda.next_action_kind?);
        Some(ScheduledAction {
            at,
            kind,
            deal: self,
        })
    }

    /// The stages it went through, the latest change first, at most 100.
    async fn stage_history(&self, ctx: &Context<'_>) -> Result<Vec<StageChange>> {
        let rows = ctx
            .request()
            .load_with::<StageHistory>(self.id.uuid())
            .await?;
        Ok(rows.into_iter().map(StageChange).collect())
    }

    /// What was done and is planned about it.
    async fn activities(
        &self,
        ctx: &Context<'_>,
        args: ListArgs<ActivityFilter, ActivityOrder>,
    ) -> Result<Connection<Activity>> {
        activities::below(ctx, &activities::OF_OPPORTUNITY, self.id.uuid(), args).await
    }

    /// What you may do with it.
    async fn can(&self, ctx: &Context<'_>) -> RecordRights {
        RecordRights::on(ctx.request(), self)
    }

    /// When it was archived; lists leave archived deals out.
    async fn archived_at(&self) -> Option<DateTime<Utc>> {
        self.stamps.archived_at
    }

    #[graphql(flatten)]
    async fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.stamps.updated_at
    }
}

/// Reading deals.
#[derive(Default)]
pub struct OpportunityQuery;

#[connection_args]
#[Object]
impl OpportunityQuery {
    /// A deal by its id; null when there is none that you may see.
    async fn opportunity(
        &self,
        ctx: &Context<'_>,
        id: OpportunityId,
    ) -> Result<Option<Found<Opportunity>>> {
        projection::find(ctx, &SHAPE, id.uuid()).await
    }

    /// Deals, the newest first unless ordered otherwise.
    async fn opportunities(
        &self,
        ctx: &Context<'_>,
        args: ListArgs<OpportunityFilter, OpportunityOrder>,
    ) -> Result<Connection<Opportunity>> {
        let query = args.query(ctx.request().actor().tenant, USUAL_ORDER)?;
        projection::list(ctx, &SHAPE, query).await
    }

    /// Deals whose next action is overdue, due today or later.
    async fn due_actions(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "DueScope::Mine")] scope: DueScope,
    ) -> Result<DueActions> {
        DueActions::of(ctx, scope).await
    }

    /// The sums of a pipeline's deals that you see, by stage and by status. The subscription of the same name follows
    /// them.
    async fn pipeline_stats(
        &self,
        ctx: &Context<'_>,
        pipeline_id: PipelineId,
    ) -> Result<PipelineStats> {
        ctx.request()
            .read(async |tx| stats::of_pipeline(tx, pipeline_id).await)
            .await
    }
}
