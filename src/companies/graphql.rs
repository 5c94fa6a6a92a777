//! Companies in the schema.

use std::sync::Arc;

use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::{Company, CompanyFields, CompanyOrderField, NewCompany, projection::SHAPE};
use crate::{
    activities::{self, Activity, ActivityFilter, ActivityOrder},
    auth::{Rights, Sensitive},
    contacts::{self, Contact, ContactFilter, ContactOrder},
    db::{Direction, OrderTerm, Predicate, Quantifier, list::Relation},
    error::Result,
    graphql::{
        Connection, ContextExt as _, DeletePayload, Filter, ListArgs, Listing, RecordRights,
        UserError, answer,
        filters::{Conditions, DateTimeFilter, IdFilter, IntFilter, TextFilter},
        patch::{patch, patch_money, patch_or_default, patch_required, refuse_masked},
        projection::{self, Found},
        scalars::{Money, MoneyInput},
    },
    ids::{CompanyId, Typed as _, UserId},
    members::{ChangeAuthor, User},
    opportunities::{self, Opportunity, OpportunityFilter, OpportunityOrder},
    records,
    text::{normalize, verbatim},
};

pub(super) static SUBSIDIARIES: Relation = Relation {
    name: "company.subsidiaries",
    link: None,
    key: "t.parent_company_id",
};

/// An organisation that the tenant deals with.
#[Object]
impl Company {
    /// The id, as `company:<uuid>`.
    pub async fn id(&self) -> CompanyId {
        self.id
    }

    /// What it is called.
    async fn name(&self) -> &str {
        &self.fields.name
    }

    /// Its internet domain, in lower case, for example `acme.example`.
    async fn domain(&self) -> Option<&str> {
        self.fields.domain.as_deref()
    }

    /// What it does, for example `software`.
    async fn industry(&self) -> Option<&str> {
        self.fields.industry.as_deref()
    }

    /// How many people work there.
    async fn employee_count(&self) -> Option<i32> {
        self.fields.employee_count
    }

    /// What it turns over in a year.
    async fn annual_revenue(&self, ctx: &Context<'_>) -> Option<Money> {
        let revenue = self.fields.annual_revenue().map(Money::from);
        ctx.request().unless_masked(Sensitive::Amounts, revenue)
    }

    /// The year it was founded in.
    async fn founded_year(&self) -> Option<i32> {
        self.fields.founded_year.map(i32::from)
    }

    /// Its web site.
    async fn website(&self) -> Option<&str> {
        self.fields.website.as_deref()
    }

    /// Its switchboard's phone number.
    async fn phone(&self, ctx: &Context<'_>) -> Option<&str> {
        let phone = self.fields.phone.as_deref();
        ctx.request().unless_masked(Sensitive::Phones, phone)
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

    /// Notes on the company.
    async fn description(&self) -> Option<&str> {
        self.fields.description.as_deref()
    }

    /// Free words to find it by.
    async fn tags(&self) -> &[String] {
        &self.fields.tags
    }

    /// The company it belongs to.
    async fn parent(&self, ctx: &Context<'_>) -> Result<Option<Arc<Company>>> {
        ctx.request()
            .load(self.fields.parent_company_id.map(|id| id.uuid()))
            .await
    }

    /// Who looks after it.
    async fn owner(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        User::load(ctx, self.fields.ownership.owner_id).await
    }

    /// The companies that belong to it.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn subsidiaries(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<CompanyFilter>,
        order_by: Option<Vec<CompanyOrder>>,
        #[graphql(default)] include_archived: bool,
    ) -> Result<Connection<Company>> {
        let args = ListArgs::new((first, after), (last, before), filter, order_by)
            .archived(include_archived);
        Listing::below(
            ctx,
            &SUBSIDIARIES,
            self.id.uuid(),
            args.query(ctx.request().actor().tenant, USUAL_ORDER)?,
        )
        .await
    }

    /// The people who work there.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn contacts(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<ContactFilter>,
        order_by: Option<Vec<ContactOrder>>,
        #[graphql(default)] include_archived: bool,
    ) -> Result<Connection<Contact>> {
        let args = ListArgs::new((first, after), (last, before), filter, order_by)
            .archived(include_archived);
        contacts::below(ctx, &contacts::OF_COMPANY, self.id.uuid(), args).await
    }

    /// The deals with it.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn opportunities(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<OpportunityFilter>,
        order_by: Option<Vec<OpportunityOrder>>,
        #[graphql(default)] include_archived: bool,
    ) -> Result<Connection<Opportunity>> {
        let args = ListArgs::new((first, after), (last, before), filter, order_by)
            .archived(include_archived);
        opportunities::below(ctx, &opportunities::OF_COMPANY, self.id.uuid(), args).await
    }

    /// What was done and is planned with it.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn activities(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<ActivityFilter>,
        order_by: Option<Vec<ActivityOrder>>,
        #[graphql(default)] include_archived: bool,
    ) -> Result<Connection<Activity>> {
        let args = ListArgs::new((first, after), (last, before), filter, order_by)
            .archived(include_archived);
        activities::below(ctx, &activities::OF_COMPANY, self.id.uuid(), args).await
    }

    /// What you may do with it.
    async fn can(&self, ctx: &Context<'_>) -> RecordRights {
        RecordRights::on(ctx.request(), self)
    }

    /// When it was put away; lists leave such companies out.
    async fn archived_at(&self) -> Option<DateTime<Utc>> {
        self.stamps.archived_at
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime<Utc> {
        self.stamps.created_at
    }

    /// Who created it.
    async fn created_by(&self) -> ChangeAuthor {
        ChangeAuthor::new(&self.stamps.created_by)
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.stamps.updated_at
    }

    /// Who changed it last.
    async fn updated_by(&self) -> ChangeAuthor {
        ChangeAuthor::new(&self.stamps.updated_by)
    }

    /// Counts changes; send it back as `expectedVersion` to not overwrite somebody else's.
    async fn version(&self) -> i32 {
        self.stamps.version
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

/// Which companies.
#[derive(Debug, Default, InputObject)]
pub struct CompanyFilter {
    /// All of these hold.
    and: Option<Vec<CompanyFilter>>,
    /// At least one of these holds.
    or: Option<Vec<CompanyFilter>>,
    /// This does not hold.
    not: Option<Box<CompanyFilter>>,
    /// By id.
    id: Option<IdFilter>,
    /// By name, without regard to case.
    name: Option<TextFilter>,
    /// By internet domain.
    domain: Option<TextFilter>,
    /// By industry, as written.
    industry: Option<TextFilter>,
    /// By country, as written.
    country: Option<TextFilter>,
    /// By number of employees.
    employee_count: Option<IntFilter>,
    /// By owner.
    owner_id: Option<IdFilter>,
    /// By parent company.
    parent_company_id: Option<IdFilter>,
    /// By time of creation.
    created_at: Option<DateTimeFilter>,
    /// By time of the last change.
    updated_at: Option<DateTimeFilter>,
    /// At least one of its contacts matches.
    contacts_some: Option<Box<ContactFilter>>,
    /// None of its contacts matches.
    contacts_none: Option<Box<ContactFilter>>,
    /// At least one of its deals matches.
    opportunities_some: Option<Box<OpportunityFilter>>,
    /// None of its deals matches.
    opportunities_none: Option<Box<OpportunityFilter>>,
}

impl Filter for CompanyFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.id::<CompanyId>("id", "company_id", self.id)?;
        all.text("name", "name_normalized", self.name, normalize)?;
        all.text("domain", "domain", self.domain, str::to_lowercase)?;
        all.text("industry", "industry", self.industry, verbatim)?;
        all.text("country", "country", self.country, verbatim)?;
        all.int("employeeCount", "employee_count", self.employee_count)?;
        all.id::<UserId>("ownerId", "owner_id", self.owner_id)?;
        all.id::<CompanyId>(
            "parentCompanyId",
            "parent_company_id",
            self.parent_company_id,
        )?;
        all.time("createdAt", "created_at", self.created_at)?;
        all.time("updatedAt", "updated_at", self.updated_at)?;
        let contacts = ("contacts", "company_id", "company_id");
        all.related(contacts, Quantifier::Some, self.contacts_some)?;
        all.related(contacts, Quantifier::None, self.contacts_none)?;
        let opportunities = ("opportunities", "company_id", "company_id");
        all.related(opportunities, Quantifier::Some, self.opportunities_some)?;
        all.related(opportunities, Quantifier::None, self.opportunities_none)?;
        all.finish(self.and, self.or, self.not)
    }
}

/// One criterion of the order of companies.
#[derive(Debug, InputObject)]
pub struct CompanyOrder {
    /// What to sort by.
    field: CompanyOrderField,
    /// Which way.
    #[graphql(default_with = "Direction::Asc")]
    direction: Direction,
}

impl From<CompanyOrder> for OrderTerm<CompanyOrderField> {
    fn from(order: CompanyOrder) -> Self {
        Self {
            field: order.field,
            direction: order.direction,
        }
    }
}

pub(super) const USUAL_ORDER: OrderTerm<CompanyOrderField> = OrderTerm {
    field: CompanyOrderField::CreatedAt,
    direction: Direction::Desc,
};

/// Reading companies.
#[derive(Default)]
pub struct CompanyQuery;

#[Object]
impl CompanyQuery {
    /// A company by its id; null when there is none that you may see.
    async fn company(&self, ctx: &Context<'_>, id: CompanyId) -> Result<Option<Found<Company>>> {
        projection::find(ctx, &SHAPE, id.uuid()).await
    }

    /// Companies, the newest first unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn companies(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<CompanyFilter>,
        order_by: Option<Vec<CompanyOrder>>,
        #[graphql(default)] include_archived: bool,
    ) -> Result<Connection<Company>> {
        let args = ListArgs::new((first, after), (last, before), filter, order_by)
            .archived(include_archived);
        let query = args.query(ctx.request().actor().tenant, USUAL_ORDER)?;
        projection::list(ctx, &SHAPE, query).await
    }
}

/// What can be written of a company beside its name. Leave a field out to keep it, send null to empty it.
#[derive(Debug, InputObject)]
struct CompanyDetails {
    /// Internet domain, for example `acme.example`.
    domain: MaybeUndefined<String>,
    /// What it does.
    industry: MaybeUndefined<String>,
    /// How many people work there.
    employee_count: MaybeUndefined<i32>,
    /// What it turns over in a year.
    annual_revenue: MaybeUndefined<MoneyInput>,
    /// The year it was founded in.
    founded_year: MaybeUndefined<i16>,
    /// Web site.
    website: MaybeUndefined<String>,
    /// Phone number.
    phone: MaybeUndefined<String>,
    /// Street and number.
    address_line: MaybeUndefined<String>,
    /// City.
    city: MaybeUndefined<String>,
    /// State, province or canton.
    region: MaybeUndefined<String>,
    /// Postal code.
    postal_code: MaybeUndefined<String>,
    /// Country.
    country: MaybeUndefined<String>,
    /// Notes on the company.
    description: MaybeUndefined<String>,
    /// The company it belongs to.
    parent_company_id: MaybeUndefined<CompanyId>,
    /// Who looks after it. A new record is yours unless you say otherwise.
    owner_id: MaybeUndefined<UserId>,
    /// Free words to find it by; replaces all.
    tags: MaybeUndefined<Vec<String>>,
}

impl CompanyDetails {
    fn write_to(self, fields: &mut CompanyFields, rights: &Rights) -> Result<()> {
        let revenue = (&self.annual_revenue, "annualRevenue");
        refuse_masked(rights, Sensitive::Amounts, revenue)?;
        refuse_masked(rights, Sensitive::Phones, (&self.phone, "phone"))?;
        patch(self.domain, &mut fields.domain);
        patch(self.industry, &mut fields.industry);
        patch(self.employee_count, &mut fields.employee_count);
        patch_money(
            self.annual_revenue,
            "annualRevenue",
            (
                &mut fields.annual_revenue_minor,
                &mut fields.annual_revenue_currency,
            ),
        )?;
        patch(self.founded_year, &mut fields.founded_year);
        patch(self.website, &mut fields.website);
        patch(self.phone, &mut fields.phone);
        patch(self.address_line, &mut fields.address_line);
        patch(self.city, &mut fields.city);
        patch(self.region, &mut fields.region);
        patch(self.postal_code, &mut fields.postal_code);
        patch(self.country, &mut fields.country);
        patch(self.description, &mut fields.description);
        patch(self.parent_company_id, &mut fields.parent_company_id);
        patch(self.owner_id, &mut fields.ownership.owner_id);
        patch_or_default(self.tags, &mut fields.tags);
        Ok(())
    }
}

/// A company to be created.
#[derive(Debug, InputObject)]
struct CompanyCreateInput {
    /// Your own id for it (`company:<uuid>`, best a version 7): sending the same twice creates it once.
    id: Option<CompanyId>,
    /// What it is called.
    name: String,
    #[graphql(flatten)]
    details: CompanyDetails,
}

/// A change to a company.
#[derive(Debug, InputObject)]
struct CompanyUpdateInput {
    /// Which company.
    id: CompanyId,
    /// The version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// What it is called.
    name: Option<String>,
    #[graphql(flatten)]
    details: CompanyDetails,
}

/// Names a company, and the version it is expected at.
#[derive(Debug, InputObject)]
struct CompanyRefInput {
    /// Which company.
    id: CompanyId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
}

/// What a change to a company came to.
#[derive(SimpleObject)]
struct CompanyPayload {
    /// The company after the change; after a CONFLICT as it is now; null when the change was refused.
    company: Option<Arc<Company>>,
    /// What has to be mended; empty when the change was made.
    user_errors: Vec<UserError>,
}

/// Writing companies.
#[derive(Default)]
pub struct CompanyMutation;

#[Object]
impl CompanyMutation {
    /// Creates a company.
    async fn company_create(
        &self,
        ctx: &Context<'_>,
        input: CompanyCreateInput,
    ) -> async_graphql::Result<CompanyPayload> {
        let id = input.id.unwrap_or_default();
        let owner = ctx.request().actor().person();
        let outcome = ctx.request().write(async |tx| {
            let mut fields = CompanyFields {
                name: input.name,
                ..Default::default()
            };
            fields.ownership.owner_id = owner;
            input.details.write_to(&mut fields, &tx.actor().rights)?;
            super::create(
                tx,
                NewCompany {
                    id,
                    fields,
                    created_at: None,
                },
            )
            .await
        });
        payload(ctx, id, outcome.await).await
    }

    /// Changes a company.
    async fn company_update(
        &self,
        ctx: &Context<'_>,
        input: CompanyUpdateInput,
    ) -> async_graphql::Result<CompanyPayload> {
        let id = input.id;
        let outcome = ctx.request().write(async |tx| {
            let CompanyUpdateInput {
                id,
                expected_version,
                name,
                details,
            } = input;
            let rights = Arc::clone(&tx.actor().rights);
            super::update(tx, (id, expected_version), |fields| {
                patch_required(name, &mut fields.name);
                details.write_to(fields, &rights)
            })
            .await
        });
        payload(ctx, id, outcome.await).await
    }

    /// Puts a company away.
    async fn company_archive(
        &self,
        ctx: &Context<'_>,
        input: CompanyRefInput,
    ) -> async_graphql::Result<CompanyPayload> {
        let outcome = ctx
            .request()
            .write(async |tx| records::archive(tx, input.id.uuid(), input.expected_version).await);
        payload(ctx, input.id, outcome.await).await
    }

    /// Takes a company back from the archive.
    async fn company_restore(
        &self,
        ctx: &Context<'_>,
        input: CompanyRefInput,
    ) -> async_graphql::Result<CompanyPayload> {
        let outcome = ctx
            .request()
            .write(async |tx| records::restore(tx, input.id.uuid(), input.expected_version).await);
        payload(ctx, input.id, outcome.await).await
    }

    /// Deletes a company for good. Refused with IN_USE while contacts, deals or subsidiaries refer to it.
    async fn company_delete(
        &self,
        ctx: &Context<'_>,
        input: CompanyRefInput,
    ) -> async_graphql::Result<DeletePayload> {
        let outcome = ctx.request().write(async |tx| {
            records::delete::<Company>(tx, input.id.uuid(), input.expected_version).await
        });
        DeletePayload::new(input.id, outcome.await)
    }
}

async fn payload(
    ctx: &Context<'_>,
    id: CompanyId,
    outcome: Result<Company>,
) -> async_graphql::Result<CompanyPayload> {
    let (company, user_errors) = answer(ctx, id.uuid(), outcome).await?;
    Ok(CompanyPayload {
        company,
        user_errors,
    })
}
