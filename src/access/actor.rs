//! The one value that says on whose behalf something is done.

use std::{fmt::Write as _, sync::Arc, time::Instant};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Access, RecordKind, Rights, Role, Scope, Vouched};
use crate::base::ids::{ApiKeyId, IntegrationId, RoleId, SessionId, TenantId, Typed as _, UserId};

/// A verified member of a tenant, a program with a key of it, or a process that acts for one.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The tenant, from the token and nowhere else.
    pub tenant: TenantId,
    /// Who it is.
    pub subject: Subject,
    /// The role in the tenant.
    pub role: Role,
    /// The tenant's own role, where it is one.
    pub custom_role: Option<RoleId>,
    /// What the actor may do now; in a suspended tenant less than the role says.
    pub rights: Arc<Rights>,
    /// The path in the tree of teams.
    pub team_path: Option<String>,
    /// Whether the tenant may be changed.
    pub standing: Standing,
    /// Whether only documents that the operator has listed are run for them.
    pub trusted_documents_only: bool,
    /// The plan that the tenant is on, by its name.
    pub plan: Option<Arc<str>>,
    /// When the token ends.
    pub expires_at: DateTime<Utc>,
    /// In whose name changes are recorded.
    pub author: Author,
    /// How far the credential is trusted.
    pub vouched: Vouched,
    /// How fresh this is: the instant before it was read.
    pub(crate) as_of: Instant,
    settings: String,
    writing: String,
    masks: String,
}

/// A visibility class: all actors of one get the same responses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Class(String);

impl Class {
    /// A text that no other class has.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A person, and the session of the token if it has one.
    Person(UserId, Option<SessionId>),
    /// A program with a key.
    Key(ApiKeyId),
    /// The server itself, for a tenant.
    Worker,
}

impl Subject {
    /// Whoever a record's stamps name, if it is a person or a program.
    #[must_use]
    pub fn of(author: &str) -> Option<Self> {
        let person = author.parse().map(|id| Self::Person(id, None));
        person.or_else(|_| author.parse().map(Self::Key)).ok()
    }
}

/// The lifecycle state of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// In normal operation.
    Active,
    /// It may be read and not changed.
    Suspended,
    /// It may be read until it is deleted.
    Deleting,
}

/// In whose name a change is recorded: `user:<uuid>`, `apiKey:<uuid>`, `import:<source>`, `integration:<uuid>` or
/// `system:<what>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Author {
    /// The person themselves.
    User(UserId),
    /// A program, by its key.
    Key(ApiKeyId),
    /// A data import, by the name of its source.
    Import(&'static str),
    /// An account at a service elsewhere, for what came from there.
    Integration(IntegrationId),
    /// The server, by what it was doing.
    System(&'static str),
}

impl std::fmt::Display for Author {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(id) => write!(f, "{id}"),
            Self::Key(id) => write!(f, "{id}"),
            Self::Import(source) => write!(f, "import:{source}"),
            Self::Integration(id) => write!(f, "{id}"),
            Self::System(what) => write!(f, "system:{what}"),
        }
    }
}

/// What a person, a key or a process is in a tenant: what an [`Actor`] is put together from.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "they are those of an actor")]
pub struct Membership {
    pub tenant: TenantId,
    pub role: Role,
    pub custom_role: Option<RoleId>,
    pub rights: Arc<Rights>,
    pub team_path: Option<String>,
    pub standing: Standing,
}

impl Membership {
    /// A membership with a built-in role, in an active tenant.
    #[must_use]
    pub fn of(tenant: TenantId, role: Role, team_path: Option<String>) -> Self {
        Self {
            tenant,
            role,
            custom_role: None,
            rights: Arc::new(role.rights()),
            team_path,
            standing: Standing::Active,
        }
    }
}

impl Actor {
    /// Puts an actor together.
    #[must_use]
    pub fn new(subject: Subject, membership: Membership, expires_at: DateTime<Utc>) -> Self {
        let rights = match membership.standing {
            Standing::Active => membership.rights,
            Standing::Suspended | Standing::Deleting => Arc::new(membership.rights.reading_only()),
        };
        let author = match subject {
            Subject::Person(id, _) => Author::User(id),
            Subject::Key(id) => Author::Key(id),
            Subject::Worker => Author::System("worker"),
        };
        let masks = rights
            .masks()
            .iter()
            .map(|mask| mask.word())
            .collect::<Vec<_>>();
        let masks = match masks.as_slice() {
            [] => String::new(),
            words => format!("; SET LOCAL app.masks = ',{},'", words.join(",")),
        };
        let mut actor = Self {
            tenant: membership.tenant,
            subject,
            role: membership.role,
            custom_role: membership.custom_role,
            rights,
            team_path: membership.team_path,
            standing: membership.standing,
            trusted_documents_only: false,
            plan: None,
            expires_at,
            author,
            vouched: Vouched::Account,
            as_of: Instant::now(),
            settings: String::new(),
            writing: String::new(),
            masks,
        };
        actor.describe();
        actor
    }

    /// The server itself, acting for a tenant with all rights; `what` it is doing is recorded.
    #[must_use]
    pub fn worker(tenant: TenantId, what: &'static str) -> Self {
        let membership = Membership::of(tenant, Role::Admin, None);
        let mut actor = Self::new(Subject::Worker, membership, DateTime::<Utc>::MAX_UTC);
        actor.author = Author::System(what);
        actor
    }

    /// The server itself, for a caller who is nobody to it: with these permissions and no others, each with the scope that
    /// it is written with.
    #[must_use]
    pub fn on_behalf(tenant: TenantId, what: &'static str, permissions: &[&str]) -> Self {
        let permissions: Vec<_> = permissions.iter().map(|text| (*text).to_owned()).collect();
        let membership = Membership {
            rights: Arc::new(Rights::stored(&permissions, &[])),
            ..Membership::of(tenant, Role::Custom, None)
        };
        let mut actor = Self::new(Subject::Worker, membership, DateTime::<Utc>::MAX_UTC);
        actor.author = Author::System(what);
        actor
    }

    /// The same actor, by a token that ends at another time, or that only a tenant trusts.
    #[must_use]
    pub(crate) fn by(
        self: &Arc<Self>,
        expires_at: Option<DateTime<Utc>>,
        is_foreign: bool,
    ) -> Arc<Self> {
        let expires_at = expires_at.unwrap_or(self.expires_at);
        if self.expires_at == expires_at && !is_foreign {
            return Arc::clone(self);
        }
        let mut actor = Self {
            expires_at,
            ..Self::clone(self)
        };
        if is_foreign {
            actor.vouched = Vouched::Tenant;
        }
        Arc::new(actor)
    }

    /// The same actor, with changes recorded as an import's.
    #[must_use]
    pub fn importing(mut self, source: &'static str) -> Self {
        self.author = Author::Import(source);
        self
    }

    /// The same actor, with changes recorded as those of an account at a service elsewhere, which keeps records in step
    /// with their rights.
    #[must_use]
    pub fn integrating(self: &Arc<Self>, integration: IntegrationId) -> Arc<Self> {
        let mut actor = Self::clone(self);
        actor.author = Author::Integration(integration);
        Arc::new(actor)
    }

    /// The person, if it is one: keys and processes own nothing.
    #[must_use]
    pub fn person(&self) -> Option<UserId> {
        match self.subject {
            Subject::Person(id, _) => Some(id),
            Subject::Key(_) | Subject::Worker => None,
        }
    }

    /// The session of the token, if it has one.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        match self.subject {
            Subject::Person(_, session) => session,
            Subject::Key(_) | Subject::Worker => None,
        }
    }

    /// Whether a permission is held on any row. For showing clients what they may do; Postgres enforces it.
    #[must_use]
    pub fn may(&self, permission: &str) -> bool {
        self.rights.may(permission)
    }

    /// What a row's `visible_to` must contain for this actor to read it, beside the actor itself.
    #[must_use]
    pub fn sees(&self, access: impl Into<Access>) -> String {
        self.reach(self.rights.sees(access))
    }

    /// Whether the policies would show this actor a row with this `visible_to`.
    #[must_use]
    pub fn sees_row(&self, access: impl Into<Access>, visible_to: &str) -> bool {
        self.reaches(self.rights.sees(access), visible_to)
    }

    /// What this actor has in common with all who see the same rows, may do the same with them, and are shown the same
    /// of them. Where a right reaches a team or the own rows only, it is the person's alone: rows name people.
    /// `personal` keeps it to the person in any case.
    #[must_use]
    pub fn class(&self, personal: bool) -> Class {
        let is_narrow = |scope: &Scope| matches!(scope, Scope::Own | Scope::Team);
        let is_ones_own = personal || self.rights.scopes().as_flattened().iter().any(is_narrow);
        let subject = match self.subject {
            Subject::Person(..) if is_ones_own => self.me(),
            Subject::Person(..) => "person".to_owned(),
            Subject::Key(_) | Subject::Worker => self.me(),
        };
        let team = self.team_path.as_deref().filter(|_| is_ones_own);
        Class(format!(
            "{} {subject} {team:?} {:?} {:?} {:?} {:?}",
            self.tenant, self.role, self.custom_role, self.standing, self.rights
        ))
    }

    /// What this actor has in common with all actors who read the same rows and are shown the same of them, whatever they
    /// may do with them: the settings that the read policies depend on.
    #[must_use]
    pub fn reading_class(&self) -> Class {
        let sees = RecordKind::ALL.map(|kind| self.sees(kind));
        // A scope of all rows of a kind, or of none, does not depend on the person.
        let is_narrow = |reach: &String| !matches!(reach.as_str(), "|" | "none");
        let me = sees.iter().any(is_narrow).then(|| self.me());
        Class(format!(
            "{} reads {sees:?} {me:?} {:?} {}",
            self.tenant,
            self.rights.permissions(),
            self.masks
        ))
    }

    /// Whether the policies would let this actor change a row with this `visible_to`.
    #[must_use]
    pub fn edits_row(&self, access: impl Into<Access>, visible_to: &str) -> bool {
        self.reaches(self.rights.edits(access), visible_to)
    }

    /// Whether the policies would let this actor delete a row with this `visible_to`.
    #[must_use]
    pub fn deletes_row(&self, access: impl Into<Access>, visible_to: &str) -> bool {
        self.reaches(self.rights.deletes(access), visible_to)
    }

    /// The `SET LOCAL` statements by which the policies know the actor.
    ///
    /// Nothing in them comes from a client: uuids, names from closed sets, team paths of hex digits and dots.
    pub(crate) fn settings(&self) -> &str {
        &self.settings
    }

    /// Further settings of a writing transaction: which rows may be changed and deleted, and in whose name. A reading
    /// transaction without them may change none, and each setting would cost it some microseconds. Begins with `; `.
    pub(crate) fn writing(&self) -> String {
        // Ids, and the names of sources in this program.
        let author = self.author.to_string().replace('\'', "");
        format!("{}; SET LOCAL app.author = '{author}'", self.writing)
    }

    /// Further settings of a reading transaction: the sensitive fields to mask. Empty or begins with `; `.
    pub(crate) fn masks(&self) -> &str {
        &self.masks
    }

    fn reaches(&self, scope: Scope, visible_to: &str) -> bool {
        scope != Scope::None
            && (visible_to.contains(&self.reach(scope)) || visible_to.contains(&self.me()))
    }

    /// What `visible_to` contains of a row that is the actor's own, as `app.me()` has it.
    #[must_use]
    pub fn me(&self) -> String {
        format!("|u:{}|", self.row_id())
    }

    /// What rows know the actor by: owners are people, so a key finds none of its own, and a process neither.
    #[must_use]
    pub fn row_id(&self) -> Uuid {
        match self.subject {
            Subject::Person(id, _) => id.uuid(),
            Subject::Key(id) => id.uuid(),
            Subject::Worker => Uuid::nil(),
        }
    }

    /// What `visible_to` must contain. A team scope without a team reaches the own rows only.
    fn reach(&self, scope: Scope) -> String {
        match (scope, self.team_path.as_deref()) {
            (Scope::None, _) => "none".to_owned(),
            (Scope::All, _) => "|".to_owned(),
            (Scope::Team, Some(path)) if is_team_path(path) => {
                format!("|{path}")
            }
            (Scope::Own | Scope::Team, _) => self.me(),
        }
    }

    fn describe(&mut self) {
        let mut sql = format!(
            "SET LOCAL app.tenant_id = '{}'; SET LOCAL app.user_id = '{}'; SET LOCAL app.permissions = ',{},'",
            self.tenant.uuid(),
            self.row_id(),
            self.rights.permissions().join(",")
        );
        let scope = |sql: &mut String, setting: &str, of: fn(&Rights, RecordKind) -> Scope| {
            let usual = of(&self.rights, RecordKind::Opportunities);
            let reach = self.reach(usual);
            _ = write!(sql, "; SET LOCAL app.{setting} = '{reach}'");
            let others = RecordKind::ALL.map(|kind| (kind, of(&self.rights, kind)));
            let others = others.into_iter().filter(|(_, scope)| *scope != usual);
            for (kind, scope) in others {
                _ = write!(
                    sql,
                    "; SET LOCAL app.{setting}_{} = '{}'",
                    kind.word(),
                    self.reach(scope)
                );
            }
        };
        scope(&mut sql, "sees", |rights, kind| rights.sees(kind));
        let mut writing = String::new();
        scope(&mut writing, "edits", |rights, kind| rights.edits(kind));
        scope(&mut writing, "deletes", |rights, kind| rights.deletes(kind));
        (self.settings, self.writing) = (sql, writing);
    }
}

/// Whether it is a path in the tree of teams, as the tables check it too. An empty one would reach all of the tenant.
fn is_team_path(path: &str) -> bool {
    !path.is_empty()
        && path.split_terminator('.').all(|segment| {
            segment.len() == 12 && segment.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
        && path.ends_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(role: Role, team_path: Option<&str>) -> Actor {
        let membership = Membership::of(TenantId::new(), role, team_path.map(str::to_owned));
        Actor::new(
            Subject::Person(UserId::new(), None),
            membership,
            DateTime::UNIX_EPOCH,
        )
    }

    #[test]
    fn a_team_path_that_is_not_one_never_reaches_the_statement() {
        for path in [
            "a'; DROP TABLE deals; --",
            "",
            ".",
            "..",
            "0123456789ab",
            "0123456789ab..",
            "0123.",
        ] {
            let actor = actor(Role::Manager, Some(path));
            assert!(!actor.settings().contains("DROP"));
            assert_eq!(actor.sees(RecordKind::Leads), actor.me(), "{path:?}");
        }
        let sound = actor(Role::Manager, Some("0123456789ab."));
        assert_eq!(sound.sees(RecordKind::Leads), "|0123456789ab.");
    }

    #[test]
    fn only_scopes_that_differ_are_set_one_by_one() {
        let rep = actor(Role::SalesRep, None);
        assert!(rep.settings().contains("app.sees_companies = '|'"));
        assert!(!rep.settings().contains("app.sees_leads"));
        assert!(!rep.writing().contains("app.deletes_"));
    }

    #[test]
    fn in_a_suspended_tenant_nothing_can_be_changed() {
        let mut membership = Membership::of(TenantId::new(), Role::Admin, None);
        membership.standing = Standing::Suspended;
        let admin = Actor::new(
            Subject::Person(UserId::new(), None),
            membership,
            DateTime::UNIX_EPOCH,
        );
        assert!(admin.may("leads:read") && !admin.may("leads:write") && !admin.may("admin"));
        assert!(admin.writing().contains("app.edits = 'none'"));
        assert!(!admin.edits_row(RecordKind::Leads, "|"));
    }
}
