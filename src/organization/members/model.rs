//! What a member and a team are.

use async_graphql::Enum;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use async_graphql::InputType as _;
use dealgraph_derive::{Columns, OrderField};
use serde_json::{Value as Json, json};

use crate::{
    access::{Access, Role},
    base::{
        error::{Error, Result},
        ids::{RoleId, TeamId, Typed as _, UserId},
        text::{Text, normalize},
    },
    db::{Registered, list::Record},
};

/// A person in a tenant.
#[derive(Debug, Clone, sqlx::FromRow, Columns)]
#[expect(missing_docs, reason = "the names say it; the schema describes each")]
#[unread(name_normalized)]
#[unread(invited_by)]
#[unread(updated_at)]
#[told(custom_role_id)]
pub struct Member {
    pub user_id: UserId,
    #[column(personal)]
    pub email: String,
    pub name: String,
    pub role: Role,
    pub role_id: Option<RoleId>,
    pub title: Option<String>,
    pub team_id: Option<TeamId>,
    pub team_path: Option<String>,
    pub status: MembershipStatus,
    pub successor_id: Option<UserId>,
    pub moving: bool,
    pub version: i32,
    pub last_seen_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

impl Member {
    /// The fields of a membership in its events.
    pub(super) fn event_fields(&self) -> Json {
        json!({
            "role": word(self.role), "custom_role_id": self.role_id, "title": self.title, "team_id": self.team_id,
            "team_path": self.team_path, "status": self.status, "successor_id": self.successor_id,
        })
    }
}

/// A role as events contain it.
pub(super) fn word(role: Role) -> Json {
    role.to_value().into_json().unwrap_or_default()
}

/// How a membership stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, serde::Serialize, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MembershipStatus {
    /// May sign in.
    Active,
    /// Kept out for now.
    Suspended,
    /// Out for good; the records are being passed to the successor.
    Leaving,
}

/// What members can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, OrderField)]
#[order(of = Member)]
pub enum MemberOrderField {
    /// The person's name, without regard to case.
    #[order(text = normalize(&self.name), column = "name_normalized")]
    Name,
    /// When the person became a member.
    #[order(time = self.created_at)]
    CreatedAt,
}

impl Registered for Member {
    const KIND: &'static str = "member";
    const TABLE: &'static str = "memberships";
    const ID_COLUMN: &'static str = "user_id";
    const ACCESS: Access = Access::Shared {
        read: "users:read",
        write: "users:write",
    };
}

impl Record for Member {
    const ARCHIVES: bool = false;
    type Order = MemberOrderField;

    fn key(&self) -> Uuid {
        self.user_id.uuid()
    }
}

/// A team of a tenant; teams form a tree.
#[derive(Debug, Clone, sqlx::FromRow, Columns)]
#[unread(updated_at)]
#[expect(missing_docs, reason = "the names say it; the schema describes each")]
pub struct Team {
    pub team_id: TeamId,
    pub name: String,
    pub parent_team_id: Option<TeamId>,
    pub path: String,
    pub created_at: DateTime<Utc>,
    pub version: i32,
}

/// Teams above each other, at most.
pub const MAX_TEAM_DEPTH: usize = 10;

impl Team {
    /// The fields of a team in its events.
    pub(super) fn event_fields(&self) -> Json {
        json!({ "name": self.name, "parent_team_id": self.parent_team_id, "path": self.path })
    }

    /// Cleans and bounds its name.
    pub(super) fn check_name(name: &mut String) -> Result<()> {
        Text::line("name").required(name)
    }

    /// How many teams deep a path is.
    fn depth(path: &str) -> usize {
        path.matches('.').count()
    }

    /// Refuses a path that is too deep for a team with `below` levels of sub-teams.
    pub(super) fn check_depth(path: &str, below: usize) -> Result<()> {
        match Self::depth(path) + below {
            0..=MAX_TEAM_DEPTH => Ok(()),
            _ => Err(Error::invalid(
                "TOO_DEEP",
                "parentId",
                format!("teams can stand {MAX_TEAM_DEPTH} deep at most"),
            )),
        }
    }

    /// How many levels of sub-teams it has, by their paths.
    pub(super) fn height<'a>(&self, paths: impl IntoIterator<Item = &'a str>) -> usize {
        let deepest = paths.into_iter().map(Self::depth).max();
        deepest
            .unwrap_or_default()
            .saturating_sub(Self::depth(&self.path))
    }
}

/// What teams are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OrderField)]
#[order(of = Team)]
pub enum TeamOrderField {
    /// The place in the tree: a team comes right before its sub-teams.
    #[order(text = self.path.clone())]
    Path,
}

impl Record for Team {
    const ARCHIVES: bool = false;
    type Order = TeamOrderField;

    fn key(&self) -> Uuid {
        self.team_id.uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_of_teams_has_a_bottom() {
        let segment = "0123456789ab.";
        let team = Team {
            team_id: TeamId::new(),
            name: "West".to_owned(),
            parent_team_id: None,
            path: segment.repeat(2),
            created_at: DateTime::UNIX_EPOCH,
            version: 1,
        };
        let deepest = segment.repeat(5);
        assert_eq!(team.height([team.path.as_str(), &deepest]), 3);
        assert_eq!(team.height([team.path.as_str()]), 0);
        assert!(Team::check_depth(&segment.repeat(7), 3).is_ok());
        assert!(Team::check_depth(&segment.repeat(8), 3).is_err());
    }
}
