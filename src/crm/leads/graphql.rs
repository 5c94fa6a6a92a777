//! Leads in the schema: what can be read.

use async_graphql::{Context, Object};
use chrono::{DateTime, Utc};
use dealgraph_derive::connection_args;

use super::{
    Lead, LeadFields,
    filter::{LeadFilter, LeadOrder, USUAL_ORDER},
    projection::SHAPE,
};
use crate::{
    base::{
        error::Result,
        ids::{LeadId, Typed as _},
    },
    crm::activities::{self, Activity, ActivityFilter, ActivityOrder},
    entity::Stamps,
    graphql::{
        Connection, ContextExt as _, ListArgs, RecordRights,
        projection::{self, Found},
        scalars::Money,
    },
    organization::members::User,
};

/// A person who may become business and is not yet a contact.
#[connection_args]
#[Object]
impl Lead {
    /// The id, as `lead:<uuid>`.
    pub async fn id(&self) -> LeadId {
        self.id
    }

    #[graphql(flatten)]
    async fn fields(&self) -> &LeadFields {
        &self.fields
    }

    /// First and last name.
    async fn name(&self) -> String {
        self.fields.name()
    }

    /// What a deal with them may be worth.
    async fn estimated_amount(&self, ctx: &Context<'_>) -> Option<Money> {
        let amount = self.fields.estimated_amount().map(Money::from);
        ctx.request()
            .unless_masked(LeadFields::ESTIMATED_AMOUNT_MINOR, amount)
    }

    /// Who owns it.
    async fn owner(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        User::load(ctx, self.fields.ownership.owner_id).await
    }

    /// What was done and is planned with them.
    async fn activities(
        &self,
        ctx: &Context<'_>,
        args: ListArgs<ActivityFilter, ActivityOrder>,
    ) -> Result<Connection<Activity>> {
        activities::below(ctx, &activities::OF_LEAD, self.id.uuid(), args).await
    }

    /// What you may do with it.
    async fn can(&self, ctx: &Context<'_>) -> RecordRights {
        RecordRights::on(ctx.request(), self)
    }

    /// When it was archived; lists leave archived leads out.
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

/// Reading leads.
#[derive(Default)]
pub struct LeadQuery;

#[connection_args]
#[Object]
impl LeadQuery {
    /// A lead by its id; null when there is none that you may see.
    async fn lead(&self, ctx: &Context<'_>, id: LeadId) -> Result<Option<Found<Lead>>> {
        projection::find(ctx, &SHAPE, id.uuid()).await
    }

    /// Leads, the newest first unless ordered otherwise.
    async fn leads(
        &self,
        ctx: &Context<'_>,
        args: ListArgs<LeadFilter, LeadOrder>,
    ) -> Result<Connection<Lead>> {
        let query = args.query(ctx.request().actor().tenant, USUAL_ORDER)?;
        projection::list(ctx, &SHAPE, query).await
    }
}
