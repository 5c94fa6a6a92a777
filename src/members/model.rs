//! What a member and a team are.

use async_graphql::Enum;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    auth::Role,
    db::{OrderField, Value, ValueKind, list::Record},
    ids::{RoleId, TeamId, Typed as _, UserId},
    text::normalize,
};

/// A person in a tenant.
#[derive(Debug, Clone, sqlx::FromRow)]
#[expect(missing_docs, reason = "the names say it; the schema describes each")]
pub struct Member {
    pub user_id: UserId,
    pub email: String,
    pub name: String,
    pub role: Role,
    pub role_id: Option<RoleId>,
    pub team_id: Option<TeamId>,
    pub team_path: Option<String>,
    pub status: MembershipStatus,
    pub last_seen_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// How a membership stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, sqlx::Type)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum MemberOrderField {
    /// The person's name, without regard to case.
    Name,
    /// When the person became a member.
    CreatedAt,
}

impl OrderField for MemberOrderField {
    fn column(self) -> &'static str {
        match self {
            Self::Name => "name_normalized",
            Self::CreatedAt => "created_at",
        }
    }

    fn kind(self) -> ValueKind {
        match self {
            Self::Name => ValueKind::Text,
            Self::CreatedAt => ValueKind::Time,
        }
    }
}

impl Record for Member {
    const KIND: &'static str = "member";
    const TABLE: &'static str = "memberships";
    const ID_COLUMN: &'static str = "user_id";
    const COLUMNS: &'static str = "t.user_id, t.email, t.name, t.role, t.role_id, t.team_id, t.team_path, t.status, t.last_seen_at, t.created_at";
    const ARCHIVES: bool = false;
    type Order = MemberOrderField;

    fn key(&self) -> Uuid {
        self.user_id.uuid()
    }

    fn sort_value(&self, field: MemberOrderField) -> Option<Value> {
        Some(match field {
            MemberOrderField::Name => Value::Text(normalize(&self.name)),
            MemberOrderField::CreatedAt => Value::Time(self.created_at),
        })
    }
}

/// A team of a tenant; teams form a tree.
#[derive(Debug, Clone, sqlx::FromRow)]
#[expect(missing_docs, reason = "the names say it; the schema describes each")]
pub struct Team {
    pub team_id: TeamId,
    pub name: String,
    pub parent_team_id: Option<TeamId>,
    pub path: String,
    pub created_at: DateTime<Utc>,
}

/// What teams are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TeamOrderField {
    /// The place in the tree: a team comes right before its sub-teams.
    Path,
}

impl OrderField for TeamOrderField {
    fn column(self) -> &'static str {
        "path"
    }

    fn kind(self) -> ValueKind {
        ValueKind::Text
    }
}

impl Record for Team {
    const KIND: &'static str = "team";
    const TABLE: &'static str = "teams";
    const ID_COLUMN: &'static str = "team_id";
    const COLUMNS: &'static str = "t.team_id, t.name, t.parent_team_id, t.path, t.created_at";
    const ARCHIVES: bool = false;
    type Order = TeamOrderField;

    fn key(&self) -> Uuid {
        self.team_id.uuid()
    }

    fn sort_value(&self, _: TeamOrderField) -> Option<Value> {
        Some(Value::Text(self.path.clone()))
    }
}
