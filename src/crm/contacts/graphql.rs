//! Contacts in the schema: what can be read.

use std::sync::Arc;

use async_graphql::{Context, Object};
use chrono::{DateTime, Utc};
use dealgraph_derive::connection_args;

use super::{
    Contact, ContactFields, ContactMethod, ContactMethodKind,
    filter::{ContactFilter, ContactOrder, USUAL_ORDER},
    methods::{self, MethodsOfContact},
    projection::SHAPE,
};
use crate::{
    base::{
        error::Result,
        ids::{ContactId, Typed as _},
    },
    crm::{
        activities::{self, Activity, ActivityFilter, ActivityOrder},
        companies::Company,
        opportunities::{self, Opportunity, OpportunityFilter, OpportunityOrder},
    },
    db::list::{Link, Relation},
    entity::Stamps,
    graphql::{
        Connection, ContextExt as _, ListArgs, Listing, RecordRights,
        projection::{self, Found},
    },
    organization::members::User,
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
#[connection_args]
#[Object]
impl Contact {
    /// The id, as `contact:<uuid>`.
    pub async fn id(&self) -> ContactId {
        self.id
    }

    #[graphql(flatten)]
    async fn fields(&self) -> &ContactFields {
        &self.fields
    }

    /// First and last name.
    async fn name(&self) -> String {
        format!("{} {}", self.fields.first_name, self.fields.last_name)
    }

    /// The preferred e-mail address, in lower case.
    async fn email(&self, ctx: &Context<'_>) -> Option<&str> {
        ctx.request()
            .unless_masked(Self::EMAIL, self.email.as_deref())
    }

    /// The preferred phone number; without one the preferred mobile phone number.
    async fn phone(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        let methods = ctx
            .request()
            .load_with::<MethodsOfContact>(self.id.uuid())
            .await?;
        let phone = methods::preferred_phone(&methods);
        Ok(ctx
            .request()
            .unless_masked(ContactMethodKind::Phone.sensitivity(), phone))
    }

    /// All ways to reach the person, in their order; at most 20.
    async fn contact_methods(&self, ctx: &Context<'_>) -> Result<Arc<[ContactMethod]>> {
        ctx.request()
            .load_with::<MethodsOfContact>(self.id.uuid())
            .await
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

    /// Who owns it.
    async fn owner(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        User::load(ctx, self.fields.ownership.owner_id).await
    }

    /// The people whose boss this is.
    async fn direct_reports(
        &self,
        ctx: &Context<'_>,
        args: ListArgs<ContactFilter, ContactOrder>,
    ) -> Result<Connection<Contact>> {
        below(ctx, &REPORTS_TO, self.id.uuid(), args).await
    }

    /// The deals the person has a part in.
    async fn opportunities(
        &self,
        ctx: &Context<'_>,
        args: ListArgs<OpportunityFilter, OpportunityOrder>,
    ) -> Result<Connection<Opportunity>> {
        opportunities::below(ctx, &opportunities::OF_CONTACT, self.id.uuid(), args).await
    }

    /// What was done and is planned with the person.
    async fn activities(
        &self,
        ctx: &Context<'_>,
        args: ListArgs<ActivityFilter, ActivityOrder>,
    ) -> Result<Connection<Activity>> {
        activities::below(ctx, &activities::OF_CONTACT, self.id.uuid(), args).await
    }

    /// What you may do with it.
    async fn can(&self, ctx: &Context<'_>) -> RecordRights {
        RecordRights::on(ctx.request(), self)
    }

    /// When it was archived; lists leave archived contacts out.
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

/// Reading contacts.
#[derive(Default)]
pub struct ContactQuery;

#[connection_args]
#[Object]
impl ContactQuery {
    /// A contact by its id; null when there is none that you may see.
    async fn contact(&self, ctx: &Context<'_>, id: ContactId) -> Result<Option<Found<Contact>>> {
        projection::find(ctx, &SHAPE, id.uuid()).await
    }

    /// Contacts, the newest first unless ordered otherwise. Whom to call next ("my 500"): filter by your own `ownerId`
    /// and order by `[{ field: WARMNESS_SCORE, direction: DESC }, { field: LAST_CONTACTED_AT, direction: ASC }]`, the
    /// warmest first and, among equals, who has waited longest.
    async fn contacts(
        &self,
        ctx: &Context<'_>,
        args: ListArgs<ContactFilter, ContactOrder>,
    ) -> Result<Connection<Contact>> {
        let query = args.query(ctx.request().actor().tenant, USUAL_ORDER)?;
        projection::list(ctx, &SHAPE, query).await
    }
}
