//! The built-in roles: what each may do and which rows it sees and edits.
//!
//! This table is the only place that knows them. Postgres does the refusing: the door in `db/` hands the
//! permissions and scopes over as settings, and `policies/` reads them.

use async_graphql::Enum;

/// A built-in role of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum, sqlx::Type)]
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
}

/// Which rows of a kind a role reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum)]
pub enum Scope {
    /// None.
    None,
    /// Those the person owns or was added to.
    Own,
    /// Those of the person's team and its sub-teams.
    Team,
    /// All of the tenant.
    All,
}

/// The kinds of records that permissions and scopes are given for.
pub(crate) const KINDS: [&str; 5] = [
    "companies",
    "contacts",
    "leads",
    "opportunities",
    "activities",
];

const READ: &[&str] = &[
    "companies:read",
    "contacts:read",
    "leads:read",
    "opportunities:read",
    "activities:read",
    "users:read",
];
const WRITE: &[&str] = &[
    "companies:write",
    "contacts:write",
    "leads:write",
    "opportunities:write",
    "activities:write",
];
const DELETE: &[&str] = &[
    "companies:delete",
    "contacts:delete",
    "leads:delete",
    "opportunities:delete",
    "activities:delete",
];
const MANAGE: &[&str] = &["users:write", "audit:read", "integrations:write", "admin"];

impl Role {
    /// All built-in roles.
    pub const ALL: [Self; 5] = [
        Self::Admin,
        Self::Manager,
        Self::SalesRep,
        Self::Analyst,
        Self::Viewer,
    ];

    /// The permission strings of the role.
    #[must_use]
    pub fn permissions(self) -> Vec<&'static str> {
        let parts: &[&[&str]] = match self {
            Self::Admin => &[READ, WRITE, DELETE, MANAGE, &["analytics:read", "export"]],
            Self::Manager => &[READ, WRITE, DELETE, &["analytics:read", "export"]],
            Self::SalesRep => &[READ, WRITE],
            Self::Analyst => &[READ, &["analytics:read", "export"]],
            Self::Viewer => &[READ],
        };
        parts.concat()
    }

    /// Which rows of `kind` the role reads.
    #[must_use]
    pub fn sees(self, kind: &str) -> Scope {
        match (self, kind) {
            (Self::Admin | Self::Analyst | Self::Viewer, _) | (_, "companies" | "contacts") => {
                Scope::All
            }
            (Self::Manager, _) => Scope::Team,
            (Self::SalesRep, _) => Scope::Own,
        }
    }

    /// Which rows of `kind` the role writes, if it may write at all.
    #[must_use]
    pub fn edits(self, _kind: &str) -> Scope {
        match self {
            Self::Admin => Scope::All,
            Self::Manager => Scope::Team,
            Self::SalesRep => Scope::Own,
            Self::Analyst | Self::Viewer => Scope::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_edits_what_they_cannot_see() {
        let wider = |a: Scope, b: Scope| a as u8 > b as u8;
        for role in Role::ALL {
            for kind in KINDS {
                assert!(!wider(role.edits(kind), role.sees(kind)), "{role:?} {kind}");
            }
        }
    }
}
