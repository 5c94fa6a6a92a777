//! Contacts in the schema.

use std::sync::Arc;

use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::{
    Contact, ContactFields, ContactMethod, ContactOrderField, NewContact, NewContactMethod,
    methods::{self, ContactMethodInput, MethodsOfContact},
    projection::SHAPE,
};
use crate::{
    activities::{self, Activity, ActivityFilter, ActivityOrder},
    auth::Sensitive,
    companies::{Company, CompanyFilter},
    db::{
        Direction, OrderTerm, Predicate, Quantifier,
        list::{Link, Relation},
    },
    error::Result,
    graphql::{
        Connection, ContextExt as _, DeletePayload, Filter, ListArgs, Listing, RecordRights,
        UserError, answer,
        filters::{Conditions, DateTimeFilter, IdFilter, IntFilter, TextFilter},
        patch::{self, patch, patch_or_default, patch_required},
        projection::{self, Found},
    },
    ids::{CompanyId, ContactId, Typed as _, UserId},
    members::{ChangeAuthor, User},
    opportunities::{self, Opportunity, OpportunityFilter, OpportunityOrder},
    records,
    text::normalize,
};

/// The people of a company.
pub(crate) static OF_COMPANY: Relation = Relation {
    name: "company.contacts",
    link: None,
    key: "t.company_id",
};

pub(super) static REPORTS_TO: Relation = Relation {
    name: "contact.directReports",
    link: None,
    key: "t.reports_to_id",
};

/// The people of a deal.
pub(crate) static OF_OPPORTUNITY: Relation = Relation {
    name: "opportunity.contacts",
    link: Some(Link {
        table: "opportunity_contacts",
        on: "l.contact_id = t.contact_id",
        copies: &[],
    }),
    key: "l.opportunity_id",
};

/// Reads a parent's contacts, in one statement with those of its siblings.
///
/// # Errors
/// What the arguments fail with, or the database.
pub(crate) async fn below(
    ctx: &Context<'_>,
    relation: &'static Relation,
    parent: uuid::Uuid,
    args: ListArgs<ContactFilter, ContactOrder>,
) -> Result<Connection<Contact>> {
    Listing::below(
        ctx,
        relation,
        parent,
        args.query(ctx.request().actor().tenant, USUAL_ORDER)?,
    )
    .await
}

/// A person that the tenant deals with.
#[Object]
impl Contact {
    /// The id, as `contact:<uuid>`.
    pub async fn id(&self) -> ContactId {
        self.id
    }

    /// First and last name.
    async fn name(&self) -> String {
        format!("{} {}", self.fields.first_name, self.fields.last_name)
    }

    /// First name.
    async fn first_name(&self) -> &str {
        &self.fields.first_name
    }

    /// Last name.
    async fn last_name(&self) -> &str {
        &self.fields.last_name
    }

    /// What the person does, for example `Head of purchasing`.
    async fn job_title(&self) -> Option<&str> {
        self.fields.job_title.as_deref()
    }

    /// Where in the company the person works.
    async fn department(&self) -> Option<&str> {
        self.fields.department.as_deref()
    }

    /// The preferred e-mail address, in lower case.
    async fn email(&self, ctx: &Context<'_>) -> Option<&str> {
        ctx.request()
            .unless_masked(Sensitive::Emails, self.email.as_deref())
    }

    /// The preferred phone number; without one the preferred mobile phone number.
    async fn phone(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        let methods = ctx
            .request()
            .load_with::<MethodsOfContact>(self.id.uuid())
            .await?;
        let phone = methods::preferred_phone(&methods);
        Ok(ctx.request().unless_masked(Sensitive::Phones, phone))
    }

    /// All ways to reach the person, in their order; at most 20.
    async fn contact_methods(&self, ctx: &Context<'_>) -> Result<Arc<[ContactMethod]>> {
        ctx.request()
            .load_with::<MethodsOfContact>(self.id.uuid())
            .await
    }

    /// How warm the relationship is, from 0 (cold) to 100.
    async fn warmness_score(&self) -> i32 {
        self.fields.warmness_score.into()
    }

    /// When somebody was last in touch with the person.
    async fn last_contacted_at(&self) -> Option<DateTime<Utc>> {
        self.fields.last_contacted_at
    }

    /// Free words to find it by.
    async fn tags(&self) -> &[String] {
        &self.fields.tags
    }

    /// The company the person works for.
    async fn company(&self, ctx: &Context<'_>) -> Result<Option<Arc<Company>>> {
        ctx.request()
            .load(self.fields.company_id.map(|id| id.uuid()))
            .await
    }

    /// The person's boss.
    async fn reports_to(&self, ctx: &Context<'_>) -> Result<Option<Arc<Contact>>> {
        ctx.request()
            .load(self.fields.reports_to_id.map(|id| id.uuid()))
            .await
    }

    /// Who looks after it.
    async fn owner(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        User::load(ctx, self.fields.ownership.owner_id).await
    }

    /// The people whose boss this is.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn direct_reports(
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
        below(ctx, &REPORTS_TO, self.id.uuid(), args).await
    }

    /// The deals the person has a part in.
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
        opportunities::below(ctx, &opportunities::OF_CONTACT, self.id.uuid(), args).await
    }

    /// What was done and is planned with the person.
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
        activities::below(ctx, &activities::OF_CONTACT, self.id.uuid(), args).await
    }

    /// What you may do with it.
    async fn can(&self, ctx: &Context<'_>) -> RecordRights {
        RecordRights::on(ctx.request(), self)
    }

    /// When it was put away; lists leave such contacts out.
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

/// Which contacts.
#[derive(Debug, Default, InputObject)]
pub struct ContactFilter {
    /// All of these hold.
    and: Option<Vec<ContactFilter>>,
    /// At least one of these holds.
    or: Option<Vec<ContactFilter>>,
    /// This does not hold.
    not: Option<Box<ContactFilter>>,
    /// By id.
    id: Option<IdFilter>,
    /// By last name, then first name (`lovelace ada`), without regard to case; `startsWith` matches the last name.
    name: Option<TextFilter>,
    /// By preferred e-mail address.
    email: Option<TextFilter>,
    /// By company.
    company_id: Option<IdFilter>,
    /// By owner.
    owner_id: Option<IdFilter>,
    /// By boss.
    reports_to_id: Option<IdFilter>,
    /// By warmness, from 0 to 100.
    warmness_score: Option<IntFilter>,
    /// By when somebody was last in touch.
    last_contacted_at: Option<DateTimeFilter>,
    /// By time of creation.
    created_at: Option<DateTimeFilter>,
    /// By time of the last change.
    updated_at: Option<DateTimeFilter>,
    /// The company matches; nobody without a company does.
    company: Option<Box<CompanyFilter>>,
}

impl Filter for ContactFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.id::<ContactId>("id", "contact_id", self.id)?;
        all.text("name", "name_normalized", self.name, normalize)?;
        all.text("email", "email_normalized", self.email, |email| {
            email.trim().to_lowercase()
        })?;
        all.id::<CompanyId>("companyId", "company_id", self.company_id)?;
        all.id::<UserId>("ownerId", "owner_id", self.owner_id)?;
        all.id::<ContactId>("reportsToId", "reports_to_id", self.reports_to_id)?;
        all.int("warmnessScore", "warmness_score", self.warmness_score)?;
        all.time(
            "lastContactedAt",
            ("last_contacted_at", "'-infinity'::timestamptz"),
            self.last_contacted_at,
        )?;
        all.time("createdAt", "created_at", self.created_at)?;
        all.time("updatedAt", "updated_at", self.updated_at)?;
        all.related(
            ("companies", "company_id", "company_id"),
            Quantifier::Some,
            self.company,
        )?;
        all.finish(self.and, self.or, self.not)
    }
}

/// One criterion of the order of contacts.
#[derive(Debug, InputObject)]
pub struct ContactOrder {
    /// What to sort by.
    field: ContactOrderField,
    /// Which way.
    #[graphql(default_with = "Direction::Asc")]
    direction: Direction,
}

impl From<ContactOrder> for OrderTerm<ContactOrderField> {
    fn from(order: ContactOrder) -> Self {
        Self {
            field: order.field,
            direction: order.direction,
        }
    }
}

pub(super) const USUAL_ORDER: OrderTerm<ContactOrderField> = OrderTerm {
    field: ContactOrderField::CreatedAt,
    direction: Direction::Desc,
};

/// Reading contacts.
#[derive(Default)]
pub struct ContactQuery;

#[Object]
impl ContactQuery {
    /// A contact by its id; null when there is none that you may see.
    async fn contact(&self, ctx: &Context<'_>, id: ContactId) -> Result<Option<Found<Contact>>> {
        projection::find(ctx, &SHAPE, id.uuid()).await
    }

    /// Contacts, the newest first unless ordered otherwise. Whom to call next ("my 500"): filter by your own `ownerId`
    /// and order by `[{ field: WARMNESS_SCORE, direction: DESC }, { field: LAST_CONTACTED_AT, direction: ASC }]`, the
    /// warmest first and, among equals, who has waited longest.
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
        let query = args.query(ctx.request().actor().tenant, USUAL_ORDER)?;
        projection::list(ctx, &SHAPE, query).await
    }
}

/// What can be written of a contact beside its name. Leave a field out to keep it, send null to empty it.
#[derive(Debug, InputObject)]
struct ContactDetails {
    /// What the person does.
    job_title: MaybeUndefined<String>,
    /// Where in the company the person works.
    department: MaybeUndefined<String>,
    /// The company the person works for.
    company_id: MaybeUndefined<CompanyId>,
    /// The person's boss; nobody can be above themselves.
    reports_to_id: MaybeUndefined<ContactId>,
    /// How warm the relationship is, from 0 (cold) to 100.
    warmness_score: MaybeUndefined<i16>,
    /// When somebody was last in touch with the person.
    last_contacted_at: MaybeUndefined<DateTime<Utc>>,
    /// Who looks after it. A new record is yours unless you say otherwise.
    owner_id: MaybeUndefined<UserId>,
    /// Free words to find it by; replaces all.
    tags: MaybeUndefined<Vec<String>>,
}

impl ContactDetails {
    fn write_to(self, fields: &mut ContactFields) {
        patch(self.job_title, &mut fields.job_title);
        patch(self.department, &mut fields.department);
        patch(self.company_id, &mut fields.company_id);
        patch(self.reports_to_id, &mut fields.reports_to_id);
        patch_or_default(self.warmness_score, &mut fields.warmness_score);
        patch(self.last_contacted_at, &mut fields.last_contacted_at);
        patch(self.owner_id, &mut fields.ownership.owner_id);
        patch_or_default(self.tags, &mut fields.tags);
    }
}

/// A contact to be created.
#[derive(Debug, InputObject)]
struct ContactCreateInput {
    /// Your own id for it (`contact:<uuid>`, best a version 7): sending the same twice creates it once.
    id: Option<ContactId>,
    /// First name.
    first_name: String,
    /// Last name.
    last_name: String,
    /// The ways to reach the person, at most 20.
    contact_methods: Option<Vec<ContactMethodInput>>,
    #[graphql(flatten)]
    details: ContactDetails,
}

/// A change to a contact.
#[derive(Debug, InputObject)]
struct ContactUpdateInput {
    /// Which contact.
    id: ContactId,
    /// The version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// First name.
    first_name: Option<String>,
    /// Last name.
    last_name: Option<String>,
    /// The ways to reach the person, at most 20; replaces all. Those that name their id are kept, null takes all away.
    contact_methods: MaybeUndefined<Vec<ContactMethodInput>>,
    #[graphql(flatten)]
    details: ContactDetails,
}

/// Names a contact, and the version it is expected at.
#[derive(Debug, InputObject)]
struct ContactRefInput {
    /// Which contact.
    id: ContactId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
}

/// What a change to a contact came to.
#[derive(SimpleObject)]
struct ContactPayload {
    /// The contact after the change; after a CONFLICT as it is now; null when the change was refused.
    contact: Option<Arc<Contact>>,
    /// What has to be mended; empty when the change was made.
    user_errors: Vec<UserError>,
}

/// Writing contacts.
#[derive(Default)]
pub struct ContactMutation;

#[Object]
impl ContactMutation {
    /// Creates a contact.
    async fn contact_create(
        &self,
        ctx: &Context<'_>,
        input: ContactCreateInput,
    ) -> async_graphql::Result<ContactPayload> {
        let id = input.id.unwrap_or_default();
        let owner = ctx.request().actor().person();
        let outcome = ctx.request().write(async |tx| {
            let ContactCreateInput {
                first_name,
                last_name,
                contact_methods,
                details,
                ..
            } = input;
            let mut fields = ContactFields {
                first_name,
                last_name,
                ..Default::default()
            };
            fields.ownership.owner_id = owner;
            details.write_to(&mut fields);
            let methods = new_methods(contact_methods.unwrap_or_default());
            methods::refuse_masked(&tx.actor().rights, &methods)?;
            super::create(
                tx,
                NewContact {
                    id,
                    fields,
                    methods,
                    created_at: None,
                },
            )
            .await
        });
        payload(ctx, id, outcome.await).await
    }

    /// Changes a contact.
    async fn contact_update(
        &self,
        ctx: &Context<'_>,
        input: ContactUpdateInput,
    ) -> async_graphql::Result<ContactPayload> {
        let id = input.id;
        let outcome = ctx.request().write(async |tx| {
            let ContactUpdateInput {
                id,
                expected_version,
                first_name,
                last_name,
                contact_methods,
                details,
            } = input;
            // They are replaced as a whole, and nobody can send back what they were not shown.
            let rights = &tx.actor().rights;
            patch::refuse_masked(
                rights,
                Sensitive::Emails,
                (&contact_methods, "contactMethods"),
            )?;
            patch::refuse_masked(
                rights,
                Sensitive::Phones,
                (&contact_methods, "contactMethods"),
            )?;
            let methods = match contact_methods {
                MaybeUndefined::Undefined => None,
                MaybeUndefined::Null => Some(Vec::new()),
                MaybeUndefined::Value(methods) => Some(new_methods(methods)),
            };
            super::update(tx, (id, expected_version), methods, |fields| {
                patch_required(first_name, &mut fields.first_name);
                patch_required(last_name, &mut fields.last_name);
                details.write_to(fields);
                Ok(())
            })
            .await
        });
        payload(ctx, id, outcome.await).await
    }

    /// Puts a contact away.
    async fn contact_archive(
        &self,
        ctx: &Context<'_>,
        input: ContactRefInput,
    ) -> async_graphql::Result<ContactPayload> {
        let outcome = ctx
            .request()
            .write(async |tx| records::archive(tx, input.id.uuid(), input.expected_version).await);
        payload(ctx, input.id, outcome.await).await
    }

    /// Takes a contact back from the archive.
    async fn contact_restore(
        &self,
        ctx: &Context<'_>,
        input: ContactRefInput,
    ) -> async_graphql::Result<ContactPayload> {
        let outcome = ctx
            .request()
            .write(async |tx| records::restore(tx, input.id.uuid(), input.expected_version).await);
        payload(ctx, input.id, outcome.await).await
    }

    /// Deletes a contact for good. Refused with IN_USE while deals or people who report to it refer to it.
    async fn contact_delete(
        &self,
        ctx: &Context<'_>,
        input: ContactRefInput,
    ) -> async_graphql::Result<DeletePayload> {
        let outcome = ctx.request().write(async |tx| {
            records::delete::<Contact>(tx, input.id.uuid(), input.expected_version).await
        });
        DeletePayload::new(input.id, outcome.await)
    }
}

fn new_methods(inputs: Vec<ContactMethodInput>) -> Vec<NewContactMethod> {
    inputs.into_iter().map(NewContactMethod::from).collect()
}

async fn payload(
    ctx: &Context<'_>,
    id: ContactId,
    outcome: Result<Contact>,
) -> async_graphql::Result<ContactPayload> {
    let (contact, user_errors) = answer(ctx, id.uuid(), outcome).await?;
    Ok(ContactPayload {
        contact,
        user_errors,
    })
}
