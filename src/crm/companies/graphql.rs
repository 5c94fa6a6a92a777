//! Companies in the schema: what can be read.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use chrono::{DateTime, Utc};
use dealgraph_derive::connection_args;

use super::{
    Company, CompanyFields,
    filter::{CompanyFilter, CompanyOrder, USUAL_ORDER},
    projection::SHAPE,
};
use crate::{
    base::{
        error::Result,
        ids::{CompanyId, Typed as _},
    },
    crm::{
        activities::{self, Activity, ActivityFilter, ActivityOrder},
        contacts::{self, Contact, ContactFilter, ContactOrder},
        opportunities::{self, Opportunity, OpportunityFilter, OpportunityOrder},
    },
    db::list::Relation,
    entity::Stamps,
    graphql::{
        Connection, ContextExt as _, ListArgs, Listing, RecordRights,
        projection::{self, Found},
        scalars::Money,
    },
    organization::members::User,
};

pub(super) static SUBSIDIARIES: Relation = Relation {
    name: "company.subsidiaries",
    link: None,
    key: "t.parent_company_id",
};

/// An organisation that the tenant deals with.
#[connection_args]
#[Object]
impl Company {
    /// The id, as `company:<uuid>`.
    pub async fn id(&self) -> CompanyId {
        self.id
    }

    #[graphql(flatten)]
    async fn fields(&self) -> &CompanyFields {
        &self.fields
    }

    /// What it turns over in a year.
    async fn annual_revenue(&self, ctx: &Context<'_>) -> Option<Money> {
        let revenue = self.fields.annual_revenue().map(Money::from);
        ctx.request()
            .unless_masked(CompanyFields::ANNUAL_REVENUE_MINOR, revenue)
    }

    /// Where it is.
    async fn address(&self) -> Address<'_> {
        let f = &self.fields;
        Address {
            line: f.address_line.as_deref(),
            city: f.city.as_deref(),
            region: f.region.as_deref(),
            postal_code: f.postal_code.as_deref(),
            country: f.country.as_deref(),
        }
    }

    /// The company it belongs to.
    async fn parent(&self, ctx: &Context<'_>) -> Result<Option<Arc<Company>>> {
        ctx.request()
            .load(self.fields.parent_company_id.map(|id| id.uuid()))
            .await
    }

    /// Who owns it.
    async fn owner(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        User::load(ctx, self.fields.ownership.owner_id).await
    }

    /// The companies that belong to it.
    async fn subsidiaries(
        &self,
        ctx: &Context<'_>,
        args: ListArgs<CompanyFilter, CompanyOrder>,
    ) -> Result<Connection<Company>> {
        Listing::below(
            ctx,
            &SUBSIDIARIES,
            self.id.uuid(),
            args.query(ctx.request().actor().tenant, USUAL_ORDER)?,
        )
        .await
    }

    /// The people who work there.
    async fn contacts(
        &self,
        ctx: &Context<'_>,
        args: ListArgs<ContactFilter, ContactOrder>,
    ) -> Result<Connection<Contact>> {
        contacts::below(ctx, &contacts::OF_COMPANY, self.id.uuid(), args).await
    }

    /// The deals with it.
    async fn opportunities(
        &self,
        ctx: &Context<'_>,
        args: ListArgs<OpportunityFilter, OpportunityOrder>,
    ) -> Result<Connection<Opportunity>> {
        opportunities::below(ctx, &opportunities::OF_COMPANY, self.id.uuid(), args).await
    }

    /// What was done and is planned with it.
    async fn activities(
        &self,
        ctx: &Context<'_>,
        args: ListArgs<ActivityFilter, ActivityOrder>,
    ) -> Result<Connection<Activity>> {
        activities::below(ctx, &activities::OF_COMPANY, self.id.uuid(), args).await
    }

    /// What you may do with it.
    async fn can(&self, ctx: &Context<'_>) -> RecordRights {
        RecordRights::on(ctx.request(), self)
    }

    /// When it was archived; lists leave archived companies out.
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

/// A postal address.
#[derive(SimpleObject)]
struct Address<'a> {
    /// Street and number.
    line: Option<&'a str>,
    /// City.
    city: Option<&'a str>,
    /// State, province or canton.
    region: Option<&'a str>,
    /// Postal code.
    postal_code: Option<&'a str>,
    /// Country.
    country: Option<&'a str>,
}

/// Reading companies.
#[derive(Default)]
pub struct CompanyQuery;

#[connection_args]
#[Object]
impl CompanyQuery {
    /// A company by its id; null when there is none that you may see.
    async fn company(&self, ctx: &Context<'_>, id: CompanyId) -> Result<Option<Found<Company>>> {
        projection::find(ctx, &SHAPE, id.uuid()).await
    }

    /// Companies, the newest first unless ordered otherwise.
    async fn companies(
        &self,
        ctx: &Context<'_>,
        args: ListArgs<CompanyFilter, CompanyOrder>,
    ) -> Result<Connection<Company>> {
        let query = args.query(ctx.request().actor().tenant, USUAL_ORDER)?;
        projection::list(ctx, &SHAPE, query).await
    }
}
