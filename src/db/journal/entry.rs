//! What an entry of the audit log says.

use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::redact;
use crate::db::{Part, journal::Event};

/// What entries tell beside the fields of records. Nothing of it is secret.
const CIRCUMSTANCES: [&str; 13] = [
    "admin_email",
    "attempt",
    "invited_by",
    "issuer",
    "operation",
    "provider",
    "reason",
    "repeated",
    "second_factor",
    "slug",
    "status",
    "subject",
    "user",
];

/// Whether an entry tells this beside the fields of a record.
#[must_use]
pub fn is_circumstance(name: &str) -> bool {
    CIRCUMSTANCES.contains(&name)
}

/// One thing that was done or tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Who, as [`crate::access::Author`] is written, or `anonymous`.
    pub actor: String,
    /// What, for example `opportunity.updated` or `session.refused`.
    pub action: String,
    /// To what kind of record.
    pub entity: Option<String>,
    /// To which one. The record may be gone, or another tenant's.
    pub entity_id: Option<Uuid>,
    /// The fields with their values before and after, or what else there is to say.
    pub changes: Changes,
}

/// Fields with their values before and after.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes(pub(super) Map<String, Json>);

impl Changes {
    /// Notes a field.
    #[must_use]
    pub fn with(mut self, field: &str, before: Json, after: Json) -> Self {
        self.0.insert(field.to_owned(), json!([before, after]));
        self
    }

    /// The fields of a record that came about, changed or went.
    #[must_use]
    pub fn between(before: Option<&Json>, after: Option<&Json>) -> Self {
        let object =
            |side: Option<&Json>| side.and_then(Json::as_object).cloned().unwrap_or_default();
        let (before, after) = (object(before), object(after));
        let names = before
            .keys()
            .chain(after.keys().filter(|name| !before.contains_key(*name)));
        names.fold(Self::default(), |changes, name| {
            let value = |side: &Map<String, Json>| side.get(name).cloned().unwrap_or(Json::Null);
            let (old, new) = (value(&before), value(&after));
            if old == new {
                changes
            } else {
                changes.with(name, old, new)
            }
        })
    }
}

impl Changes {
    /// The log outlives records: addresses and numbers of people are kept only so far that a reader who knows them
    /// recognises them, and nothing of what opens something.
    fn kept(mut self, parts: &'static [Part]) -> Self {
        for (name, sides) in &mut self.0 {
            *sides = redact::kept(parts, name, sides.take());
        }
        self
    }
}

impl Entry {
    /// Something that was done or tried, about nothing in particular yet.
    #[must_use]
    pub fn new(actor: impl ToString, action: impl Into<String>) -> Self {
        Self {
            actor: actor.to_string(),
            action: action.into(),
            entity: None,
            entity_id: None,
            changes: Changes::default(),
        }
    }

    /// Names the record it is about.
    #[must_use]
    pub fn about(mut self, entity: impl Into<String>, id: Uuid) -> Self {
        (self.entity, self.entity_id) = (Some(entity.into()), Some(id));
        self
    }

    /// Adds a circumstance, such as a reason; one of those that are known.
    #[must_use]
    pub fn noting(mut self, field: &str, value: impl Into<Json>) -> Self {
        debug_assert!(is_circumstance(field), "{field} is no circumstance");
        self.changes = self.changes.with(field, Json::Null, value.into());
        self
    }

    /// Adds an e-mail address, only so much of it that a reader who knows it recognises it.
    #[must_use]
    pub fn noting_address(self, field: &str, address: &str) -> Self {
        self.noting(field, redact::mask(address))
    }

    /// What the log says of an event.
    pub(crate) fn of(event: &Event, actor: &str) -> Self {
        Self {
            actor: actor.to_owned(),
            action: format!("{}.{}", event.entity, event.kind.verb()),
            entity: Some(event.entity.to_owned()),
            entity_id: Some(event.id),
            changes: Changes::between(event.before.as_ref(), event.after.as_ref())
                .kept(event.parts),
        }
    }
}
