//! `node(id)`: any object by its id, whose prefix tells the type.

use std::sync::Arc;

use async_graphql::{Context, ID, Interface, Object};
use futures_util::future::{BoxFuture, FutureExt as _};
use uuid::Uuid;

use crate::{
    base::{
        error::{Error, Result},
        ids::{
            self, ActivityId, ApiKeyId, CompanyId, ContactId, InvitationId, LeadId, OpportunityId,
            PipelineId, ProductId, RoleId, StageId, TeamId, Typed, UserId,
        },
    },
    crm::{
        activities::Activity,
        companies::Company,
        contacts::Contact,
        leads::Lead,
        opportunities::Opportunity,
        pipelines::{Pipeline, Stage},
        products::Product,
    },
    db::{Columns as _, Part, list::Record},
    graphql::ContextExt as _,
    graphql::subscription::AnyRecord,
    organization::{
        api_keys::ApiKey,
        members::{Invitation, Member, Team, User},
        roles::CustomRole,
        tenants::{self, TenantSettings},
    },
};

/// An object with an id of its own.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The id, as `<type>:<uuid>`."))]
pub enum Node {
    /// A company.
    Company(Arc<Company>),
    /// A contact.
    Contact(Arc<Contact>),
    /// A lead.
    Lead(Arc<Lead>),
    /// A pipeline.
    Pipeline(Arc<Pipeline>),
    /// A stage.
    Stage(Arc<Stage>),
    /// An opportunity.
    Opportunity(Arc<Opportunity>),
    /// An activity.
    Activity(Arc<Activity>),
    /// A product.
    Product(Arc<Product>),
    /// A person.
    User(User),
    /// A team.
    Team(Arc<Team>),
    /// An invitation.
    Invitation(Arc<Invitation>),
    /// A role of the tenant's own.
    CustomRole(Arc<CustomRole>),
    /// A program's key.
    ApiKey(Arc<ApiKey>),
}

/// Reading anything by its id.
#[derive(Default)]
pub(super) struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Any object by its id; null when there is none that you may see.
    async fn node(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Node>> {
        find(ctx, &id).await
    }
}

/// Finds records for the kit.
pub(super) struct Nodes;

impl AnyRecord for Nodes {
    fn is_seen<'c>(&self, ctx: &'c Context<'_>, id: &'c ID) -> BoxFuture<'c, Result<bool>> {
        async move { Ok(find(ctx, id).await?.is_some()) }.boxed()
    }

    fn parts(&self, kind: &str) -> Option<&'static [Part]> {
        parts(kind)
    }
}

/// What the records of each kind declare of their columns: the kind, the table, the columns.
pub const DECLARED: [(&str, &str, &[Part]); 14] = [
    (Company::KIND, Company::TABLE, Company::PARTS),
    (Contact::KIND, Contact::TABLE, Contact::PARTS),
    (Lead::KIND, Lead::TABLE, Lead::PARTS),
    (Pipeline::KIND, Pipeline::TABLE, Pipeline::PARTS),
    (Stage::KIND, Stage::TABLE, Stage::PARTS),
    (Opportunity::KIND, Opportunity::TABLE, Opportunity::PARTS),
    (Activity::KIND, Activity::TABLE, Activity::PARTS),
    (Product::KIND, Product::TABLE, Product::PARTS),
    (Member::KIND, Member::TABLE, Member::PARTS),
    (Team::KIND, Team::TABLE, Team::PARTS),
    (Invitation::KIND, Invitation::TABLE, Invitation::PARTS),
    (CustomRole::KIND, CustomRole::TABLE, CustomRole::PARTS),
    (ApiKey::KIND, ApiKey::TABLE, ApiKey::PARTS),
    (tenants::KIND, "tenants", TenantSettings::PARTS),
];

/// What records of a kind declare of their columns.
pub(super) fn parts(kind: &str) -> Option<&'static [Part]> {
    let known = DECLARED.iter().find(|(known, ..)| *known == kind);
    known.map(|(.., parts)| *parts)
}

/// Any object by its id; nothing when there is none that the actor may see.
///
/// # Errors
/// `INVALID_ID` when it is no id of an object.
pub(crate) async fn find(ctx: &Context<'_>, id: &ID) -> Result<Option<Node>> {
    let (prefix, _) = id.split_once(':').unwrap_or_default();
    match prefix {
        CompanyId::PREFIX => Ok(load::<CompanyId, Company>(ctx, id)
            .await?
            .map(Node::Company)),
        ContactId::PREFIX => Ok(load::<ContactId, Contact>(ctx, id)
            .await?
            .map(Node::Contact)),
        LeadId::PREFIX => Ok(load::<LeadId, Lead>(ctx, id).await?.map(Node::Lead)),
        PipelineId::PREFIX => Ok(load::<PipelineId, Pipeline>(ctx, id)
            .await?
            .map(Node::Pipeline)),
        StageId::PREFIX => Ok(load::<StageId, Stage>(ctx, id).await?.map(Node::Stage)),
        OpportunityId::PREFIX => Ok(load::<OpportunityId, Opportunity>(ctx, id)
            .await?
            .map(Node::Opportunity)),
        ActivityId::PREFIX => Ok(load::<ActivityId, Activity>(ctx, id)
            .await?
            .map(Node::Activity)),
        ProductId::PREFIX => Ok(load::<ProductId, Product>(ctx, id)
            .await?
            .map(Node::Product)),
        TeamId::PREFIX => Ok(load::<TeamId, Team>(ctx, id).await?.map(Node::Team)),
        RoleId::PREFIX => Ok(load::<RoleId, CustomRole>(ctx, id)
            .await?
            .map(Node::CustomRole)),
        ApiKeyId::PREFIX => Ok(load::<ApiKeyId, ApiKey>(ctx, id).await?.map(Node::ApiKey)),
        InvitationId::PREFIX => Ok(load::<InvitationId, Invitation>(ctx, id)
            .await?
            .map(Node::Invitation)),
        UserId::PREFIX => Ok(User::load(ctx, Some(read::<UserId>(id)?))
            .await?
            .map(Node::User)),
        _ => Err(Error::invalid(
            "INVALID_ID",
            "id",
            "expected an id like opportunity:<uuid>",
        )),
    }
}

fn read<T: Typed>(id: &ID) -> Result<T> {
    ids::parse::<T>(id).map_err(|bad| Error::invalid("INVALID_ID", "id", bad.to_string()))
}

async fn load<T: Typed, R: Record>(ctx: &Context<'_>, id: &ID) -> Result<Option<Arc<R>>> {
    let id: Uuid = read::<T>(id)?.uuid();
    ctx.request().load(Some(id)).await
}
