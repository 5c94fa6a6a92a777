//! Activities in the schema.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject, Union};
use chrono::{DateTime, Utc};
use futures_util::future;
use uuid::Uuid;

use super::{
    Activity, ActivityDirection, ActivityFields, ActivityKind, ActivityOrderField, ActivityStatus,
    NewActivity, Target, loader::TargetsOf, projection::SHAPE,
};
use crate::{
    companies::Company,
    contacts::Contact,
    db::{
        Direction, OrderTerm, Predicate,
        list::{Link, Relation},
    },
    enum_filter,
    error::Result,
    graphql::{
        Connection, ContextExt as _, DeletePayload, Filter, ListArgs, Listing, RecordRights,
        UserError, answer,
        filters::{Conditions, DateTimeFilter, IdFilter},
        patch::{patch, patch_required},
        projection::{self, Found},
    },
    ids::{ActivityId, Typed as _, UserId},
    leads::Lead,
    members::{ChangeAuthor, User},
    opportunities::Opportunity,
    records,
};

/// A link keeps the activity's time, so a record's latest activities are one range of an index.
const LINK: Link = Link {
    table: "activity_targets",
    on: "l.activity_id = t.activity_id",
    copies: &[
        ("occurred_at", "l.occurred_at"),
        ("activity_id", "l.activity_id"),
    ],
};

pub(crate) static OF_COMPANY: Relation = Relation {
    name: "company.activities",
    link: Some(LINK),
    key: "l.company_id",
};
pub(crate) static OF_CONTACT: Relation = Relation {
    name: "contact.activities",
    link: Some(LINK),
    key: "l.contact_id",
};
pub(crate) static OF_LEAD: Relation = Relation {
    name: "lead.activities",
    link: Some(LINK),
    key: "l.lead_id",
};
pub(crate) static OF_OPPORTUNITY: Relation = Relation {
    name: "opportunity.activities",
    link: Some(LINK),
    key: "l.opportunity_id",
};

/// The activities of a record, the latest first unless ordered otherwise.
pub(crate) async fn below(
    ctx: &Context<'_>,
    relation: &'static Relation,
    parent: Uuid,
    args: ListArgs<ActivityFilter, ActivityOrder>,
) -> Result<Connection<Activity>> {
    Listing::below(
        ctx,
        relation,
        parent,
        args.query(ctx.request().actor().tenant, USUAL_ORDER)?,
    )
    .await
}

/// Something that was done or is planned, and the records it is about.
#[Object]
impl Activity {
    /// The id, as `activity:<uuid>`.
    pub async fn id(&self) -> ActivityId {
        self.id
    }

    /// What kind of thing it is.
    async fn kind(&self) -> ActivityKind {
        self.fields.kind
    }

    /// What it is about, in a line.
    async fn subject(&self) -> &str {
        &self.fields.subject
    }

    /// Its text: what was said or written, or what is to be done.
    async fn body(&self) -> Option<&str> {
        self.fields.body.as_deref()
    }

    /// Who got in touch with whom.
    async fn direction(&self) -> Option<ActivityDirection> {
        self.fields.direction
    }

    /// How it stands.
    async fn status(&self) -> ActivityStatus {
        self.fields.status
    }

    /// Until when it is to be done.
    async fn due_at(&self) -> Option<DateTime<Utc>> {
        self.fields.due_at
    }

    /// When it starts.
    async fn start_at(&self) -> Option<DateTime<Utc>> {
        self.fields.start_at
    }

    /// When it ends.
    async fn end_at(&self) -> Option<DateTime<Utc>> {
        self.fields.end_at
    }

    /// When it was done; empty until it is.
    async fn done_at(&self) -> Option<DateTime<Utc>> {
        self.fields.done_at
    }

    /// What came of it.
    async fn outcome(&self) -> Option<&str> {
        self.fields.outcome.as_deref()
    }

    /// Its place in a timeline: when it was done, else when it starts, else when it is due, else when it was created.
    async fn occurred_at(&self) -> DateTime<Utc> {
        self.occurred_at
    }

    /// Who does it or did it.
    async fn owner(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        User::load(ctx, self.fields.ownership.owner_id).await
    }

    /// The records it is about, without those that you may not see.
    async fn targets(&self, ctx: &Context<'_>) -> Result<Vec<ActivityTarget>> {
        let targets = ctx.request().load_with::<TargetsOf>(self.id.uuid()).await?;
        let loads = targets
            .into_iter()
            .map(|target| ActivityTarget::load(ctx, target));
        Ok(future::try_join_all(loads)
            .await?
            .into_iter()
            .flatten()
            .collect())
    }

    /// What you may do with it.
    async fn can(&self, ctx: &Context<'_>) -> RecordRights {
        RecordRights::on(ctx.request(), self)
    }

    /// When it was put away; lists leave such activities out.
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

/// A record that an activity is about.
#[derive(Union)]
enum ActivityTarget {
    /// A company.
    Company(Arc<Company>),
    /// A contact.
    Contact(Arc<Contact>),
    /// A lead.
    Lead(Arc<Lead>),
    /// An opportunity.
    Opportunity(Arc<Opportunity>),
}

impl ActivityTarget {
    async fn load(ctx: &Context<'_>, target: Target) -> Result<Option<Self>> {
        let (request, id) = (ctx.request(), Some(target.uuid()));
        Ok(match target {
            Target::Company(_) => request.load(id).await?.map(Self::Company),
            Target::Contact(_) => request.load(id).await?.map(Self::Contact),
            Target::Lead(_) => request.load(id).await?.map(Self::Lead),
            Target::Opportunity(_) => request.load(id).await?.map(Self::Opportunity),
        })
    }
}

enum_filter! {
    /// Compares a kind of activity.
    ActivityKindFilter(ActivityKind)
}

enum_filter! {
    /// Compares an activity's status.
    ActivityStatusFilter(ActivityStatus)
}

enum_filter! {
    /// Compares an activity's direction.
    ActivityDirectionFilter(ActivityDirection)
}

/// Which activities.
#[derive(Debug, Default, InputObject)]
pub struct ActivityFilter {
    /// All of these hold.
    and: Option<Vec<ActivityFilter>>,
    /// At least one of these holds.
    or: Option<Vec<ActivityFilter>>,
    /// This does not hold.
    not: Option<Box<ActivityFilter>>,
    /// By id.
    id: Option<IdFilter>,
    /// By kind.
    kind: Option<ActivityKindFilter>,
    /// By status.
    status: Option<ActivityStatusFilter>,
    /// By direction.
    direction: Option<ActivityDirectionFilter>,
    /// By owner.
    owner_id: Option<IdFilter>,
    /// By the time until when it is to be done.
    due_at: Option<DateTimeFilter>,
    /// By its place in a timeline.
    occurred_at: Option<DateTimeFilter>,
    /// By the time when it was done.
    done_at: Option<DateTimeFilter>,
    /// By time of creation.
    created_at: Option<DateTimeFilter>,
    /// By time of the last change.
    updated_at: Option<DateTimeFilter>,
}

impl Filter for ActivityFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.id::<ActivityId>("id", "activity_id", self.id)?;
        if let Some(kind) = self.kind {
            kind.into_conditions(&mut all, "kind");
        }
        if let Some(status) = self.status {
            status.into_conditions(&mut all, "status");
        }
        if let Some(direction) = self.direction {
            direction.into_conditions(&mut all, "direction");
        }
        all.id::<UserId>("ownerId", "owner_id", self.owner_id)?;
        all.time("dueAt", ("due_at", "'infinity'::timestamptz"), self.due_at)?;
        all.time("occurredAt", "occurred_at", self.occurred_at)?;
        all.time("doneAt", "done_at", self.done_at)?;
        all.time("createdAt", "created_at", self.created_at)?;
        all.time("updatedAt", "updated_at", self.updated_at)?;
        all.finish(self.and, self.or, self.not)
    }
}

/// One criterion of the order of activities.
#[derive(Debug, InputObject)]
pub struct ActivityOrder {
    /// What to sort by.
    field: ActivityOrderField,
    /// Which way.
    #[graphql(default_with = "Direction::Asc")]
    direction: Direction,
}

impl From<ActivityOrder> for OrderTerm<ActivityOrderField> {
    fn from(order: ActivityOrder) -> Self {
        Self {
            field: order.field,
            direction: order.direction,
        }
    }
}

pub(super) const USUAL_ORDER: OrderTerm<ActivityOrderField> = OrderTerm {
    field: ActivityOrderField::OccurredAt,
    direction: Direction::Desc,
};

/// Reading activities.
#[derive(Default)]
pub struct ActivityQuery;

#[Object]
impl ActivityQuery {
    /// An activity by its id; null when there is none that you may see.
    async fn activity(&self, ctx: &Context<'_>, id: ActivityId) -> Result<Option<Found<Activity>>> {
        projection::find(ctx, &SHAPE, id.uuid()).await
    }

    /// Activities, the latest first unless ordered otherwise.
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
        let query = args.query(ctx.request().actor().tenant, USUAL_ORDER)?;
        projection::list(ctx, &SHAPE, query).await
    }
}

/// What can be written of an activity beside its kind, subject and status. Leave a field out to keep it, send null to
/// empty it.
#[derive(Debug, InputObject)]
struct ActivityDetails {
    /// Its text: what was said or written, or what is to be done.
    body: MaybeUndefined<String>,
    /// Who got in touch with whom.
    direction: MaybeUndefined<ActivityDirection>,
    /// Until when it is to be done.
    due_at: MaybeUndefined<DateTime<Utc>>,
    /// When it starts.
    start_at: MaybeUndefined<DateTime<Utc>>,
    /// When it ends; not before it starts.
    end_at: MaybeUndefined<DateTime<Utc>>,
    /// When it was done; only with the status DONE, and then now unless you say otherwise.
    done_at: MaybeUndefined<DateTime<Utc>>,
    /// What came of it.
    outcome: MaybeUndefined<String>,
    /// Who does it or did it. A new record is yours unless you say otherwise.
    owner_id: MaybeUndefined<UserId>,
    /// The companies, contacts, leads and deals it is about, at most 20; replaces all that you see.
    target_ids: MaybeUndefined<Vec<ID>>,
}

impl ActivityDetails {
    /// The targets, when they are to be replaced.
    fn targets(&self) -> Result<Option<Vec<Target>>> {
        match &self.target_ids {
            MaybeUndefined::Undefined => Ok(None),
            MaybeUndefined::Null => Ok(Some(Vec::new())),
            MaybeUndefined::Value(ids) => Target::parse_all(ids).map(Some),
        }
    }

    fn write_to(self, fields: &mut ActivityFields) {
        patch(self.body, &mut fields.body);
        patch(self.direction, &mut fields.direction);
        patch(self.due_at, &mut fields.due_at);
        patch(self.start_at, &mut fields.start_at);
        patch(self.end_at, &mut fields.end_at);
        patch(self.done_at, &mut fields.done_at);
        patch(self.outcome, &mut fields.outcome);
        patch(self.owner_id, &mut fields.ownership.owner_id);
    }
}

/// An activity to be created.
#[derive(Debug, InputObject)]
struct ActivityCreateInput {
    /// Your own id for it (`activity:<uuid>`, best a version 7): sending the same twice creates it once.
    id: Option<ActivityId>,
    /// What kind of thing it is.
    kind: ActivityKind,
    /// What it is about, in a line.
    subject: String,
    /// How it stands; PLANNED unless you say otherwise, but a note and what has a `doneAt` are DONE.
    status: Option<ActivityStatus>,
    #[graphql(flatten)]
    details: ActivityDetails,
}

/// A change to an activity.
#[derive(Debug, InputObject)]
struct ActivityUpdateInput {
    /// Which activity.
    id: ActivityId,
    /// The version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// What kind of thing it is.
    kind: Option<ActivityKind>,
    /// What it is about, in a line.
    subject: Option<String>,
    /// How it stands; what is no longer DONE loses its `doneAt`.
    status: Option<ActivityStatus>,
    #[graphql(flatten)]
    details: ActivityDetails,
}

/// Names an activity that was done.
#[derive(Debug, InputObject)]
struct ActivityCompleteInput {
    /// Which activity.
    id: ActivityId,
    /// What came of it; the outcome it has stays when you leave this out.
    outcome: Option<String>,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
}

/// Names an activity, and the version it is expected at.
#[derive(Debug, InputObject)]
struct ActivityRefInput {
    /// Which activity.
    id: ActivityId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
}

/// What a change to an activity came to.
#[derive(SimpleObject)]
struct ActivityPayload {
    /// The activity after the change; after a CONFLICT as it is now; null when the change was refused.
    activity: Option<Arc<Activity>>,
    /// What has to be mended; empty when the change was made.
    user_errors: Vec<UserError>,
}

/// Writing activities.
#[derive(Default)]
pub struct ActivityMutation;

#[Object]
impl ActivityMutation {
    /// Creates an activity. What is done also moves the last activity of its deals and leads, and a call, e-mail,
    /// message or meeting moves when its contacts were last contacted.
    async fn activity_create(
        &self,
        ctx: &Context<'_>,
        input: ActivityCreateInput,
    ) -> async_graphql::Result<ActivityPayload> {
        let id = input.id.unwrap_or_default();
        let owner = ctx.request().actor().person();
        let outcome = ctx.request().write(async |tx| {
            let ActivityCreateInput {
                kind,
                subject,
                status,
                details,
                ..
            } = input;
            let targets = details.targets()?.unwrap_or_default();
            let mut fields = ActivityFields {
                kind,
                subject,
                ..Default::default()
            };
            fields.ownership.owner_id = owner;
            details.write_to(&mut fields);
            fields.status = status.unwrap_or_else(|| fields.usual_status());
            super::create(
                tx,
                NewActivity {
                    id,
                    fields,
                    targets,
                    created_at: None,
                },
            )
            .await
        });
        payload(ctx, id, outcome.await).await
    }

    /// Changes an activity.
    async fn activity_update(
        &self,
        ctx: &Context<'_>,
        input: ActivityUpdateInput,
    ) -> async_graphql::Result<ActivityPayload> {
        let id = input.id;
        let outcome = ctx.request().write(async |tx| {
            let ActivityUpdateInput {
                id,
                expected_version,
                kind,
                subject,
                status,
                details,
            } = input;
            let targets = details.targets()?;
            super::update(tx, (id, expected_version), targets, |fields| {
                patch_required(kind, &mut fields.kind);
                patch_required(subject, &mut fields.subject);
                patch_required(status, &mut fields.status);
                details.write_to(fields);
                Ok(())
            })
            .await
        });
        payload(ctx, id, outcome.await).await
    }

    /// Makes a planned activity done, now. Moves the same times as a new activity that is done.
    async fn activity_complete(
        &self,
        ctx: &Context<'_>,
        input: ActivityCompleteInput,
    ) -> async_graphql::Result<ActivityPayload> {
        let ActivityCompleteInput {
            id,
            outcome,
            expected_version,
        } = input;
        let outcome = ctx
            .request()
            .write(async |tx| super::complete(tx, (id, expected_version), outcome).await);
        payload(ctx, id, outcome.await).await
    }

    /// Puts an activity away.
    async fn activity_archive(
        &self,
        ctx: &Context<'_>,
        input: ActivityRefInput,
    ) -> async_graphql::Result<ActivityPayload> {
        let outcome = ctx
            .request()
            .write(async |tx| records::archive(tx, input.id.uuid(), input.expected_version).await);
        payload(ctx, input.id, outcome.await).await
    }

    /// Takes an activity back from the archive.
    async fn activity_restore(
        &self,
        ctx: &Context<'_>,
        input: ActivityRefInput,
    ) -> async_graphql::Result<ActivityPayload> {
        let outcome = ctx
            .request()
            .write(async |tx| records::restore(tx, input.id.uuid(), input.expected_version).await);
        payload(ctx, input.id, outcome.await).await
    }

    /// Deletes an activity for good. The records it is about stay.
    async fn activity_delete(
        &self,
        ctx: &Context<'_>,
        input: ActivityRefInput,
    ) -> async_graphql::Result<DeletePayload> {
        let outcome = ctx.request().write(async |tx| {
            records::delete::<Activity>(tx, input.id.uuid(), input.expected_version).await
        });
        DeletePayload::new(input.id, outcome.await)
    }
}

async fn payload(
    ctx: &Context<'_>,
    id: ActivityId,
    outcome: Result<Activity>,
) -> async_graphql::Result<ActivityPayload> {
    let (activity, user_errors) = answer(ctx, id.uuid(), outcome).await?;
    Ok(ActivityPayload {
        activity,
        user_errors,
    })
}
