//! The fields that every event of a subscription has, whatever its kind.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use futures_util::future::{try_join, try_join_all};
use serde_json::Value as Json;

use super::visibility::{self, AnyRecord};
use crate::{
    base::error::{Error, Result},
    db::sensitivity,
    entity::{Entity, FieldDiff, shown_to},
    events::{Change, EventCursor, LoggedEvent},
    graphql::{ContextExt as _, scalars::JsonValue},
};

/// An event as a visibility class is notified of it.
#[derive(Debug)]
pub(crate) struct Notification {
    pub(crate) change: Change,
    pub(crate) cursor: EventCursor,
    /// None for `SYNCED`.
    pub(crate) event: Option<Arc<LoggedEvent>>,
    /// Whether the class could see the record before, and so may see its old values.
    pub(crate) was_seen: bool,
}

/// The fields of an event, whatever its kind of record.
pub struct RecordEvent(Arc<Notification>);

impl RecordEvent {
    pub(super) fn new(notification: Arc<Notification>) -> Self {
        Self(notification)
    }

    /// The event, unless the subscriber may know no more than that the record left its view.
    fn event(&self) -> Option<&LoggedEvent> {
        match self.0.change {
            Change::LeftView => None,
            _ => self.0.event.as_deref(),
        }
    }

    /// The author, as the log names them.
    #[must_use]
    pub fn actor(&self) -> Option<&str> {
        Some(&self.event()?.actor)
    }

    /// The record as it is now, if it exists and the subscriber sees it.
    ///
    /// # Errors
    /// The database.
    pub async fn record<R: Entity>(&self, ctx: &Context<'_>) -> Result<Option<Arc<R>>> {
        match (self.0.change, self.event()) {
            (Change::Deleted, _) | (_, None) => Ok(None),
            (_, Some(event)) => ctx.request().load(Some(event.id)).await,
        }
    }

    /// A column before and after, where both are known and the subscriber may know them.
    #[must_use]
    pub fn column(&self, name: &str) -> (Option<&Json>, Option<&Json>) {
        let Some(event) = self.event() else {
            return (None, None);
        };
        let after = event.record.get(name);
        let before = match event.changed.iter().any(|changed| changed == name) {
            true => event.before.get(name),
            false => after,
        };
        let existed = self.0.was_seen && event.visible_before.is_some();
        let exists = event.visible_after.is_some();
        (before.filter(|_| existed), after.filter(|_| exists))
    }
}

/// What the events of all kinds of records say.
#[Object(name = "RecordEvent")]
impl RecordEvent {
    /// What happened, as far as you are concerned.
    async fn kind(&self) -> Change {
        self.0.change
    }

    /// The place after this event: keep the latest one and give it as `after` to go on from there.
    async fn cursor(&self) -> EventCursor {
        self.0.cursor.clone()
    }

    /// The record's id, also when it is gone or out of your sight; null when `kind` is `SYNCED`.
    async fn record_id(&self) -> Option<ID> {
        let event = self.0.event.as_deref()?;
        Some(ID(format!("{}:{}", event.entity, event.id.hyphenated())))
    }

    /// The record's version after it. The record you read with the event may be a later one already.
    async fn version(&self) -> Option<i32> {
        self.event().map(|event| event.version)
    }

    /// The fields that changed, with what they were before; empty when the record came about, went, or was not in your
    /// sight before. Of ids there are only those of records that you see.
    async fn changes(&self, ctx: &Context<'_>) -> Result<Vec<FieldChange>> {
        let Some(event) = self.event().filter(|_| self.0.was_seen) else {
            return Ok(Vec::new());
        };
        let columns = event.changed.iter().filter_map(|name| {
            let disclosure = visibility::of_column(name);
            let value = |side: &crate::db::KnownRow| side.get(name).cloned().unwrap_or(Json::Null);
            let (before, after) = (value(&event.before), value(&event.record));
            let sides = async move {
                let (before, after) = match disclosure {
                    visibility::Disclosure::Visible => {
                        try_join(
                            visibility::visible_ids(ctx, before),
                            visibility::visible_ids(ctx, after),
                        )
                        .await?
                    }
                    _ => (before, after),
                };
                Ok::<_, Error>((name.as_str(), before, after))
            };
            (disclosure != visibility::Disclosure::Never).then_some(sides)
        });
        let changed = try_join_all(columns).await?;
        let parts = ctx
            .data_unchecked::<Arc<dyn AnyRecord>>()
            .parts(&event.entity);
        let declared = |name: &str| sensitivity(parts?, name);
        let rights = &ctx.request().actor().rights;
        let shown = shown_to(rights, declared, changed.into_iter());
        Ok(shown.map(FieldChange::from).collect())
    }

    /// When.
    async fn occurred_at(&self) -> Option<DateTime<Utc>> {
        self.event().map(|event| event.occurred_at)
    }
}

/// A field of a record, before and after it changed.
#[derive(SimpleObject)]
pub struct FieldChange {
    /// Which field.
    field: String,
    /// Its value before; null when there was none or it is not known.
    before: Option<JsonValue>,
    /// Its value after; null when there is none.
    after: Option<JsonValue>,
    /// Whether your role keeps the values from you.
    masked: bool,
}

impl From<FieldDiff> for FieldChange {
    fn from(diff: FieldDiff) -> Self {
        Self {
            field: diff.field,
            before: JsonValue::some(diff.before),
            after: JsonValue::some(diff.after),
            masked: diff.masked,
        }
    }
}
