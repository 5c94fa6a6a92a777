//! What activities are about: companies, contacts, leads and deals, and who sees an activity because of them.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Activity;
use crate::base::{
    entities::entities,
    error::{Error, Result},
    ids::{self, ActivityId, Typed},
};

/// The most records that one activity can be about.
pub const MAX_TARGETS: usize = 20;

macro_rules! target {
    (
        targets { $(
            $(#[$doc:meta])*
            $record:ident $id:ident $prefix:literal $table:ident.$column:ident $layer:ident::$domain:ident $access:tt
                $children:tt $itself:tt;
        )* }
        $($others:tt)*
    ) => {
        /// A record that an activity is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "the names say it")]
        pub enum Target { $($record(ids::$id),)* }

        impl Target {
            /// The kinds that there are, each with its table and the column of its id.
            pub(super) const KINDS: &[(&str, &str, &str)] =
                &[$(($prefix, stringify!($table), stringify!($column)),)*];

            /// The record of a kind with an id; none for a kind that activities are not about.
            pub(super) fn of(kind: &str, id: Uuid) -> Option<Self> {
                match kind {
                    $($prefix => Some(Self::$record(ids::$id::from_uuid(id))),)*
                    _ => None,
                }
            }

            /// The record's id as the database keeps it.
            #[must_use]
            pub fn uuid(self) -> Uuid {
                match self { $(Self::$record(id) => id.uuid(),)* }
            }

            /// What the record is called, which is also its id's prefix.
            pub(super) fn kind(self) -> &'static str {
                match self { $(Self::$record(_) => $prefix,)* }
            }

            fn parse(text: &str) -> Option<Self> {
                let (prefix, _) = text.split_once(':')?;
                match prefix {
                    $($prefix => ids::parse(text).ok().map(Self::$record),)*
                    _ => None,
                }
            }
        }
    };
}
entities!(target);

impl Target {
    /// Reads the ids that a client sent, each of which may be of any of the kinds.
    ///
    /// # Errors
    /// `INVALID_ID`, `TOO_MANY_VALUES` on `targetIds`.
    pub fn parse_all<S: AsRef<str>>(texts: &[S]) -> Result<Vec<Self>> {
        bound(texts.len())?;
        let read = |(i, text): (usize, &S)| {
            Self::parse(text.as_ref()).ok_or_else(|| {
                let message = "expected the id of a company, contact, lead or opportunity, like company:<uuid>";
                Error::invalid("INVALID_ID", format!("targetIds.{i}"), message)
            })
        };
        texts.iter().enumerate().map(read).collect()
    }

    pub(super) fn not_found(self) -> Error {
        Error::NotFound {
            kind: self.kind(),
            field: "targetIds",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), self.uuid().hyphenated())
    }
}

impl serde::Serialize for Target {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The same targets without doubles.
///
/// # Errors
/// `TOO_MANY_VALUES` on `targetIds`.
pub(super) fn distinct(mut targets: Vec<Target>) -> Result<Vec<Target>> {
    let mut seen = HashSet::new();
    targets.retain(|target| seen.insert(*target));
    bound(targets.len())?;
    Ok(targets)
}

fn bound(found: usize) -> Result<()> {
    if found > MAX_TARGETS {
        let message = format!("expected at most {MAX_TARGETS} targets, found {found}");
        return Err(Error::invalid("TOO_MANY_VALUES", "targetIds", message));
    }
    Ok(())
}

/// A target as an activity keeps it: with who sees that record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) target: Target,
    /// The record's `visible_to` without its leading bar.
    pub(super) visible_to: String,
}

impl Link {
    /// Links a record by its full `visible_to`.
    pub(super) fn new(target: Target, visible_to: &str) -> Self {
        Self {
            target,
            visible_to: visible_to
                .strip_prefix('|')
                .unwrap_or(visible_to)
                .to_owned(),
        }
    }
}

/// What activities are about, by the activity.
pub(super) type Links = HashMap<ActivityId, Vec<Link>>;

/// Who sees an activity because of what it is about; every part ends in a bar. The order of the links is no matter.
pub(super) fn who_sees<'a>(links: impl IntoIterator<Item = &'a Link>) -> String {
    links
        .into_iter()
        .map(|link| link.visible_to.as_str())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

/// When each record was last worked on, by activities that are done. A contact only counts when it was reached, and
/// a company keeps no such time.
pub(super) fn last_done(activities: &[Activity]) -> HashMap<Target, DateTime<Utc>> {
    let mut latest = HashMap::new();
    for activity in activities {
        let Some(done_at) = activity.fields.done_at else {
            continue;
        };
        for Link { target, .. } in &activity.links {
            let counts = match target {
                Target::Company(_) => false,
                Target::Contact(_) => activity.fields.kind.reaches_people(),
                Target::Lead(_) | Target::Opportunity(_) => true,
            };
            if counts {
                let at = latest.entry(*target).or_insert(done_at);
                *at = done_at.max(*at);
            }
        }
    }
    latest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{CompanyId, ContactId, LeadId};

    #[test]
    fn targets_are_read_by_their_prefix_and_others_are_refused_with_their_place() {
        let (company, lead) = (
            Target::Company(CompanyId::new()),
            Target::Lead(LeadId::new()),
        );
        let texts = [company.to_string(), lead.to_string()];
        assert_eq!(Target::parse_all(&texts).ok(), Some(vec![company, lead]));

        let uuid = company.uuid();
        for bad in [
            format!("stage:{uuid}"),
            uuid.to_string(),
            "company:".to_owned(),
            format!("company:{uuid}x"),
        ] {
            let error = Target::parse_all(&[texts[0].clone(), bad]).expect_err("refused");
            assert_eq!(
                (error.code(), error.field()),
                ("INVALID_ID", Some("targetIds.1"))
            );
        }
    }

    #[test]
    fn doubles_count_once_and_the_number_is_bounded() {
        let target = Target::Contact(ContactId::new());
        assert_eq!(distinct(vec![target; 30]).ok(), Some(vec![target]));
        let many = (0..=MAX_TARGETS)
            .map(|_| Target::Contact(ContactId::new()))
            .collect();
        assert_eq!(
            distinct(many).expect_err("too many").code(),
            "TOO_MANY_VALUES"
        );
    }

    #[test]
    fn who_sees_several_records_sees_the_activity_once() {
        let link = |text: &str| Link::new(Target::Lead(LeadId::new()), text);
        let links = [
            link("|b.|u:1|"),
            link("|a.|u:2|"),
            link("|b.|u:1|"),
            link("|"),
        ];
        assert_eq!(who_sees(&links), "a.|u:2|b.|u:1|");
        assert_eq!(who_sees(&[]), "");
    }
}
