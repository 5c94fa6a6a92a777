//! Leads in the schema.

use std::sync::Arc;

use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::{Lead, LeadFields, LeadOrderField, LeadStatus, NewLead, projection::SHAPE};
use crate::{
    activities::{self, Activity, ActivityFilter, ActivityOrder},
    auth::{Rights, Sensitive},
    db::{Direction, OrderTerm, Predicate},
    enum_filter,
    error::Result,
    graphql::{
        Connection, ContextExt as _, DeletePayload, Filter, ListArgs, RecordRights, UserError,
        answer,
        filters::{Conditions, DateTimeFilter, IdFilter, TextFilter},
        patch::{patch, patch_money, patch_or_default, patch_required, refuse_masked},
        projection::{self, Found},
        scalars::{Money, MoneyInput},
    },
    ids::{LeadId, Typed as _, UserId},
    members::{ChangeAuthor, User},
    records,
    text::{normalize, verbatim},
};

/// A person who may become business and is not yet a contact.
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

enum_filter! {
    /// Compares the status of a lead.
    pub LeadStatusFilter(LeadStatus)
}

/// Which leads.
#[derive(Debug, Default, InputObject)]
pub struct LeadFilter {
    /// All of these hold.
    and: Option<Vec<LeadFilter>>,
    /// At least one of these holds.
    or: Option<Vec<LeadFilter>>,
    /// This does not hold.
    not: Option<Box<LeadFilter>>,
    /// By id.
    id: Option<IdFilter>,
    /// By name in the order last name, first name, without regard to case; `startsWith` matches the last name.
    name: Option<TextFilter>,
    /// By e-mail address, without regard to case.
    email: Option<TextFilter>,
    /// By status.
    status: Option<LeadStatusFilter>,
    /// By where it came from, as written.
    source: Option<TextFilter>,
    /// By owner.
    owner_id: Option<IdFilter>,
    /// By when the next action is due.
    next_action_at: Option<DateTimeFilter>,
    /// By time of creation.
    created_at: Option<DateTimeFilter>,
    /// By time of the last change.
    updated_at: Option<DateTimeFilter>,
}

impl Filter for LeadFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.id::<LeadId>("id", "lead_id", self.id)?;
        all.text("name", "name_normalized", self.name, normalize)?;
        all.text("email", "email_normalized", self.email, str::to_lowercase)?;
        if let Some(status) = self.status {
            status.into_conditions(&mut all, "status");
        }
        all.text("source", "source", self.source, verbatim)?;
        all.id::<UserId>("ownerId", "owner_id", self.owner_id)?;
        all.time(
            "nextActionAt",
            ("next_action_at", "'infinity'::timestamptz"),
            self.next_action_at,
        )?;
        all.time("createdAt", "created_at", self.created_at)?;
        all.time("updatedAt", "updated_at", self.updated_at)?;
        all.finish(self.and, self.or, self.not)
    }
}

/// One criterion of the order of leads.
#[derive(Debug, InputObject)]
pub struct LeadOrder {
    /// What to sort by.
    field: LeadOrderField,
    /// Which way.
    #[graphql(default_with = "Direction::Asc")]
    direction: Direction,
}

impl From<LeadOrder> for OrderTerm<LeadOrderField> {
    fn from(order: LeadOrder) -> Self {
        Self {
            field: order.field,
            direction: order.direction,
        }
    }
}

const USUAL_ORDER: OrderTerm<LeadOrderField> = OrderTerm {
    field: LeadOrderField::CreatedAt,
    direction: Direction::Desc,
};

/// Reading leads.
#[derive(Default)]
pub struct LeadQuery;

#[Object]
impl LeadQuery {
    /// A lead by its id; null when there is none that you may see.
    async fn lead(&self, ctx: &Context<'_>, id: LeadId) -> Result<Option<Found<Lead>>> {
        projection::find(ctx, &SHAPE, id.uuid()).await
    }

    /// Leads, the newest first unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn leads(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<LeadFilter>,
        order_by: Option<Vec<LeadOrder>>,
        #[graphql(default)] include_archived: bool,
    ) -> Result<Connection<Lead>> {
        let args = ListArgs::new((first, after), (last, before), filter, order_by)
            .archived(include_archived);
        let query = args.query(ctx.request().actor().tenant, USUAL_ORDER)?;
        projection::list(ctx, &SHAPE, query).await
    }
}

/// What can be written of a lead beside its name. Leave a field out to keep it, send null to empty it.
#[derive(Debug, InputObject)]
struct LeadDetails {
    /// E-mail address.
    email: MaybeUndefined<String>,
    /// Phone number.
    phone: MaybeUndefined<String>,
    /// The company they work for, in words.
    company_name: MaybeUndefined<String>,
    /// What they do there.
    title: MaybeUndefined<String>,
    /// How far the lead has come; null counts as left out. CONVERTED can't be set, and UNQUALIFIED needs a reason.
    status: Option<LeadStatus>,
    /// Why an UNQUALIFIED lead is not worth pursuing; emptied when it gets another status.
    unqualified_reason: MaybeUndefined<String>,
    /// Where the lead came from.
    source: MaybeUndefined<String>,
    /// Notes on the lead.
    notes: MaybeUndefined<String>,
    /// What a deal with them may be worth.
    estimated_amount: MaybeUndefined<MoneyInput>,
    /// When the next action is due.
    next_action_at: MaybeUndefined<DateTime<Utc>>,
    /// What is to be done then; needs `nextActionAt`.
    next_action_details: MaybeUndefined<String>,
    /// Who looks after it. A new record is yours unless you say otherwise.
    owner_id: MaybeUndefined<UserId>,
    /// Free words to find it by; replaces all.
    tags: MaybeUndefined<Vec<String>>,
}

impl LeadDetails {
    fn write_to(self, fields: &mut LeadFields, rights: &Rights) -> Result<()> {
        refuse_masked(rights, Sensitive::Emails, (&self.email, "email"))?;
        refuse_masked(rights, Sensitive::Phones, (&self.phone, "phone"))?;
        let amount = (&self.estimated_amount, "estimatedAmount");
        refuse_masked(rights, Sensitive::Amounts, amount)?;
        patch(self.email, &mut fields.email);
        patch(self.phone, &mut fields.phone);
        patch(self.company_name, &mut fields.company_name);
        patch(self.title, &mut fields.title);
        patch_required(self.status, &mut fields.status);
        patch(self.unqualified_reason, &mut fields.unqualified_reason);
        patch(self.source, &mut fields.source);
        patch(self.notes, &mut fields.notes);
        patch_money(
            self.estimated_amount,
            "estimatedAmount",
            (
                &mut fields.estimated_amount_minor,
                &mut fields.estimated_amount_currency,
            ),
        )?;
        patch(self.next_action_at, &mut fields.next_action_at);
        patch(self.next_action_details, &mut fields.next_action_details);
        patch(self.owner_id, &mut fields.ownership.owner_id);
        patch_or_default(self.tags, &mut fields.tags);
        Ok(())
    }
}

/// A lead to be created.
#[derive(Debug, InputObject)]
struct LeadCreateInput {
    /// Your own id for it (`lead:<uuid>`, best a version 7): sending the same twice creates it once.
    id: Option<LeadId>,
    /// First name.
    first_name: String,
    /// Last name.
    last_name: String,
    #[graphql(flatten)]
    details: LeadDetails,
}

/// A change to a lead.
#[derive(Debug, InputObject)]
struct LeadUpdateInput {
    /// Which lead.
    id: LeadId,
    /// The version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// First name.
    first_name: Option<String>,
    /// Last name.
    last_name: Option<String>,
    #[graphql(flatten)]
    details: LeadDetails,
}

/// Names a lead, and the version it is expected at.
#[derive(Debug, InputObject)]
struct LeadRefInput {
    /// Which lead.
    id: LeadId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
}

/// What a change to a lead came to.
#[derive(SimpleObject)]
struct LeadPayload {
    /// The lead after the change; after a CONFLICT as it is now; null when the change was refused.
    lead: Option<Arc<Lead>>,
    /// What has to be mended; empty when the change was made.
    user_errors: Vec<UserError>,
}

/// Writing leads.
#[derive(Default)]
pub struct LeadMutation;

#[Object]
impl LeadMutation {
    /// Creates a lead.
    async fn lead_create(
        &self,
        ctx: &Context<'_>,
        input: LeadCreateInput,
    ) -> async_graphql::Result<LeadPayload> {
        let id = input.id.unwrap_or_default();
        let owner = ctx.request().actor().person();
        let outcome = ctx.request().write(async |tx| {
            let LeadCreateInput {
                first_name,
                last_name,
                details,
                ..
            } = input;
            let mut fields = LeadFields {
                first_name,
                last_name,
                ..Default::default()
            };
            fields.ownership.owner_id = owner;
            details.write_to(&mut fields, &tx.actor().rights)?;
            super::create(
                tx,
                NewLead {
                    id,
                    fields,
                    created_at: None,
                },
            )
            .await
        });
        payload(ctx, id, outcome.await).await
    }

    /// Changes a lead. Refused with INVALID_STATUS once it is converted.
    async fn lead_update(
        &self,
        ctx: &Context<'_>,
        input: LeadUpdateInput,
    ) -> async_graphql::Result<LeadPayload> {
        let id = input.id;
        let outcome = ctx.request().write(async |tx| {
            let LeadUpdateInput {
                id,
                expected_version,
                first_name,
                last_name,
                details,
            } = input;
            let rights = Arc::clone(&tx.actor().rights);
            super::update(tx, (id, expected_version), |fields| {
                patch_required(first_name, &mut fields.first_name);
                patch_required(last_name, &mut fields.last_name);
                details.write_to(fields, &rights)
            })
            .await
        });
        payload(ctx, id, outcome.await).await
    }

    /// Puts a lead away.
    async fn lead_archive(
        &self,
        ctx: &Context<'_>,
        input: LeadRefInput,
    ) -> async_graphql::Result<LeadPayload> {
        let outcome = ctx
            .request()
            .write(async |tx| records::archive(tx, input.id.uuid(), input.expected_version).await);
        payload(ctx, input.id, outcome.await).await
    }

    /// Takes a lead back from the archive.
    async fn lead_restore(
        &self,
        ctx: &Context<'_>,
        input: LeadRefInput,
    ) -> async_graphql::Result<LeadPayload> {
        let outcome = ctx
            .request()
            .write(async |tx| records::restore(tx, input.id.uuid(), input.expected_version).await);
        payload(ctx, input.id, outcome.await).await
    }

    /// Deletes a lead for good; activities with it stay, without it.
    async fn lead_delete(
        &self,
        ctx: &Context<'_>,
        input: LeadRefInput,
    ) -> async_graphql::Result<DeletePayload> {
        let outcome = ctx.request().write(async |tx| {
            records::delete::<Lead>(tx, input.id.uuid(), input.expected_version).await
        });
        DeletePayload::new(input.id, outcome.await)
    }
}

async fn payload(
    ctx: &Context<'_>,
    id: LeadId,
    outcome: Result<Lead>,
) -> async_graphql::Result<LeadPayload> {
    let (lead, user_errors) = answer(ctx, id.uuid(), outcome).await?;
    Ok(LeadPayload { lead, user_errors })
}
