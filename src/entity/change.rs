//! Changing records: locking them, and emitting the events of the change.

use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::{Entity, Stamps, update};
use crate::{
    base::{
        error::{Error, Result},
        ids::Typed,
    },
    db::{
        Tx,
        journal::{Event, EventKind},
        list,
    },
};

/// Locks a record for a change, if it still is at the version that the change was made for.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`; `FORBIDDEN` for a record that the actor sees but may not change.
pub async fn lock<R: Entity>(tx: &mut Tx, id: Uuid, expected_version: Option<i32>) -> Result<R> {
    // FOR UPDATE asks the update policies too, so a record that may be read but not changed is not found by it.
    let sql = list::by_id::<R>(tx, id).push(" FOR UPDATE");
    let Some(record) = tx.optional::<R>(sql).await? else {
        return match list::find::<R>(tx, id).await? {
            Some(_) => Err(Error::Forbidden("change this record")),
            None => Err(Error::NotFound {
                kind: R::KIND,
                field: "id",
            }),
        };
    };
    match expected_version {
        Some(expected) if expected != record.stamps().version => Err(Error::Conflict {
            kind: R::KIND,
            version: record.stamps().version,
        }),
        _ => Ok(record),
    }
}

/// A record that changes as a whole: what of it is compared and goes into events, and what follows.
pub trait Changeable: Entity + Clone {
    /// Whether a change came to nothing.
    fn same_as(&self, before: &Self) -> bool;

    /// What the events of its changes have of it.
    fn told(&self) -> Json;

    /// Its stamps, which count changes.
    fn stamps_mut(&mut self) -> &mut Stamps;

    /// Writes it, and reads back what has become of it.
    ///
    /// # Errors
    /// As [`update`].
    fn write(&self, tx: &mut Tx) -> impl Future<Output = Result<Self>> + Send {
        update(tx, self)
    }

    /// What follows from a change for other rows, and from those for the record, before its event is emitted.
    ///
    /// # Errors
    /// The database.
    fn after_change(
        &mut self,
        _tx: &mut Tx,
        _before: &Self,
    ) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }
}

/// Implements [`Changeable`] for a record whose `fields` are what changes, with what is its own: `write`, `after_change`.
macro_rules! changes_by_fields {
    ($record:ty $({ $($own:tt)* })?) => {
        impl $crate::entity::Changeable for $record {
            fn same_as(&self, before: &Self) -> bool {
                self.fields == before.fields
            }

            fn told(&self) -> serde_json::Value {
                serde_json::json!(self.fields)
            }

            fn stamps_mut(&mut self) -> &mut $crate::entity::Stamps {
                &mut self.stamps
            }

            $($($own)*)?
        }
    };
}
pub(crate) use changes_by_fields;

/// Changes a record: locks it, acts on it, and [`save`]s it.
///
/// # Errors
/// As [`lock`] and [`save`], and what `act` refuses.
pub async fn change<R: Changeable>(
    tx: &mut Tx,
    (id, expected_version): (impl Typed, Option<i32>),
    kind: EventKind,
    act: impl AsyncFnOnce(&mut Tx, &mut R) -> Result<()>,
) -> Result<R> {
    let before: R = lock(tx, id.uuid(), expected_version).await?;
    let mut after = before.clone();
    act(tx, &mut after).await?;
    save(tx, kind, (before, after)).await
}

/// Writes what a locked record has become, with what follows, and emits the event. Nothing happens when nothing differs.
///
/// # Errors
/// As [`Changeable::write`] and [`Changeable::after_change`].
pub async fn save<R: Changeable>(
    tx: &mut Tx,
    kind: EventKind,
    (before, mut after): (R, R),
) -> Result<R> {
    if after.same_as(&before) {
        return Ok(before);
    }
    after.stamps_mut().touch(tx);
    let mut after = after.write(tx).await?;
    after.after_change(tx, &before).await?;
    emit_changed(tx, kind, (&before, &before.told()), (&after, &after.told()));
    Ok(after)
}

/// Columns with further ones.
#[must_use]
pub fn with(mut columns: Json, more: Json) -> Json {
    if let (Json::Object(columns), Json::Object(more)) = (&mut columns, more) {
        columns.extend(more);
    }
    columns
}

/// The record as the event log stores it, with its id and its times.
pub(super) fn whole<R: Entity>(record: &R) -> Map<String, Json> {
    let Json::Object(mut columns) = record.columns() else {
        return Map::new();
    };
    let Stamps {
        archived_at,
        created_at,
        updated_at,
        ..
    } = record.stamps();
    columns.insert(R::ID_COLUMN.to_owned(), json!(record.key()));
    columns.insert("archived_at".to_owned(), json!(archived_at));
    columns.insert("created_at".to_owned(), json!(created_at));
    columns.insert("updated_at".to_owned(), json!(updated_at));
    columns
}

/// Emits the event of a created record.
pub fn emit_created<R: Entity>(tx: &mut Tx, record: &R, fields: &impl Serialize) {
    tx.emit(Event {
        kind: EventKind::Created,
        entity: R::KIND,
        id: record.key(),
        version: record.stamps().version,
        changed: Vec::new(),
        before: None,
        after: Some(json!(fields)),
        record: Some(Json::Object(whole(record))),
        was: None,
        visible_before: None,
        visible_after: Some(record.visible_to().to_owned()),
        parts: R::PARTS,
    });
}

/// Emits the event of a changed record, with the columns that differ.
pub fn emit_changed<R: Entity, F: Serialize>(
    tx: &mut Tx,
    kind: EventKind,
    (before, old): (&R, &F),
    (after, new): (&R, &F),
) {
    let (changed, old, new) = diff(&json!(old), &json!(new));
    let mut record = whole(after);
    let mut was = whole(before);
    was.retain(|column, value| record.get(column) != Some(value));
    was.extend(old.clone());
    record.extend(new.clone());
    tx.emit(Event {
        kind,
        entity: R::KIND,
        id: after.key(),
        version: after.stamps().version,
        changed,
        before: Some(Json::Object(old)),
        after: Some(Json::Object(new)),
        record: Some(Json::Object(record)),
        was: Some(Json::Object(was)),
        visible_before: Some(before.visible_to().to_owned()),
        visible_after: Some(after.visible_to().to_owned()),
        parts: R::PARTS,
    });
}

/// Emits the event of a record that a change of another one affects: it keeps its version. What the changed columns
/// were before is not known.
pub fn emit_followed<R: Entity>(tx: &mut Tx, record: &R, visible_before: String, changed: &[&str]) {
    tx.follow_up(Event {
        kind: EventKind::Updated,
        entity: R::KIND,
        id: record.key(),
        version: record.stamps().version,
        changed: changed.iter().map(|&name| name.to_owned()).collect(),
        before: None,
        after: None,
        record: Some(Json::Object(whole(record))),
        was: None,
        visible_before: Some(visible_before),
        visible_after: Some(record.visible_to().to_owned()),
        parts: R::PARTS,
    });
}

fn diff(before: &Json, after: &Json) -> (Vec<String>, Map<String, Json>, Map<String, Json>) {
    let (mut changed, mut old, mut new) = (Vec::new(), Map::new(), Map::new());
    for (name, value) in after.as_object().into_iter().flatten() {
        let was = before.get(name).unwrap_or(&Json::Null);
        if was != value {
            changed.push(name.clone());
            old.insert(name.clone(), was.clone());
            new.insert(name.clone(), value.clone());
        }
    }
    (changed, old, new)
}
