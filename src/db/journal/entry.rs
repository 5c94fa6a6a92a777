//! What an entry of the audit log says.

use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::db::journal::Event;

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

    /// Adds a circumstance, such as a reason.
    #[must_use]
    pub fn noting(mut self, field: &str, value: impl Into<Json>) -> Self {
        self.changes = self.changes.with(field, Json::Null, value.into());
        self
    }

    /// What the log says of an event.
    pub(crate) fn of(event: &Event, actor: &str) -> Self {
        Self {
            actor: actor.to_owned(),
            action: format!("{}.{}", event.entity, event.kind.verb()),
            entity: Some(event.entity.to_owned()),
            entity_id: Some(event.id),
            changes: Changes::between(event.before.as_ref(), event.after.as_ref()),
        }
    }
}
