//! Changing a member's role, team and title.

use super::{Member, MembershipStatus, Team, grant, reassignment, store};
use crate::{
    access::Role,
    base::{
        error::{Error, Result},
        ids::{RoleId, TeamId, Typed as _, UserId},
        text::Text,
    },
    db::{
        Tx,
        journal::{Event, EventKind, EventSubject},
        list,
    },
    organization::auth::{self, AccessChange},
};

/// What is to change about a member; what is left out stays.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the names say it; the schema describes each")]
pub struct MemberChange {
    /// The built-in role, and the tenant's own one that CUSTOM stands for.
    pub role: Option<Role>,
    pub custom_role: Option<Option<RoleId>>,
    pub team: Option<Option<TeamId>>,
    pub title: Option<Option<String>>,
}

/// Changes a member. Their records follow into a new team, by [`super::reassignment`].
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `INVALID_ROLE`, `TOO_LONG`; `FORBIDDEN` without `users:write`, for rights beyond the
/// actor's own and teams beyond their reach; `LAST_ADMIN`; `LEAVING`.
pub async fn change(
    tx: &mut Tx,
    (user, expected_version): (UserId, Option<i32>),
    change: MemberChange,
) -> Result<Member> {
    store::lock_members(tx).await?;
    refer(tx, &change).await?;
    let before = store::lock(tx, user, expected_version).await?;
    refuse_leaving(&before)?;
    let mut after = before.clone();
    if let Some(title) = change.title {
        after.title = title;
        Text::line("title").optional(&mut after.title)?;
    }
    if let Some(role) = change.role {
        after.role = role;
        after.role_id = None;
    }
    if let Some(custom_role) = change.custom_role {
        after.role_id = custom_role;
    }
    if let Some(team) = change.team
        && team != before.team_id
    {
        grant::refuse_out_of_reach(tx.actor(), before.team_path.as_deref())?;
        (after.team_id, after.team_path) = match grant::require_team(tx, team).await? {
            Some(team) => (Some(team.team_id), Some(team.path)),
            None => {
                grant::refuse_out_of_reach(tx.actor(), None)?;
                (None, None)
            }
        };
        after.moving = true;
    }
    let same_rights = (after.role, after.role_id, &after.team_path)
        == (before.role, before.role_id, &before.team_path);
    if same_rights && after.title == before.title {
        return Ok(before);
    }
    grant::refuse_stronger(tx, &before).await?;
    if !same_rights {
        let place = after.team_path.as_deref();
        grant::require_role(tx, after.role, after.role_id, place).await?;
    }
    if before.role == Role::Admin && after.role != Role::Admin {
        refuse_last_admin(tx, &before).await?;
    }
    write(tx, EventKind::Updated, &before, after).await
}

/// Writes a changed membership, notifies all servers and emits the event.
pub(super) async fn write(
    tx: &mut Tx,
    kind: EventKind,
    before: &Member,
    mut after: Member,
) -> Result<Member> {
    after.version += 1;
    let after = store::update(tx, &after).await?;
    if after.moving {
        reassignment::enqueue(tx, after.user_id).await?;
    }
    let (tenant, user) = (tx.tenant(), after.user_id);
    auth::publish_access_change(tx, AccessChange::Member(tenant, user)).await?;
    tx.emit(Event::of_all(
        kind,
        EventSubject::of::<Member>(user.uuid(), after.version),
        (Some(before.event_fields()), Some(after.event_fields())),
    ));
    Ok(after)
}

/// Refuses to take the tenant its last admin who can sign in.
pub(super) async fn refuse_last_admin(tx: &mut Tx, member: &Member) -> Result<()> {
    let counts = member.role == Role::Admin && member.status == MembershipStatus::Active;
    if counts && store::other_admins(tx, member.user_id).await? == 0 {
        return Err(Error::invalid(
            "LAST_ADMIN",
            "userId",
            "this is the last admin of the tenant, make somebody else an admin first",
        ));
    }
    Ok(())
}

/// Refuses to change a leaving member.
pub(super) fn refuse_leaving(member: &Member) -> Result<()> {
    match member.status {
        MembershipStatus::Leaving => Err(Error::invalid(
            "LEAVING",
            "userId",
            "this person was removed, their records are being passed on",
        )),
        MembershipStatus::Active | MembershipStatus::Suspended => Ok(()),
    }
}

/// Refuses references to what the tenant does not have, before anything about the member is disclosed.
async fn refer(tx: &mut Tx, change: &MemberChange) -> Result<()> {
    let role = change.custom_role.flatten().map(|id| id.uuid());
    list::require::<crate::organization::roles::CustomRole>(tx, role, "customRoleId").await?;
    let team = change.team.flatten().map(|id| id.uuid());
    list::require::<Team>(tx, team, "teamId").await
}
