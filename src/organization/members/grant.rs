//! Who may grant what to whom. No actor grants or revokes rights that they do not hold themselves, or moves members, and
//! with them their records, into or out of teams that they do not reach.

use super::{Member, Team};
use crate::{
    access::{Actor, Role, Scope},
    base::{
        error::{Error, Result},
        ids::{RoleId, TeamId, Typed as _},
    },
    db::{Registered as _, Tx, list},
    organization::roles::{self, CustomRole},
};

/// Refuses a role that there is not, and one that may do more at a team path than the actor.
///
/// # Errors
/// `NOT_FOUND` on `customRoleId`, `INVALID_ROLE`; `FORBIDDEN` for rights beyond the actor's own.
pub(super) async fn require_role(
    tx: &mut Tx,
    role: Role,
    custom_role: Option<RoleId>,
    team_path: Option<&str>,
) -> Result<()> {
    list::require::<CustomRole>(tx, custom_role.map(|id| id.uuid()), "customRoleId").await?;
    let rights = roles::rights(tx, role, custom_role).await?;
    roles::refuse_more_than_own(tx, &rights, team_path)?;
    match role != Role::Admin || tx.actor().may("admin") {
        true => Ok(()),
        false => Err(Error::Forbidden("make somebody an admin")),
    }
}

/// Refuses to change a member who may do more than the actor.
///
/// # Errors
/// `FORBIDDEN`.
pub(super) async fn refuse_stronger(tx: &mut Tx, member: &Member) -> Result<()> {
    let rights = roles::rights(tx, member.role, member.role_id).await?;
    match tx.actor().rights.cover(&rights) {
        true => Ok(()),
        false => Err(Error::Forbidden(
            "change somebody who has rights that you do not have",
        )),
    }
}

/// The team that a member is to be in.
///
/// # Errors
/// `NOT_FOUND` on `teamId`; `FORBIDDEN` for one that the actor does not reach.
pub(super) async fn require_team(tx: &mut Tx, team: Option<TeamId>) -> Result<Option<Team>> {
    let Some(id) = team else { return Ok(None) };
    let team = list::find::<Team>(tx, id.uuid())
        .await?
        .ok_or(Error::NotFound {
            kind: Team::KIND,
            field: "teamId",
        })?;
    refuse_out_of_reach(tx.actor(), Some(&team.path))?;
    Ok(Some(team))
}

/// Refuses a team path at which the actor could not change all records by themselves: moving people or
/// teams moves what they own, and so gives or takes the sight of it.
///
/// # Errors
/// `FORBIDDEN`.
pub(super) fn refuse_out_of_reach(actor: &Actor, team_path: Option<&str>) -> Result<()> {
    match reaches(actor, team_path) {
        true => Ok(()),
        false => Err(Error::Forbidden(
            "move people or teams beyond the teams whose records you may change",
        )),
    }
}

fn reaches(actor: &Actor, team_path: Option<&str>) -> bool {
    let edits = actor.rights.scopes().map(|[_, edits, _]| edits);
    let narrowest = edits.into_iter().fold(Scope::All, Scope::min);
    match (narrowest, &actor.team_path, team_path) {
        (Scope::All, ..) => true,
        (Scope::Team, Some(own), Some(team_path)) => team_path.starts_with(own.as_str()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::{
        access::{Membership, Subject},
        base::ids::{TenantId, UserId},
    };

    fn actor(role: Role, team: Option<&str>) -> Actor {
        let membership = Membership::of(TenantId::new(), role, team.map(str::to_owned));
        let subject = Subject::Person(UserId::new(), None);
        Actor::new(subject, membership, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn a_manager_reaches_the_own_team_and_what_is_below() {
        let west = "aaaaaaaaaaaa.";
        let manager = actor(Role::Manager, Some(west));
        assert!(reaches(&manager, Some(west)));
        assert!(reaches(&manager, Some("aaaaaaaaaaaa.bbbbbbbbbbbb.")));
        assert!(!reaches(&manager, Some("bbbbbbbbbbbb.")));
        assert!(
            !reaches(&manager, None),
            "a manager reaches no members without a team"
        );
        assert!(!reaches(&actor(Role::Manager, None), Some(west)));
        assert!(!reaches(&actor(Role::SalesRep, Some(west)), Some(west)));
        assert!(reaches(&actor(Role::Admin, None), None));
    }
}
