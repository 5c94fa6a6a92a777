//! Deals in the schema: what can be read.

use std::sync::Arc;

use async_graphql::{Context, InputObject, Object};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    ForecastCategory, Opportunity, OpportunityOrderField, OpportunityStatus,
    due::{self, Bucket, Days, DueScope},
    loader::{
        CollaboratorRow, Collaborators, ContactRoleRow, ContactRoles, StageChangeRow, StageHistory,
    },
    projection::SHAPE,
    record::OpportunitySort,
    stats::{self, PipelineStats},
};
use crate::{
    activities::{self, Activity, ActivityFilter, ActivityKind, ActivityOrder},
    auth::Sensitive,
    companies::{Company, CompanyFilter},
    contacts::{self, Contact, ContactFilter, ContactOrder},
    db::{
        Direction, OrderTerm, Predicate, Quantifier,
        list::{Link, Relation},
    },
    enum_filter,
    error::Result,
    graphql::{
        Connection, ContextExt as _, Filter, ListArgs, Listing, RecordRights,
        filters::{
            BigIntFilter, Conditions, DateFilter, DateTimeFilter, IdFilter, IntFilter, TextFilter,
        },
        page_request,
        projection::{self, Found},
        scalars::{BigInt, Date, Money},
    },
    ids::{
        CompanyId, ContactId, OpportunityId, PipelineId, StageChangeId, StageId, Typed as _, UserId,
    },
    members::{ChangeAuthor, User},
    money,
    pipelines::{Pipeline, Stage},
    text::{normalize, verbatim},
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
#[Object]
impl Opportunity {
    /// The id, as `opportunity:<uuid>`.
    pub async fn id(&self) -> OpportunityId {
        self.id
    }

    /// What it is called.
    async fn name(&self) -> &str {
        &self.fields.name
    }

    /// What it is worth.
    async fn amount(&self, ctx: &Context<'_>) -> Option<Money> {
        let amount = self.fields.amount().map(Money::from);
        ctx.request().unless_masked(Sensitive::Amounts, amount)
    }

    /// What it is worth times its probability, rounded down to the minor unit.
    async fn weighted_amount(&self, ctx: &Context<'_>) -> Option<Money> {
        let currency = self.fields.amount_currency.as_deref();
        let weighted = money::Money::from_columns(self.weighted_minor, currency);
        ctx.request()
            .unless_masked(Sensitive::Amounts, weighted.map(Money::from))
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

    /// Since when it stands there.
    async fn stage_entered_at(&self) -> DateTime<Utc> {
        self.standing.stage_entered_at
    }

    /// Whether it is under way, won or lost.
    async fn status(&self) -> OpportunityStatus {
        self.standing.status
    }

    /// How likely it is won, in percent: the stage's unless set by hand.
    async fn probability(&self) -> i32 {
        self.standing.probability.into()
    }

    /// Whether the probability was set by hand; then it does not follow the stage.
    async fn probability_is_manual(&self) -> bool {
        self.standing.probability_manual
    }

    /// Where it counts in a forecast.
    async fn forecast_category(&self) -> ForecastCategory {
        self.fields.forecast_category
    }

    /// When it is expected to close.
    async fn expected_close_on(&self) -> Option<Date> {
        self.fields.expected_close_on.map(Date)
    }

    /// When it was won.
    async fn won_at(&self) -> Option<DateTime<Utc>> {
        self.standing.won_at
    }

    /// When it was lost.
    async fn lost_at(&self) -> Option<DateTime<Utc>> {
        self.standing.lost_at
    }

    /// Why it was lost.
    async fn lost_reason(&self) -> Option<&str> {
        self.standing.lost_reason.as_deref()
    }

    /// What else there is to say about the loss.
    async fn lost_note(&self) -> Option<&str> {
        self.standing.lost_note.as_deref()
    }

    /// Where it came from, for example `referral`.
    async fn source(&self) -> Option<&str> {
        self.fields.source.as_deref()
    }

    /// Free words to find it by.
    async fn tags(&self) -> &[String] {
        &self.fields.tags
    }

    /// Its place on the board, as text that sorts within the stage.
    async fn board_position(&self) -> &str {
        &self.standing.board_position
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

    /// When something was last done about it.
    async fn last_activity_at(&self) -> Option<DateTime<Utc>> {
        self.agenda.last_activity_at
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
        activities::below(ctx, &activities::OF_OPPORTUNITY, self.id.uuid(), args).await
    }

    /// What you may do with it.
    async fn can(&self, ctx: &Context<'_>) -> RecordRights {
        RecordRights::on(ctx.request(), self)
    }

    /// When it was put away; lists leave such deals out.
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

/// What is to be done next about a deal.
struct ScheduledAction<'a> {
    at: DateTime<Utc>,
    kind: ActivityKind,
    deal: &'a Opportunity,
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
struct ContactRole {
    row: ContactRoleRow,
    primary: bool,
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

/// Somebody who works on a deal beside its owner.
struct Collaborator(CollaboratorRow);

/// Somebody who works on a deal beside its owner.
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
struct StageChange(StageChangeRow);

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
            .unless_masked(Sensitive::Amounts, amount.map(Money::from))
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

enum_filter! {
    /// Compares a deal's status.
    OpportunityStatusFilter(OpportunityStatus)
}

enum_filter! {
    /// Compares a forecast category.
    ForecastCategoryFilter(ForecastCategory)
}

/// Which deals.
#[derive(Debug, Default, InputObject)]
pub struct OpportunityFilter {
    /// All of these hold.
    and: Option<Vec<OpportunityFilter>>,
    /// At least one of these holds.
    or: Option<Vec<OpportunityFilter>>,
    /// This does not hold.
    not: Option<Box<OpportunityFilter>>,
    /// By id.
    id: Option<IdFilter>,
    /// By name, without regard to case.
    name: Option<TextFilter>,
    /// By status.
    status: Option<OpportunityStatusFilter>,
    /// By pipeline.
    pipeline_id: Option<IdFilter>,
    /// By stage.
    stage_id: Option<IdFilter>,
    /// By what it is worth in minor units, whatever the currency.
    amount_minor: Option<BigIntFilter>,
    /// By currency, as its ISO 4217 code.
    currency: Option<TextFilter>,
    /// By probability in percent.
    probability: Option<IntFilter>,
    /// By forecast category.
    forecast_category: Option<ForecastCategoryFilter>,
    /// By the day it is expected to close.
    expected_close_on: Option<DateFilter>,
    /// By source, as written.
    source: Option<TextFilter>,
    /// By company.
    company_id: Option<IdFilter>,
    /// By primary contact.
    primary_contact_id: Option<IdFilter>,
    /// By owner.
    owner_id: Option<IdFilter>,
    /// By when the next action is due.
    next_action_at: Option<DateTimeFilter>,
    /// By when something was last done.
    last_activity_at: Option<DateTimeFilter>,
    /// By when it entered its stage.
    stage_entered_at: Option<DateTimeFilter>,
    /// By when it was won.
    won_at: Option<DateTimeFilter>,
    /// By when it was lost.
    lost_at: Option<DateTimeFilter>,
    /// By time of creation.
    created_at: Option<DateTimeFilter>,
    /// By time of the last change.
    updated_at: Option<DateTimeFilter>,
    /// Its company matches.
    company: Option<Box<CompanyFilter>>,
    /// Its primary contact matches.
    primary_contact: Option<Box<ContactFilter>>,
}

impl Filter for OpportunityFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.id::<OpportunityId>("id", "opportunity_id", self.id)?;
        all.text("name", "name_normalized", self.name, normalize)?;
        if let Some(status) = self.status {
            status.into_conditions(&mut all, "status");
        }
        all.id::<PipelineId>("pipelineId", "pipeline_id", self.pipeline_id)?;
        all.id::<StageId>("stageId", "stage_id", self.stage_id)?;
        all.big_int("amountMinor", ("amount_minor", "-1"), self.amount_minor)?;
        all.text("currency", "amount_currency", self.currency, verbatim)?;
        all.int("probability", "probability", self.probability)?;
        if let Some(category) = self.forecast_category {
            category.into_conditions(&mut all, "forecast_category");
        }
        all.date(
            "expectedCloseOn",
            ("expected_close_on", "'infinity'::date"),
            self.expected_close_on,
        )?;
        all.text("source", "source", self.source, verbatim)?;
        all.id::<CompanyId>("companyId", "company_id", self.company_id)?;
        all.id::<ContactId>(
            "primaryContactId",
            "primary_contact_id",
            self.primary_contact_id,
        )?;
        all.id::<UserId>("ownerId", "owner_id", self.owner_id)?;
        all.time("nextActionAt", "next_action_at", self.next_action_at)?;
        all.time("lastActivityAt", "last_activity_at", self.last_activity_at)?;
        all.time("stageEnteredAt", "stage_entered_at", self.stage_entered_at)?;
        all.time("wonAt", "won_at", self.won_at)?;
        all.time("lostAt", "lost_at", self.lost_at)?;
        all.time("createdAt", "created_at", self.created_at)?;
        all.time("updatedAt", "updated_at", self.updated_at)?;
        all.related(
            ("companies", "company_id", "company_id"),
            Quantifier::Some,
            self.company,
        )?;
        all.related(
            ("contacts", "contact_id", "primary_contact_id"),
            Quantifier::Some,
            self.primary_contact,
        )?;
        all.finish(self.and, self.or, self.not)
    }
}

impl OpportunityFilter {
    /// Deals of a pipeline that meet a filter too.
    pub(super) fn within(pipeline: PipelineId, filter: Option<Self>) -> Self {
        Self {
            and: filter.map(|filter| vec![filter]),
            pipeline_id: Some(IdFilter::equal_to(pipeline)),
            ..Self::default()
        }
    }
}

/// One criterion of the order of deals.
#[derive(Debug, InputObject)]
pub struct OpportunityOrder {
    /// What to sort by.
    field: OpportunityOrderField,
    /// Which way.
    #[graphql(default_with = "Direction::Asc")]
    direction: Direction,
}

impl From<OpportunityOrder> for OrderTerm<OpportunitySort> {
    fn from(order: OpportunityOrder) -> Self {
        Self {
            field: OpportunitySort::Field(order.field),
            direction: order.direction,
        }
    }
}

pub(super) const USUAL_ORDER: OrderTerm<OpportunitySort> = OrderTerm {
    field: OpportunitySort::Field(OpportunityOrderField::CreatedAt),
    direction: Direction::Desc,
};

/// Deals whose next action waits, by when it is due.
struct DueActions {
    scope: DueScope,
    days: Days,
}

impl DueActions {
    async fn bucket(
        &self,
        ctx: &Context<'_>,
        bucket: Bucket,
        (first, after): (Option<i32>, Option<String>),
    ) -> Result<Connection<Opportunity>> {
        let actor = ctx.request().actor();
        let page = page_request((first, after), (None, None), actor.tenant, &due::order())?;
        let query = due::query((self.scope, bucket, self.days), actor, page);
        projection::list(ctx, &SHAPE, query).await
    }
}

/// Deals whose next action waits, by when it is due. Days end in the tenant's time zone.
#[Object]
impl DueActions {
    /// Due before now, the longest waiting first.
    async fn overdue(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Opportunity>> {
        self.bucket(ctx, Bucket::Overdue, (first, after)).await
    }

    /// Due from now to the end of the day.
    async fn today(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Opportunity>> {
        self.bucket(ctx, Bucket::Today, (first, after)).await
    }

    /// Due after today.
    async fn upcoming(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Connection<Opportunity>> {
        self.bucket(ctx, Bucket::Upcoming, (first, after)).await
    }
}

/// Reading deals.
#[derive(Default)]
pub struct OpportunityQuery;

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
        let query = args.query(ctx.request().actor().tenant, USUAL_ORDER)?;
        projection::list(ctx, &SHAPE, query).await
    }

    /// Deals whose next action is overdue, due today or later.
    async fn due_actions(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "DueScope::Mine")] scope: DueScope,
    ) -> Result<DueActions> {
        let days = ctx.request().read(async |tx| due::days(tx).await).await?;
        Ok(DueActions { scope, days })
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
