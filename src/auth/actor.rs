//! The one value that says on whose behalf something is done.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::permissions::{KINDS, Role, Scope};
use crate::ids::{TenantId, Typed, UserId};

/// A verified member of a tenant, or a process that acts for one.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The tenant, from the token and nowhere else.
    pub tenant: TenantId,
    /// The person.
    pub user: UserId,
    /// The person's role in the tenant.
    pub role: Role,
    /// The person's place in the tree of teams.
    pub team_path: Option<String>,
    /// When the token ends.
    pub expires_at: DateTime<Utc>,
    /// In whose name changes are recorded.
    pub author: Author,
    settings: String,
}

/// In whose name a change is recorded: `user:<uuid>` or `import:<source>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Author {
    /// The person themselves.
    User(UserId),
    /// A data import, by the name of its source.
    Import(&'static str),
}

impl std::fmt::Display for Author {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(id) => write!(f, "{id}"),
            Self::Import(source) => write!(f, "import:{source}"),
        }
    }
}

impl Actor {
    /// Puts an actor together from a membership.
    #[must_use]
    pub fn new(
        tenant: TenantId,
        user: UserId,
        role: Role,
        team_path: Option<String>,
        expires_at: DateTime<Utc>,
    ) -> Self {
        let settings = settings(tenant, user, role, team_path.as_deref());
        Self {
            tenant,
            user,
            role,
            team_path,
            expires_at,
            author: Author::User(user),
            settings,
        }
    }

    /// The same person, with changes recorded as an import's.
    #[must_use]
    pub fn importing(mut self, source: &'static str) -> Self {
        self.author = Author::Import(source);
        self
    }

    /// Whether the role has a permission. For telling a person what they may do; Postgres does the refusing.
    #[must_use]
    pub fn may(&self, permission: &str) -> bool {
        self.role.permissions().contains(&permission)
    }

    /// What a row's `visible_to` must contain for this actor to read it, beside the actor itself.
    #[must_use]
    pub fn sees(&self, kind: &str) -> String {
        reach(self.role.sees(kind), self.user, self.team_path.as_deref())
    }

    /// The `SET LOCAL` statements that tell the policies who is asking.
    ///
    /// Everything in them is made by us: uuids, names from closed sets, team paths of hex digits and dots.
    pub(crate) fn settings(&self) -> &str {
        &self.settings
    }
}

fn settings(tenant: TenantId, user: UserId, role: Role, team_path: Option<&str>) -> String {
    let mut sql = format!(
        "SET LOCAL app.tenant_id = '{}'; SET LOCAL app.user_id = '{}'; SET LOCAL app.permissions = ',{},'",
        tenant.uuid(),
        user.uuid(),
        role.permissions().join(",")
    );
    let mut scope = |setting: &str, of: fn(Role, &str) -> Scope| {
        let usual = of(role, "opportunities");
        _ = write!(
            sql,
            "; SET LOCAL app.{setting} = '{}'",
            reach(usual, user, team_path)
        );
        for kind in KINDS.into_iter().filter(|kind| of(role, kind) != usual) {
            _ = write!(
                sql,
                "; SET LOCAL app.{setting}_{kind} = '{}'",
                reach(of(role, kind), user, team_path)
            );
        }
    };
    scope("sees", Role::sees);
    scope("edits", Role::edits);
    sql
}

/// What `visible_to` must contain. A team scope without a team reaches the own rows only.
fn reach(scope: Scope, user: UserId, team_path: Option<&str>) -> String {
    match (scope, team_path) {
        (Scope::None, _) => "none".to_owned(),
        (Scope::All, _) => "|".to_owned(),
        (Scope::Team, Some(path)) if path.bytes().all(|b| b.is_ascii_hexdigit() || b == b'.') => {
            format!("|{path}")
        }
        (Scope::Own | Scope::Team, _) => format!("|u:{}|", user.uuid()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_team_path_that_is_not_one_never_reaches_the_statement() {
        let actor = Actor::new(
            TenantId::new(),
            UserId::new(),
            Role::Manager,
            Some("a'; DROP TABLE deals; --".to_owned()),
            DateTime::UNIX_EPOCH,
        );
        assert!(!actor.settings().contains("DROP"));
        assert_eq!(actor.sees("leads"), format!("|u:{}|", actor.user.uuid()));
    }

    #[test]
    fn only_scopes_that_differ_are_set_one_by_one() {
        let rep = Actor::new(
            TenantId::new(),
            UserId::new(),
            Role::SalesRep,
            None,
            DateTime::UNIX_EPOCH,
        );
        assert!(rep.settings().contains("app.sees_companies = '|'"));
        assert!(!rep.settings().contains("app.sees_leads"));
    }
}
