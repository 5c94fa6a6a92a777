//! Invitations in the schema.

use std::sync::Arc;

use async_graphql::{Context, InputObject, MaybeUndefined, Object};
use chrono::{DateTime, Utc};
use dealgraph_derive::connection_args;

use super::{Invitation, InvitationOrderField, InvitationStatus};
use crate::{
    access::Role,
    base::{
        error::{Error, Result},
        ids::{InvitationId, Typed as _},
    },
    db::{Direction, OrderTerm, Predicate},
    graphql::{Connection, ContextExt as _, Ends, Filter, ListArgs, Listing, filters},
    organization::{
        members::{ChangeAuthor, Team, User},
        roles::CustomRole,
    },
};

/// A person who was asked to join the tenant.
#[Object]
impl Invitation {
    /// The id, as `invitation:<uuid>`.
    pub async fn id(&self) -> InvitationId {
        self.invitation_id
    }

    /// The address it was sent to.
    async fn email(&self) -> &str {
        &self.email
    }

    /// What the person will be allowed to do.
    async fn role(&self) -> Role {
        self.role
    }

    /// The role that the tenant made, when the role is CUSTOM.
    async fn custom_role(&self, ctx: &Context<'_>) -> Result<Option<Arc<CustomRole>>> {
        ctx.request().load(self.role_id.map(|id| id.uuid())).await
    }

    /// The team the person will be in.
    async fn team(&self, ctx: &Context<'_>) -> Result<Option<Arc<Team>>> {
        ctx.request().load(self.team_id.map(|id| id.uuid())).await
    }

    /// How it stands.
    async fn status(&self, ctx: &Context<'_>) -> InvitationStatus {
        self.standing(ctx.request().db().clock().now())
    }

    /// When it was sent last.
    async fn sent_at(&self) -> DateTime<Utc> {
        self.sent_at
    }

    /// How often it was sent.
    async fn sent_count(&self) -> i32 {
        self.sent_count
    }

    /// Until when it can be accepted.
    async fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }

    /// When it was accepted.
    async fn accepted_at(&self) -> Option<DateTime<Utc>> {
        self.accepted_at
    }

    /// Who accepted it.
    async fn accepted_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        User::load(ctx, self.accepted_by).await
    }

    /// When it was taken back.
    async fn revoked_at(&self) -> Option<DateTime<Utc>> {
        self.revoked_at
    }

    /// When the person was invited.
    async fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    /// Who invited them.
    async fn created_by(&self) -> ChangeAuthor {
        ChangeAuthor::new(&self.created_by)
    }

    /// Counts changes from 1.
    async fn version(&self) -> i32 {
        self.version
    }
}

/// Compares how an invitation stands.
#[derive(Debug, Default, InputObject)]
struct InvitationStatusFilter {
    /// Equals; null, which is no way to stand, is refused.
    eq: MaybeUndefined<InvitationStatus>,
    /// Is one of these, at most 100.
    r#in: MaybeUndefined<Vec<InvitationStatus>>,
}

/// Which invitations.
#[derive(Debug, Default, InputObject)]
pub(super) struct InvitationFilter {
    /// How they stand now.
    status: Option<InvitationStatusFilter>,
    #[graphql(skip)]
    now: DateTime<Utc>,
}

impl Filter for InvitationFilter {
    fn predicate(self) -> Result<Predicate> {
        let status = self.status.unwrap_or_default();
        let stands = |status: InvitationStatus| status.predicate(self.now);
        let at = |part, error: Error| error.within(part).within("status");
        let one = filters::given(status.eq).map_err(|error| at("eq", error))?;
        let several = filters::given(status.r#in).map_err(|error| at("in", error))?;
        let mut all: Vec<Predicate> = one.map(stands).into_iter().collect();
        all.extend(
            several.map(|several| Predicate::Any(several.into_iter().map(stands).collect())),
        );
        Ok(Predicate::All(all))
    }
}

const USUAL_ORDER: OrderTerm<InvitationOrderField> = OrderTerm {
    field: InvitationOrderField::CreatedAt,
    direction: Direction::Desc,
};

/// Reading invitations.
#[derive(Default)]
pub struct InvitationQuery;

#[connection_args]
#[Object]
impl InvitationQuery {
    /// An invitation by its id; null when there is none that you may see.
    async fn invitation(
        &self,
        ctx: &Context<'_>,
        id: InvitationId,
    ) -> Result<Option<Arc<Invitation>>> {
        ctx.request().load(Some(id.uuid())).await
    }

    /// Invitations, the newest first; seen by those who may invite.
    async fn invitations(
        &self,
        ctx: &Context<'_>,
        (front, back): Ends,
        filter: Option<InvitationFilter>,
    ) -> Result<Connection<Invitation>> {
        let filter = filter.map(|filter| InvitationFilter {
            now: ctx.request().db().clock().now(),
            ..filter
        });
        let order_by = None::<Vec<OrderTerm<InvitationOrderField>>>;
        let args = ListArgs::new(front, back, filter, order_by);
        Listing::read(ctx, args.query(ctx.request().actor().tenant, USUAL_ORDER)?).await
    }
}
