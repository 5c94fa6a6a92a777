//! What an actor may do: permissions, a row scope for each, and the sensitive fields they are not shown.
//!
//! Postgres does the refusing: each transaction begins with these as settings, and `policies/` reads them.

#[cfg(test)]
mod tests;

use async_graphql::Enum;

use super::{Access, RecordKind};

/// Which rows of a kind a person reaches; each scope includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Enum)]
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

impl Scope {
    /// The word in a permission; nothing for none.
    const fn word(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Own => Some("own"),
            Self::Team => Some("team"),
            Self::All => Some("all"),
        }
    }
}

/// Fields that a role may keep from the people who have it. Free text, such as notes and what activities say, is shown
/// as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum)]
#[graphql(name = "SensitiveField")]
pub enum Sensitive {
    /// What deals are worth, companies turn over and products cost.
    Amounts,
    /// E-mail addresses of contacts and leads.
    Emails,
    /// Phone numbers of companies, contacts and leads.
    Phones,
}

/// The permissions that have no scope.
const OTHERS: [&str; 7] = [
    "users:read",
    "users:write",
    "audit:read",
    "integrations:write",
    "analytics:read",
    "export",
    "admin",
];

/// Permissions that come to nothing without another: what is changed is read back.
const NEEDS: [(&str, &str); 2] = [("users:write", "users:read"), ("admin", "users:read")];

impl Sensitive {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Amounts, Self::Emails, Self::Phones];

    /// The word in the database and in settings.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Amounts => "amounts",
            Self::Emails => "emails",
            Self::Phones => "phones",
        }
    }
}

/// The scopes of the three verbs on one kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) read: Scope,
    pub(crate) write: Scope,
    pub(crate) delete: Scope,
}

/// What an actor may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// By [`RecordKind::index`].
    reaches: [Reach; RecordKind::COUNT],
    others: Vec<&'static str>,
    masks: Vec<Sensitive>,
}

/// Why a list of permissions is not one of a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPermission {
    /// Not in the list, or with a scope that it does not take.
    #[error(
        "there is no permission {0:?}; write `<records>:<read|write|delete>:<own|team|all>`, or one without a scope"
    )]
    Unknown(String),
    /// Changing more than can be seen, deleting more than can be changed, or running what can't be seen at all.
    #[error("{wider} needs {narrower}, with a scope that is as wide")]
    Wider {
        /// The permission with the wider scope.
        wider: &'static str,
        /// The one it needs.
        narrower: &'static str,
    },
}

impl Rights {
    pub(crate) fn new(
        reaches: [Reach; RecordKind::COUNT],
        others: &[&'static str],
        masks: &[Sensitive],
    ) -> Self {
        Self {
            reaches,
            others: others.to_vec(),
            masks: masks.to_vec(),
        }
    }

    /// Reads permission strings such as `opportunities:write:own`, `contacts:read:all` and `audit:read`.
    ///
    /// # Errors
    /// [`BadPermission`].
    pub fn parse(permissions: &[String], masks: &[Sensitive]) -> Result<Self, BadPermission> {
        let mut rights = Self::new([NOTHING; RecordKind::COUNT], &[], masks);
        for text in permissions {
            rights
                .grant(text)
                .ok_or_else(|| BadPermission::Unknown(text.clone()))?;
        }
        for (reach, [read, write, delete]) in rights.on_records() {
            for (wider, narrower, is_wider) in [
                (write, read, reach.write > reach.read),
                (delete, write, reach.delete > reach.write),
            ] {
                if is_wider {
                    return Err(BadPermission::Wider { wider, narrower });
                }
            }
        }
        for (wider, narrower) in NEEDS {
            if rights.may(wider) && !rights.may(narrower) {
                return Err(BadPermission::Wider { wider, narrower });
            }
        }
        Ok(rights)
    }

    /// Reads a role's row. A word that this version does not know grants nothing.
    #[must_use]
    pub(crate) fn stored(permissions: &[String], masks: &[String]) -> Self {
        let known = |mask: &Sensitive| masks.iter().any(|word| word == mask.word());
        let masks: Vec<_> = Sensitive::ALL.into_iter().filter(known).collect();
        let mut rights = Self::new([NOTHING; RecordKind::COUNT], &[], &masks);
        for text in permissions {
            _ = rights.grant(text);
        }
        rights
    }

    fn grant(&mut self, text: &str) -> Option<()> {
        if let Some(known) = OTHERS.into_iter().find(|known| *known == text) {
            if !self.others.contains(&known) {
                self.others.push(known);
            }
            return Some(());
        }
        let (permission, scope) = text.rsplit_once(':')?;
        let scope = match scope {
            "own" => Scope::Own,
            "team" => Scope::Team,
            "all" => Scope::All,
            _ => return None,
        };
        let mut kinds = self.reaches.iter_mut().zip(RecordKind::ALL);
        let (reach, verb) = kinds.find_map(|(reach, kind)| {
            let mut names = kind.permissions().into_iter();
            let verb = names.position(|name| name == permission)?;
            Some((reach, verb))
        })?;
        let slot = match verb {
            0 => &mut reach.read,
            1 => &mut reach.write,
            _ => &mut reach.delete,
        };
        *slot = scope.max(*slot);
        Some(())
    }

    /// The permission strings without scopes, as `viewer.permissions` lists them and policies ask for them.
    #[must_use]
    pub fn permissions(&self) -> Vec<&'static str> {
        let scoped = self.scoped();
        let held = scoped
            .filter(|(_, scope)| *scope != Scope::None)
            .map(|(name, _)| name);
        let others = OTHERS.into_iter().filter(|name| self.others.contains(name));
        held.chain(others).collect()
    }

    /// The permissions with their scopes, in the form that [`Self::parse`] reads and a role's row keeps.
    #[must_use]
    pub fn granted(&self) -> Vec<String> {
        let scoped = self
            .scoped()
            .filter_map(|(name, scope)| Some(format!("{name}:{}", scope.word()?)));
        let others = OTHERS.into_iter().filter(|name| self.others.contains(name));
        scoped.chain(others.map(str::to_owned)).collect()
    }

    /// Whether a permission is held, on any row at all.
    #[must_use]
    pub fn may(&self, permission: &str) -> bool {
        let is_held = |(name, scope)| name == permission && scope != Scope::None;
        self.others.contains(&permission) || self.scoped().any(is_held)
    }

    /// Whether a permission is held: on any row, or on rows as far as the scope that it names.
    #[must_use]
    pub fn holds(&self, text: &str) -> bool {
        let mut wanted = Self::new([NOTHING; RecordKind::COUNT], &[], &self.masks);
        match wanted.grant(text) {
            Some(()) => self.cover(&wanted),
            None => self.may(text),
        }
    }

    /// Which rows are read.
    #[must_use]
    pub fn sees(&self, access: impl Into<Access>) -> Scope {
        self.reach(access.into()).read
    }

    /// Which rows are written.
    #[must_use]
    pub fn edits(&self, access: impl Into<Access>) -> Scope {
        self.reach(access.into()).write
    }

    /// Which rows of each kind are read, written and deleted.
    #[must_use]
    pub fn scopes(&self) -> [[Scope; 3]; RecordKind::COUNT] {
        self.reaches
            .map(|reach| [reach.read, reach.write, reach.delete])
    }

    /// Which rows are deleted.
    #[must_use]
    pub fn deletes(&self, access: impl Into<Access>) -> Scope {
        self.reach(access.into()).delete
    }

    /// The sensitive fields that are kept back.
    #[must_use]
    pub fn masks(&self) -> &[Sensitive] {
        &self.masks
    }

    /// Whether a sensitive field is shown.
    #[must_use]
    pub fn shows(&self, what: Sensitive) -> bool {
        !self.masks.contains(&what)
    }

    /// Whether all that `other` may do is covered: nobody gives away more than they have.
    #[must_use]
    pub fn cover(&self, other: &Self) -> bool {
        let reaches = self
            .reaches
            .iter()
            .zip(&other.reaches)
            .all(|(mine, theirs)| {
                mine.read >= theirs.read
                    && mine.write >= theirs.write
                    && mine.delete >= theirs.delete
            });
        reaches
            && other.others.iter().all(|name| self.others.contains(name))
            && self.masks.iter().all(|mask| other.masks.contains(mask))
    }

    /// Whether an actor with these rights in a team reaches all rows that `other` reaches in theirs. It matters where a scope
    /// is the team: then theirs has to be mine or below it, unless mine is all of the tenant.
    #[must_use]
    pub fn reach_as_far(&self, mine: Option<&str>, other: &Self, theirs: Option<&str>) -> bool {
        let Some(theirs) = theirs else { return true };
        let within = mine.is_some_and(|mine| theirs.starts_with(mine));
        let far =
            |mine: Scope, theirs: Scope| theirs != Scope::Team || mine == Scope::All || within;
        let mut reaches = self.reaches.iter().zip(&other.reaches);
        reaches.all(|(mine, theirs)| {
            far(mine.read, theirs.read)
                && far(mine.write, theirs.write)
                && far(mine.delete, theirs.delete)
        })
    }

    /// What both may do, and what either does not show.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut both = self.clone();
        for (mine, theirs) in both.reaches.iter_mut().zip(&other.reaches) {
            *mine = Reach {
                read: mine.read.min(theirs.read),
                write: mine.write.min(theirs.write),
                delete: mine.delete.min(theirs.delete),
            };
        }
        both.others.retain(|name| other.others.contains(name));
        let more = other.masks.iter().filter(|mask| self.shows(**mask));
        both.masks.extend(more);
        both
    }

    /// The same without changing anything, for tenants that are suspended.
    #[must_use]
    pub fn reading_only(&self) -> Self {
        let mut rights = self.clone();
        for reach in &mut rights.reaches {
            (reach.write, reach.delete) = (Scope::None, Scope::None);
        }
        rights
            .others
            .retain(|name| !matches!(*name, "users:write" | "integrations:write" | "admin"));
        rights
    }

    /// The scopes on each kind of record, with the names of its permissions.
    fn on_records(&self) -> impl Iterator<Item = (&Reach, [&'static str; 3])> {
        let names = RecordKind::ALL.map(RecordKind::permissions);
        self.reaches.iter().zip(names)
    }

    /// The permissions on records, with their scopes.
    fn scoped(&self) -> impl Iterator<Item = (&'static str, Scope)> {
        self.on_records().flat_map(|(reach, names)| {
            let scopes = [reach.read, reach.write, reach.delete];
            names.into_iter().zip(scopes)
        })
    }

    fn reach(&self, access: Access) -> Reach {
        let (read, write) = match access {
            Access::Scoped(kind) => return self.reaches[kind.index()],
            Access::Shared { read, write } => (read, write),
        };
        let all_if = |is_held| match is_held {
            true => Scope::All,
            false => Scope::None,
        };
        let is_read = self.may(read);
        let is_changed = is_read && self.may(write);
        Reach {
            read: all_if(is_read),
            write: all_if(is_changed),
            delete: all_if(is_changed),
        }
    }
}

const NOTHING: Reach = Reach {
    read: Scope::None,
    write: Scope::None,
    delete: Scope::None,
};
