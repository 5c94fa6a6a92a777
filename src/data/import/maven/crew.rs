//! Who is to be a member: each agent in the team of their manager, the teams below their regional office.

use std::collections::{BTreeMap, HashMap};

use super::{super::Ids, Rows};
use crate::{
    access::Role,
    base::{ids::TeamId, text::normalize},
    organization::members::provision::{NewMember, NewTeam, segment},
};

/// Teams and members to be set up.
#[derive(Debug)]
pub struct Crew {
    /// Offices before the teams below them.
    pub teams: Vec<NewTeam>,
    /// Managers (MANAGER) and agents (SALES_REP), by normalised name.
    pub members: BTreeMap<String, NewMember>,
}

impl Crew {
    /// Plans the crew. The data has no addresses, so a person's is `first.last@<slug>.example`.
    #[must_use]
    pub fn new(rows: &Rows, ids: Ids, slug: &str) -> Self {
        let mut offices: Vec<NewTeam> = Vec::new();
        let mut below: Vec<NewTeam> = Vec::new();
        let mut team_of: HashMap<(String, String), NewTeam> = HashMap::new();
        let mut members = BTreeMap::new();
        for agent in &rows.agents {
            let office: TeamId = ids.of(&agent.office);
            if !offices.iter().any(|team| team.id == office) {
                offices.push(NewTeam {
                    id: office,
                    name: agent.office.clone(),
                    parent: None,
                    path: segment(office),
                });
            }
            let team = team_of
                .entry((normalize(&agent.office), normalize(&agent.manager)))
                .or_insert_with(|| {
                    let id: TeamId = ids.of(&format!("{}/{}", agent.office, agent.manager));
                    let path = segment(office) + &segment(id);
                    let team = NewTeam {
                        id,
                        name: format!("Team {}", agent.manager),
                        parent: Some(office),
                        path,
                    };
                    below.push(team.clone());
                    team
                });
            let manager = member(&agent.manager, slug, Role::Manager, team);
            members.entry(normalize(&agent.manager)).or_insert(manager);
        }
        for agent in &rows.agents {
            let team = &team_of[&(normalize(&agent.office), normalize(&agent.manager))];
            let rep = member(&agent.name, slug, Role::SalesRep, team);
            members.entry(normalize(&agent.name)).or_insert(rep);
        }
        Self {
            teams: offices.into_iter().chain(below).collect(),
            members,
        }
    }
}

fn member(name: &str, slug: &str, role: Role, team: &NewTeam) -> NewMember {
    let email = address(name, slug);
    NewMember {
        user: Ids::person(&email),
        email,
        name: name.to_owned(),
        role,
        team: Some(team.clone()),
    }
}

/// `Mei-Mei Johns` -> `mei-mei.johns@maven.example`.
fn address(name: &str, slug: &str) -> String {
    format!("{}@{slug}.example", mailbox(name))
}

/// What stands before the `@`; empty for what is no name.
pub(super) fn mailbox(name: &str) -> String {
    let plain: String = normalize(name)
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, '-' | ' '))
        .collect();
    let words: Vec<&str> = plain
        .split(' ')
        .filter(|word| word.contains(char::is_alphanumeric))
        .collect();
    words.join(".")
}

#[cfg(test)]
mod tests {
    use super::{super::Files, *};

    #[test]
    fn agents_stand_in_the_team_of_their_manager_below_the_office() {
        let rows = Rows::read(&Files::embedded()).expect("the data set");
        let crew = Crew::new(&rows, Ids::new(Ids::tenant("maven"), "maven"), "maven");
        assert_eq!((crew.teams.len(), crew.members.len()), (3 + 6, 35 + 6));
        let rep = &crew.members["mei-mei johns"];
        let manager = &crew.members["melvin marxen"];
        assert_eq!(
            (rep.role, rep.email.as_str()),
            (Role::SalesRep, "mei-mei.johns@maven.example")
        );
        assert_eq!(manager.role, Role::Manager);
        let (rep, manager) = (
            rep.team.as_ref().expect("a team"),
            manager.team.as_ref().expect("a team"),
        );
        assert_eq!(rep.id, manager.id);
        let office = crew
            .teams
            .iter()
            .find(|team| Some(team.id) == rep.parent)
            .expect("the office's team");
        assert_eq!(office.name, "Central");
        assert!(rep.path.starts_with(&office.path) && rep.path.len() == 26);
    }

    #[test]
    fn a_name_makes_an_address() {
        assert_eq!(
            address("  Ada   O'Neil, Jr. ", "x"),
            "ada.oneil.jr@x.example"
        );
        assert_eq!(mailbox(" - "), "");
    }
}
