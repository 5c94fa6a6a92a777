//! Who may give whom what. Nobody gives or takes rights that they do not have themselves, and nobody moves people,
//! and with them their records, into or out of teams that they do not reach.

use super::{Member, Team};
use crate::{
    auth::{Actor, Rights, Role, Scope},
    db::{
        Tx,
        list::{self, Record as _},
    },
    error::{Error, Result},
    ids::{RoleId, TeamId, Typed as _},
    roles::{self, CustomRole},
};

/// Refuses a role that there is not, and one that may do more in a place than the actor.
///
/// # Errors
/// `NOT_FOUND` on `customRoleId`, `INVALID_ROLE`; `FORBIDDEN` for rights beyond the actor's own.
pub(super) async fn require_role(
    tx: &mut Tx,
    (role, custom_role): (Role, Option<RoleId>),
    place: Option<&str>,
) -> Result<()> {
    list::require::<CustomRole>(tx, custom_role.map(|id| id.uuid()), "customRoleId").await?;
    let rights = roles::rights(tx, role, custom_role).await?;
    match covers(tx.actor(), role, &rights) && covers_at(tx.actor(), &rights, place) {
        true => Ok(()),
        false => Err(Error::Forbidden("give away rights that you do not have")),
    }
}

/// Refuses to touch somebody who may do more than the actor.
///
/// # Errors
/// `FORBIDDEN`.
pub(super) async fn refuse_stronger(tx: &mut Tx, member: &Member) -> Result<()> {
    let rights = roles::rights(tx, member.role, member.role_id).await?;
    match covers(tx.actor(), member.role, &rights) {
        true => Ok(()),
        false => Err(Error::Forbidden(
            "change somebody who has rights that you do not have",
        )),
    }
}

/// A tenant may make a role with all permissions; still only an admin makes an admin.
fn covers(actor: &Actor, role: Role, rights: &Rights) -> bool {
    actor.rights.cover(rights) && (role != Role::Admin || actor.may("admin"))
}

/// The rows of a team are those of the actor's own team only where that stands above it.
fn covers_at(actor: &Actor, granted: &Rights, place: Option<&str>) -> bool {
    let Some(place) = place else { return true };
    let (mine, theirs) = (actor.rights.scopes(), granted.scopes());
    let both = mine.as_flattened().iter().zip(theirs.as_flattened());
    let of_teams = both.filter(|(_, theirs)| **theirs == Scope::Team);
    let own = |own: &String| place.starts_with(own.as_str());
    of_teams
        .into_iter()
        .all(|(mine, _)| *mine == Scope::All || actor.team_path.as_ref().is_some_and(own))
}

/// A team that somebody is to be in.
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

/// Refuses a place in the tree of teams where the actor could not change all records by themselves: moving people or
/// teams moves what they own, and so gives or takes the sight of it.
///
/// # Errors
/// `FORBIDDEN`.
pub(super) fn refuse_out_of_reach(actor: &Actor, place: Option<&str>) -> Result<()> {
    match reaches(actor, place) {
        true => Ok(()),
        false => Err(Error::Forbidden(
            "move people or teams beyond the teams whose records you may change",
        )),
    }
}

fn reaches(actor: &Actor, place: Option<&str>) -> bool {
    let edits = actor.rights.scopes().map(|[_, edits, _]| edits);
    let narrowest = edits.into_iter().fold(Scope::All, Scope::min);
    match (narrowest, &actor.team_path, place) {
        (Scope::All, ..) => true,
        (Scope::Team, Some(own), Some(place)) => place.starts_with(own.as_str()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::{
        auth::{Place, Subject},
        ids::{TenantId, UserId},
    };

    fn actor(role: Role, team: Option<&str>) -> Actor {
        let place = Place::of(TenantId::new(), role, team.map(str::to_owned));
        let subject = Subject::Person(UserId::new(), None);
        Actor::new(subject, place, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn a_manager_reaches_the_own_team_and_what_is_below() {
        let west = "aaaaaaaaaaaa.";
        let manager = actor(Role::Manager, Some(west));
        assert!(reaches(&manager, Some(west)));
        assert!(reaches(&manager, Some("aaaaaaaaaaaa.bbbbbbbbbbbb.")));
        assert!(!reaches(&manager, Some("bbbbbbbbbbbb.")));
        assert!(!reaches(&manager, None), "people without a team are nobody's");
        assert!(!reaches(&actor(Role::Manager, None), Some(west)));
        assert!(!reaches(&actor(Role::SalesRep, Some(west)), Some(west)));
        assert!(reaches(&actor(Role::Admin, None), None));
    }

    #[test]
    fn a_role_for_a_team_is_given_inside_of_the_own_team_only() {
        let manager = actor(Role::Manager, Some("aaaaaaaaaaaa."));
        let granted = Role::Manager.rights();
        assert!(covers_at(&manager, &granted, Some("aaaaaaaaaaaa.bbbbbbbbbbbb.")));
        assert!(!covers_at(&manager, &granted, Some("bbbbbbbbbbbb.")));
        assert!(covers_at(&manager, &Role::SalesRep.rights(), Some("bbbbbbbbbbbb.")));
        assert!(covers_at(&actor(Role::Admin, None), &granted, Some("bbbbbbbbbbbb.")));
    }

    #[test]
    fn only_an_admin_makes_an_admin() {
        let everything = Role::Admin.rights();
        assert!(covers(&actor(Role::Admin, None), Role::Admin, &everything));
        let manager = actor(Role::Manager, None);
        assert!(!covers(&manager, Role::Admin, &everything));
        assert!(covers(&manager, Role::SalesRep, &Role::SalesRep.rights()));
    }
}
