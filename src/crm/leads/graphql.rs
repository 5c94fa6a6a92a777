//! Leads in the schema: what can be read.

use async_graphql::{Context, Object};
use chrono::{DateTime, Utc};
use dealgraph_derive::connection_args;

use super::{
    Lead, LeadStatus,
    filter::{LeadFilter, LeadOrder, USUAL_ORDER},
    projection::SHAPE,
};
use crate::{
    access::Sensitive,
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

    /// First and last name.
    async fn name(&self) -> String {
        self.fields.name()
    }

    /// First name.
    async fn first_name(&self) -> &str {
        &self.fields.first_name
    }

    /// Last name.
    async fn last_name(&self) -> &str {
        &self.fields.last_name
    }

    /// E-mail address, as it was written.
    async fn email(&self, ctx: &Context<'_>) -> Option<&str> {
        let email = self.fields.email.as_deref();
        ctx.request().unless_masked(Sensitive::Emails, email)
    }

    /// Phone number.
    async fn phone(&self, ctx: &Context<'_>) -> Option<&str> {
        let phone = self.fields.phone.as_deref();
        ctx.request().unless_masked(Sensitive::Phones, phone)
    }

    /// The company they work for, in words.
    async fn company_name(&self) -> Option<&str> {
        self.fields.company_name.as_deref()
    }

    /// What they do there, for example `Head of Purchasing`.
    async fn title(&self) -> Option<&str> {
        self.fields.title.as_deref()
    }

    /// How far the lead has come.
    async fn status(&self) -> LeadStatus {
        self.fields.status
    }

    /// Why an UNQUALIFIED lead is not worth pursuing.
    async fn unqualified_reason(&self) -> Option<&str> {
        self.fields.unqualified_reason.as_deref()
    }

    /// Where the lead came from, for example `trade fair`.
    async fn source(&self) -> Option<&str> {
        self.fields.source.as_deref()
    }

    /// Notes on the lead.
    async fn notes(&self) -> Option<&str> {
        self.fields.notes.as_deref()
    }

    /// What a deal with them may be worth.
    async fn estimated_amount(&self, ctx: &Context<'_>) -> Option<Money> {
        let amount = self.fields.estimated_amount().map(Money::from);
        ctx.request().unless_masked(Sensitive::Amounts, amount)
    }

    /// When the next action is due.
    async fn next_action_at(&self) -> Option<DateTime<Utc>> {
        self.fields.next_action_at
    }

    /// What is to be done then.
    async fn next_action_details(&self) -> Option<&str> {
        self.fields.next_action_details.as_deref()
    }

    /// When something was last done with them; follows from the activities and does not count as a change.
    async fn last_activity_at(&self) -> Option<DateTime<Utc>> {
        self.fields.last_activity_at
    }

    /// Free words to find it by.
    async fn tags(&self) -> &[String] {
        &self.fields.tags
    }

    /// Who looks after it.
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

    /// When it was put away; lists leave such leads out.
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
