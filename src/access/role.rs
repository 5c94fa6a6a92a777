//! The built-in roles: what each may do and which rows it reaches. This table is the only place that knows them.

use async_graphql::Enum;

use super::{RecordKind, Rights, Scope, rights::Reach};

/// What a member or a key is in the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum, serde::Serialize, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[graphql(rename_items = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// Runs the tenant: everything, everywhere.
    Admin,
    /// Leads a team: sees and edits what the team and its sub-teams own; sees all companies and contacts.
    Manager,
    /// Sells: sees and edits their own deals, leads and activities; sees all companies and contacts.
    SalesRep,
    /// Reads everything and exports it; changes nothing.
    Analyst,
    /// Reads everything; changes nothing.
    Viewer,
    /// A role that the tenant made itself.
    Custom,
}

const READ_USERS: &[&str] = &["users:read"];
const ANALYSE: &[&str] = &["users:read", "analytics:read", "export"];
const RUN: &[&str] = &[
    "users:read",
    "users:write",
    "audit:read",
    "integrations:write",
    "analytics:read",
    "export",
    "admin",
];

impl Role {
    /// All built-in roles.
    pub const ALL: [Self; 5] = [
        Self::Admin,
        Self::Manager,
        Self::SalesRep,
        Self::Analyst,
        Self::Viewer,
    ];

    /// What the role may do. A custom role's rights are in its own row; without it, nothing.
    #[must_use]
    pub fn rights(self) -> Rights {
        let other: &[&str] = match self {
            Self::Admin => RUN,
            Self::Manager | Self::Analyst => ANALYSE,
            Self::SalesRep | Self::Viewer => READ_USERS,
            Self::Custom => &[],
        };
        Rights::new(RecordKind::ALL.map(|kind| self.reach(kind)), other, &[])
    }

    fn reach(self, kind: RecordKind) -> Reach {
        let is_shared = matches!(kind, RecordKind::Companies | RecordKind::Contacts);
        let (read, write, delete) = match self {
            Self::Admin => (Scope::All, Scope::All, Scope::All),
            Self::Manager if is_shared => (Scope::All, Scope::Team, Scope::Team),
            Self::Manager => (Scope::Team, Scope::Team, Scope::Team),
            Self::SalesRep if is_shared => (Scope::All, Scope::Own, Scope::None),
            Self::SalesRep => (Scope::Own, Scope::Own, Scope::None),
            Self::Analyst | Self::Viewer => (Scope::All, Scope::None, Scope::None),
            Self::Custom => (Scope::None, Scope::None, Scope::None),
        };
        Reach {
            read,
            write,
            delete,
        }
    }
}
