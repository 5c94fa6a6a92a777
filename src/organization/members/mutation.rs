//! Members and teams in the schema: what can be changed.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use tokio::time::Instant;
use uuid::Uuid;

use super::{Member, MemberChange, Team, reassignment};
use crate::{
    access::Role,
    base::{
        error::{Error, Result},
        ids::{RoleId, TeamId, Typed as _, UserId},
    },
    db::Tx,
    entity::OwnedKinds,
    graphql::{ContextExt as _, DeletePayload, UserError, Written, answer},
};

/// A change to a member. Leave a field out to keep it.
#[derive(Debug, InputObject)]
struct MembershipUpdateInput {
    /// Who.
    user_id: UserId,
    /// The version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// What the person may do; CUSTOM needs a `customRoleId`.
    role: Option<Role>,
    /// The role that the tenant made, with the role CUSTOM.
    custom_role_id: Option<RoleId>,
    /// The team; null takes the person out of theirs. Their records move along.
    team_id: MaybeUndefined<TeamId>,
    /// What the person is called at work, such as Account Executive.
    title: MaybeUndefined<String>,
}

/// Keeping a member out.
#[derive(Debug, InputObject)]
struct MembershipSuspendInput {
    /// Who.
    user_id: UserId,
    /// The version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// Why, for the audit log.
    reason: Option<String>,
}

/// Letting a member in again.
#[derive(Debug, InputObject)]
struct MembershipResumeInput {
    /// Who.
    user_id: UserId,
    /// The version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
}

/// Taking a member out for good.
#[derive(Debug, InputObject)]
struct MembershipRemoveInput {
    /// Who.
    user_id: UserId,
    /// Who takes over their records.
    successor_id: UserId,
    /// The version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
}

/// What a change to a member came to.
#[derive(SimpleObject)]
struct MembershipPayload {
    /// The membership after the change; after a CONFLICT as it is now; null when the change was refused.
    membership: Option<Arc<Member>>,
    /// What has to be mended; empty when the change was made.
    user_errors: Vec<UserError>,
}

/// What taking a member out came to.
#[derive(SimpleObject)]
struct MembershipRemovePayload {
    /// Who is out; null when it was refused.
    removed_user_id: Option<ID>,
    /// The membership while records are still being passed on; null when all are.
    membership: Option<Arc<Member>>,
    /// What has to be mended; empty when the person is out.
    user_errors: Vec<UserError>,
}

/// Changing members.
#[derive(Default)]
pub struct MemberMutation;

#[Object]
impl MemberMutation {
    /// Changes what a member may do, where they stand, or what they are called. It takes effect at once.
    async fn membership_update(
        &self,
        ctx: &Context<'_>,
        input: MembershipUpdateInput,
    ) -> async_graphql::Result<MembershipPayload> {
        let user = input.user_id;
        let change = MemberChange {
            role: input.role,
            custom_role: input.custom_role_id.map(Some),
            team: given(input.team_id),
            title: given(input.title),
        };
        let outcome = ctx
            .request()
            .write(async |tx| super::change(tx, (user, input.expected_version), change).await)
            .await;
        let outcome = match outcome {
            Ok(member) => move_records(ctx, member).await,
            Err(error) => Err(error),
        };
        payload(ctx, user, outcome).await
    }

    /// Keeps a member out until they are let in again. It takes effect at once; their records stay theirs.
    async fn membership_suspend(
        &self,
        ctx: &Context<'_>,
        input: MembershipSuspendInput,
    ) -> async_graphql::Result<MembershipPayload> {
        let (user, version) = (input.user_id, input.expected_version);
        let outcome = ctx
            .request()
            .write(async |tx| super::suspend(tx, (user, version), input.reason).await);
        payload(ctx, user, outcome.await).await
    }

    /// Lets a suspended member in again.
    async fn membership_resume(
        &self,
        ctx: &Context<'_>,
        input: MembershipResumeInput,
    ) -> async_graphql::Result<MembershipPayload> {
        let (user, version) = (input.user_id, input.expected_version);
        let outcome = ctx
            .request()
            .write(async |tx| super::resume(tx, (user, version)).await);
        payload(ctx, user, outcome.await).await
    }

    /// Takes a member out for good, at once. All their records pass to the successor; with many of them that goes on
    /// after the answer.
    async fn membership_remove(
        &self,
        ctx: &Context<'_>,
        input: MembershipRemoveInput,
    ) -> async_graphql::Result<MembershipRemovePayload> {
        let (user, version) = (input.user_id, input.expected_version);
        let outcome = ctx
            .request()
            .write(async |tx| {
                let removed = super::remove(tx, (user, version), input.successor_id).await;
                removed.map(drop)
            })
            .await;
        match outcome {
            Ok(()) => {
                finish_soon(ctx, user).await;
                Ok(MembershipRemovePayload {
                    removed_user_id: Some(ID(user.to_string())),
                    membership: ctx.request().load(Some(user.uuid())).await?,
                    user_errors: Vec::new(),
                })
            }
            Err(error) => {
                let refused = answer::<Member>(ctx, user.uuid(), Err(error));
                let (membership, user_errors) = refused.await?;
                Ok(MembershipRemovePayload {
                    removed_user_id: None,
                    membership,
                    user_errors,
                })
            }
        }
    }
}

/// A team to be made.
#[derive(Debug, InputObject)]
struct TeamCreateInput {
    /// Your own id for it (`team:<uuid>`, best a version 7): sending the same twice makes it once.
    id: Option<TeamId>,
    /// What it is called.
    name: String,
    /// The team above it; without it the team is on top.
    parent_id: Option<TeamId>,
}

/// A change to a team. Leave a field out to keep it.
#[derive(Debug, InputObject)]
struct TeamUpdateInput {
    /// Which team.
    id: TeamId,
    /// The version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// What it is called.
    name: Option<String>,
    /// The team above it; null puts it on top. All below it, the people in it and their records move along.
    parent_id: MaybeUndefined<TeamId>,
}

/// Names a team, and the version it is expected at.
#[derive(Debug, InputObject)]
struct TeamRefInput {
    /// Which team.
    id: TeamId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
}

/// What a change to a team came to.
#[derive(SimpleObject)]
struct TeamPayload {
    /// The team after the change; after a CONFLICT as it is now; null when the change was refused.
    team: Option<Arc<Team>>,
    /// What has to be mended; empty when the change was made.
    user_errors: Vec<UserError>,
}

/// A team, and the members whose records are to be moved.
struct UpdatedTeam {
    team: Team,
    moved: Vec<UserId>,
}

impl Written for UpdatedTeam {
    const LOST: &str = Team::LOST;

    fn subject(&self) -> Option<(&'static str, Uuid)> {
        self.team.subject()
    }

    async fn rebuild(tx: &mut Tx, subject: Option<(&str, Uuid)>) -> Result<Option<Self>> {
        let team = Team::rebuild(tx, subject).await?;
        // The background task moves the records.
        let moved = Vec::new();
        Ok(team.map(|team| Self { team, moved }))
    }
}

/// Changing teams.
#[derive(Default)]
pub struct TeamMutation;

#[Object]
impl TeamMutation {
    /// Makes a team.
    async fn team_create(
        &self,
        ctx: &Context<'_>,
        input: TeamCreateInput,
    ) -> async_graphql::Result<TeamPayload> {
        let id = input.id.unwrap_or_default();
        let outcome = ctx
            .request()
            .write(async |tx| super::create_team(tx, id, input.name, input.parent_id).await);
        team_payload(ctx, id, outcome.await).await
    }

    /// Changes a team's name or its place in the tree.
    async fn team_update(
        &self,
        ctx: &Context<'_>,
        input: TeamUpdateInput,
    ) -> async_graphql::Result<TeamPayload> {
        let id = input.id;
        let outcome = ctx
            .request()
            .write(async |tx| {
                let parent = given(input.parent_id);
                let updated =
                    super::update_team(tx, (id, input.expected_version), input.name, parent);
                let (team, moved) = updated.await?;
                Ok(UpdatedTeam { team, moved })
            })
            .await;
        let outcome = match outcome {
            Ok(UpdatedTeam { team, moved }) => {
                let until = Instant::now() + reassignment::REQUEST_TIME;
                for user in moved {
                    reassign_records(ctx, user, until).await;
                }
                Ok(team)
            }
            Err(error) => Err(error),
        };
        team_payload(ctx, id, outcome).await
    }

    /// Deletes a team that nobody is in. Refused with IN_USE while it has members, sub-teams, invitations or keys.
    async fn team_delete(
        &self,
        ctx: &Context<'_>,
        input: TeamRefInput,
    ) -> async_graphql::Result<DeletePayload> {
        let team = (input.id, input.expected_version);
        let outcome = ctx
            .request()
            .write(async |tx| super::delete_team(tx, team).await);
        DeletePayload::new(input.id, outcome.await)
    }
}

/// What was sent, if anything was.
fn given<T>(field: MaybeUndefined<T>) -> Option<Option<T>> {
    match field {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}

/// Begins to move a member's records while the client waits, and reads what the member is then.
async fn move_records(ctx: &Context<'_>, member: Member) -> Result<Member> {
    if !member.moving {
        return Ok(member);
    }
    finish_soon(ctx, member.user_id).await;
    let now = ctx.request().load::<Member>(Some(member.user_id.uuid()));
    Ok(now.await?.map_or(member, |now| Member::clone(&now)))
}

async fn finish_soon(ctx: &Context<'_>, user: UserId) {
    reassign_records(ctx, user, Instant::now() + reassignment::REQUEST_TIME).await;
}

/// The change is committed, whatever becomes of this: a job completes it.
async fn reassign_records(ctx: &Context<'_>, user: UserId, until: Instant) {
    let (db, tenant) = (ctx.request().db(), ctx.request().actor().tenant);
    let kinds = *ctx.data_unchecked::<OwnedKinds>();
    if let Err(error) = reassignment::reassign_records(db, kinds, tenant, user, until).await {
        tracing::warn!(%error, "the records will be reassigned later");
    }
}

async fn payload(
    ctx: &Context<'_>,
    user: UserId,
    outcome: Result<Member, Error>,
) -> async_graphql::Result<MembershipPayload> {
    let (membership, user_errors) = answer(ctx, user.uuid(), outcome).await?;
    Ok(MembershipPayload {
        membership,
        user_errors,
    })
}

async fn team_payload(
    ctx: &Context<'_>,
    id: TeamId,
    outcome: Result<Team>,
) -> async_graphql::Result<TeamPayload> {
    let (team, user_errors) = answer(ctx, id.uuid(), outcome).await?;
    Ok(TeamPayload { team, user_errors })
}
