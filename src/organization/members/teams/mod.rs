//! The tree of teams. The manager of a team also sees what its sub-teams own, so moving a team changes who sees what.

mod store;

use super::{Member, Team, grant, provision::segment, reassignment, store as members};
use crate::{
    base::{
        error::{Error, Result},
        ids::{TeamId, Typed as _, UserId},
    },
    db::{
        Registered as _, Tx,
        journal::{Event, EventKind, EventSubject},
        list,
    },
    entity::{self, Quota},
    organization::auth::{self, AccessChange},
};

const QUOTA: Quota = Quota {
    column: "quota_teams",
    counted: "",
    what: "teams",
};

/// Makes a team, at the root or below another one. A team with the given id that exists already is answered as it is.
///
/// # Errors
/// `BLANK`, `TOO_LONG`, `NOT_FOUND` on `parentId`, `TOO_DEEP`, `QUOTA_EXCEEDED`; `FORBIDDEN` without `users:write`, or
/// below a team that the actor does not reach.
pub async fn create(
    tx: &mut Tx,
    id: TeamId,
    mut name: String,
    parent: Option<TeamId>,
) -> Result<Team> {
    members::lock_members(tx).await?;
    if let Some(existing) = list::find(tx, id.uuid()).await? {
        return Ok(existing);
    }
    let above = above(tx, parent).await?;
    Team::check_name(&mut name)?;
    let path = below(above.as_ref(), id);
    Team::check_depth(&path, 0)?;
    entity::require_room::<Team>(tx, QUOTA).await?;
    let team = Team {
        team_id: id,
        name,
        parent_team_id: parent,
        path,
        created_at: tx.now(),
        version: 1,
    };
    let team = store::insert(tx, &team).await?;
    emit(tx, EventKind::Created, None, Some(&team));
    Ok(team)
}

/// Renames a team, or moves it with all teams below it. Answers the team and the members who moved, whose records
/// [`super::reassignment`] updates.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `BLANK`, `TOO_LONG`, `LOOP`, `TOO_DEEP`; `FORBIDDEN` without `users:write`, for a move
/// without `integrations:write` too, because keys move along, and beyond the teams that the actor reaches.
pub async fn update(
    tx: &mut Tx,
    (id, expected_version): (TeamId, Option<i32>),
    name: Option<String>,
    parent: Option<Option<TeamId>>,
) -> Result<(Team, Vec<UserId>)> {
    members::lock_members(tx).await?;
    let before = store::lock(tx, id, expected_version).await?;
    let mut after = before.clone();
    if let Some(name) = name {
        after.name = name;
        Team::check_name(&mut after.name)?;
    }
    if let Some(parent) = parent.filter(|parent| *parent != before.parent_team_id) {
        after.parent_team_id = parent;
        after.path = new_place(tx, &before, parent).await?;
    }
    let moves = after.path != before.path;
    if !moves && after.name == before.name {
        return Ok((before, Vec::new()));
    }
    after.version += 1;
    let after = store::update(tx, &after).await?;
    let moved = match moves {
        true => follow(tx, &before, &after).await?,
        false => Vec::new(),
    };
    emit(tx, EventKind::Updated, Some(&before), Some(&after));
    Ok((after, moved))
}

/// Deletes a team without members.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`; `IN_USE` while it has members, sub-teams, open invitations or keys.
pub async fn delete(tx: &mut Tx, (id, expected_version): (TeamId, Option<i32>)) -> Result<()> {
    members::lock_members(tx).await?;
    let before = store::lock(tx, id, expected_version).await?;
    grant::refuse_out_of_reach(tx.actor(), Some(&before.path))?;
    store::forget_in_closed(tx, id).await?;
    store::delete(tx, id).await?;
    emit(tx, EventKind::Deleted, Some(&before), None);
    Ok(())
}

/// The path of a team below another one.
async fn new_place(tx: &mut Tx, team: &Team, parent: Option<TeamId>) -> Result<String> {
    let above = above(tx, parent).await?;
    if above
        .as_ref()
        .is_some_and(|above| above.path.starts_with(&team.path))
    {
        let message = "a team can't stand below itself";
        return Err(Error::invalid("LOOP", "parentId", message));
    }
    grant::refuse_out_of_reach(tx.actor(), Some(&team.path))?;
    if above.is_none() {
        grant::refuse_out_of_reach(tx.actor(), None)?;
    }
    if !tx.actor().may("integrations:write") {
        return Err(Error::Forbidden(
            "move teams without the permission integrations:write, because keys move along",
        ));
    }
    let path = below(above.as_ref(), team.team_id);
    let subtree = store::paths_below(tx, &team.path).await?;
    Team::check_depth(&path, team.height(subtree.iter().map(String::as_str)))?;
    Ok(path)
}

/// Moves sub-teams, members and keys along with a team.
async fn follow(tx: &mut Tx, before: &Team, after: &Team) -> Result<Vec<UserId>> {
    let paths = (before.path.as_str(), after.path.as_str());
    store::move_sub_teams(tx, paths).await?;
    store::move_keys(tx, paths).await?;
    let members = store::move_members(tx, paths).await?;
    let tenant = tx.tenant();
    auth::publish_access_change(tx, AccessChange::Tenant(tenant)).await?;
    for member in &members {
        reassignment::enqueue(tx, member.user_id).await?;
        let mut was = member.clone();
        was.team_path = member
            .team_path
            .as_ref()
            .map(|path| path.replacen(paths.1, paths.0, 1));
        tx.emit(Event::of_all(
            EventKind::Updated,
            EventSubject::of::<Member>(member.user_id.uuid(), member.version),
            (Some(was.event_fields()), Some(member.event_fields())),
        ));
    }
    Ok(members.into_iter().map(|member| member.user_id).collect())
}

async fn above(tx: &mut Tx, parent: Option<TeamId>) -> Result<Option<Team>> {
    let Some(id) = parent else { return Ok(None) };
    let above: Option<Team> = list::find(tx, id.uuid()).await?;
    let above = above.ok_or(Error::NotFound {
        kind: Team::KIND,
        field: "parentId",
    })?;
    grant::refuse_out_of_reach(tx.actor(), Some(&above.path))?;
    Ok(Some(above))
}

fn below(above: Option<&Team>, id: TeamId) -> String {
    above.map_or_else(String::new, |above| above.path.clone()) + &segment(id)
}

fn emit(tx: &mut Tx, kind: EventKind, before: Option<&Team>, after: Option<&Team>) {
    let Some(team) = after.or(before) else { return };
    let version = team.version + i32::from(after.is_none());
    tx.emit(Event::of_all(
        kind,
        EventSubject::of::<Team>(team.team_id.uuid(), version),
        (
            before.map(Team::event_fields),
            after.map(Team::event_fields),
        ),
    ));
}
