//! Members and teams in the schema: what can be read.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object, SimpleObject};
use chrono::{DateTime, Utc};
use dealgraph_derive::connection_args;

use super::{
    Member, MembershipStatus, Team,
    filter::{BY_PATH, MembershipFilter, MembershipOrder, TeamFilter, USUAL_ORDER},
    model::TeamOrderField,
};
use crate::{
    access::Role,
    base::{
        error::Result,
        ids::{ApiKeyId, TeamId, Typed as _, UserId},
    },
    db::{OrderTerm, list::Relation},
    entity::OwnedKinds,
    graphql::{Connection, ContextExt as _, Ends, ListArgs, Listing},
    organization::{api_keys::ApiKey, roles::CustomRole},
};

static OF_TEAM: Relation = Relation {
    name: "team.memberships",
    link: None,
    key: "t.team_id",
};

/// A person of the tenant.
pub struct User(Arc<Member>);

impl User {
    /// Loads a person; `None` without an id or when the person is no member.
    pub(crate) async fn load(ctx: &Context<'_>, id: Option<UserId>) -> Result<Option<Self>> {
        Ok(ctx
            .request()
            .load::<Member>(id.map(|id| id.uuid()))
            .await?
            .map(Self))
    }
}

/// A person of the tenant.
#[Object]
impl User {
    /// The id, as `user:<uuid>`; the same in every tenant.
    pub async fn id(&self) -> UserId {
        self.0.user_id
    }

    /// The name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The e-mail address the person signs in with.
    async fn email(&self) -> &str {
        &self.0.email
    }

    /// The person's role and team in this tenant.
    async fn membership(&self) -> Arc<Member> {
        Arc::clone(&self.0)
    }
}

/// A person's place in the tenant.
#[Object(name = "Membership")]
impl Member {
    /// The person.
    async fn user(&self) -> User {
        User(Arc::new(self.clone()))
    }

    /// What the person may do.
    async fn role(&self) -> Role {
        self.role
    }

    /// The role that the tenant made, when the role is CUSTOM.
    async fn custom_role(&self, ctx: &Context<'_>) -> Result<Option<Arc<CustomRole>>> {
        ctx.request().load(self.role_id.map(|id| id.uuid())).await
    }

    /// What the person is called at work.
    async fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// The team the person is in.
    async fn team(&self, ctx: &Context<'_>) -> Result<Option<Arc<Team>>> {
        ctx.request().load(self.team_id.map(|id| id.uuid())).await
    }

    /// Whether the person may sign in.
    async fn status(&self) -> MembershipStatus {
        self.status
    }

    /// When the person was last seen.
    async fn last_seen_at(&self) -> Option<DateTime<Utc>> {
        self.last_seen_at
    }

    /// Since when the person is a member.
    async fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    /// Who takes over the records of a person who is LEAVING.
    async fn successor(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        User::load(ctx, self.successor_id).await
    }

    /// Whether records are still being moved: to the successor of a person who is LEAVING, or to their new place in the
    /// tree of teams.
    async fn moving(&self, ctx: &Context<'_>) -> Result<bool> {
        let leaves = self.status == MembershipStatus::Leaving;
        Ok(leaves || self.records_to_move(ctx).await? > 0)
    }

    /// How many of the person's records that you may see are still to be moved.
    async fn records_to_move(&self, ctx: &Context<'_>) -> Result<i32> {
        if !self.moving {
            return Ok(0);
        }
        let left = ctx
            .request()
            .read(async |tx| super::misplaced(tx, ctx.data_unchecked::<OwnedKinds>(), self).await)
            .await?;
        Ok(i32::try_from(left).unwrap_or(i32::MAX))
    }

    /// Counts changes from 1.
    async fn version(&self) -> i32 {
        self.version
    }

    /// What you may do with this membership, as far as that can be told before you try: the last admin stays, and
    /// nobody changes who may do more than they may.
    async fn can(&self, ctx: &Context<'_>) -> MembershipCan {
        let actor = ctx.request().actor();
        let stays = self.status != MembershipStatus::Leaving;
        let may =
            stays && actor.may("users:write") && (self.role != Role::Admin || actor.may("admin"));
        MembershipCan {
            update: may,
            suspend: may && actor.person() != Some(self.user_id),
            remove: may,
        }
    }
}

/// What you may do with a membership.
#[derive(SimpleObject)]
struct MembershipCan {
    /// Change its role, team or title.
    update: bool,
    /// Keep the person out, or let them in again.
    suspend: bool,
    /// Take the person out for good.
    remove: bool,
}

/// A team. Teams form a tree; who leads a team also sees what its sub-teams own.
#[connection_args]
#[Object]
impl Team {
    /// The id, as `team:<uuid>`.
    pub async fn id(&self) -> TeamId {
        self.team_id
    }

    /// What it is called.
    async fn name(&self) -> &str {
        &self.name
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    /// Counts changes from 1.
    async fn version(&self) -> i32 {
        self.version
    }

    /// The team above it.
    async fn parent(&self, ctx: &Context<'_>) -> Result<Option<Arc<Team>>> {
        ctx.request()
            .load(self.parent_team_id.map(|id| id.uuid()))
            .await
    }

    /// Who is in it, without its sub-teams.
    async fn memberships(
        &self,
        ctx: &Context<'_>,
        #[list(never_archived)] args: ListArgs<MembershipFilter, MembershipOrder>,
    ) -> Result<Connection<Member>> {
        Listing::below(
            ctx,
            &OF_TEAM,
            self.team_id.uuid(),
            args.query(ctx.request().actor().tenant, USUAL_ORDER)?,
        )
        .await
    }
}

/// In whose name something was changed.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct ChangeAuthor {
    /// What kind of author it was.
    kind: AuthorKind,
    /// The import's source, the integration's id, or what the server was doing.
    source: Option<String>,
    #[graphql(skip)]
    user: Option<UserId>,
    #[graphql(skip)]
    api_key: Option<ApiKeyId>,
}

/// Kinds of authors of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(super) enum AuthorKind {
    /// A person.
    User,
    /// A program with a key.
    ApiKey,
    /// An import of data.
    Import,
    /// An account at a service elsewhere, with which records are kept in step.
    Integration,
    /// The server itself.
    System,
}

impl AuthorKind {
    /// Reads what a record's stamps say, with the source where that says more.
    pub(super) fn of(author: &str) -> (Self, Option<&str>) {
        let (what, source) = author.split_once(':').unwrap_or((author, author));
        match what {
            "user" => (Self::User, None),
            "apiKey" => (Self::ApiKey, None),
            "import" => (Self::Import, Some(source)),
            "integration" => (Self::Integration, Some(author)),
            _ => (Self::System, Some(source)),
        }
    }
}

impl ChangeAuthor {
    /// Reads what a record's stamps say.
    pub(crate) fn new(author: &str) -> Self {
        let (user, api_key) = (author.parse().ok(), author.parse().ok());
        let (kind, source) = AuthorKind::of(author);
        Self {
            kind,
            source: source.map(str::to_owned),
            user,
            api_key,
        }
    }
}

#[async_graphql::ComplexObject]
impl ChangeAuthor {
    /// The person, when it was one who is still a member.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        User::load(ctx, self.user).await
    }

    /// The key, when it was a program's and you may see keys.
    async fn api_key(&self, ctx: &Context<'_>) -> Result<Option<Arc<ApiKey>>> {
        ctx.request().load(self.api_key.map(|id| id.uuid())).await
    }
}

/// Reading members and teams.
#[derive(Default)]
pub struct MemberQuery;

#[connection_args]
#[Object]
impl MemberQuery {
    /// A person of the tenant by id; null when there is none.
    async fn user(&self, ctx: &Context<'_>, id: UserId) -> Result<Option<User>> {
        User::load(ctx, Some(id)).await
    }

    /// A team by its id; null when there is none.
    async fn team(&self, ctx: &Context<'_>, id: TeamId) -> Result<Option<Arc<Team>>> {
        ctx.request().load(Some(id.uuid())).await
    }

    /// The teams of the tenant, each right before its sub-teams.
    async fn teams(
        &self,
        ctx: &Context<'_>,
        (front, back): Ends,
        filter: Option<TeamFilter>,
    ) -> Result<Connection<Team>> {
        let order_by = None::<Vec<OrderTerm<TeamOrderField>>>;
        let args = ListArgs::new(front, back, filter, order_by);
        Listing::read(ctx, args.query(ctx.request().actor().tenant, BY_PATH)?).await
    }

    /// The members of the tenant, by name unless ordered otherwise.
    async fn memberships(
        &self,
        ctx: &Context<'_>,
        #[list(never_archived)] args: ListArgs<MembershipFilter, MembershipOrder>,
    ) -> Result<Connection<Member>> {
        Listing::read(ctx, args.query(ctx.request().actor().tenant, USUAL_ORDER)?).await
    }
}
