//! Activities in the schema: what can be read.

use std::sync::Arc;

use async_graphql::{Context, Object, Union};
use chrono::{DateTime, Utc};
use dealgraph_derive::connection_args;
use futures_util::future;
use uuid::Uuid;

use super::{
    Activity, ActivityFields, Target,
    filter::{ActivityFilter, ActivityOrder, USUAL_ORDER},
    loader::TargetsOf,
    projection::SHAPE,
};
use crate::{
    base::{
        error::Result,
        ids::{ActivityId, Typed as _},
    },
    crm::{companies::Company, contacts::Contact, leads::Lead, opportunities::Opportunity},
    db::list::{Link, Relation},
    entity::Stamps,
    graphql::{
        Connection, ContextExt as _, ListArgs, Listing, RecordRights,
        projection::{self, Found},
    },
    organization::members::User,
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

    #[graphql(flatten)]
    async fn fields(&self) -> &ActivityFields {
        &self.fields
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

    /// When it was archived; lists leave archived activities out.
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

/// Reading activities.
#[derive(Default)]
pub struct ActivityQuery;

#[connection_args]
#[Object]
impl ActivityQuery {
    /// An activity by its id; null when there is none that you may see.
    async fn activity(&self, ctx: &Context<'_>, id: ActivityId) -> Result<Option<Found<Activity>>> {
        projection::find(ctx, &SHAPE, id.uuid()).await
    }

    /// Activities, the latest first unless ordered otherwise.
    async fn activities(
        &self,
        ctx: &Context<'_>,
        args: ListArgs<ActivityFilter, ActivityOrder>,
    ) -> Result<Connection<Activity>> {
        let query = args.query(ctx.request().actor().tenant, USUAL_ORDER)?;
        projection::list(ctx, &SHAPE, query).await
    }
}
