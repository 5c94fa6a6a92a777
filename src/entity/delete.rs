//! Deleting records for good.

use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    Entity,
    change::{lock, whole},
};
use crate::{
    base::error::{Error, Result},
    db::{
        Sql, Tx,
        journal::{Event, EventKind},
    },
};

/// Deletes a record for good, with what only exists as a part of it. Needs the delete permission of its kind.
///
/// # Errors
/// As [`lock`], and `IN_USE` while others refer to it.
pub async fn delete<R: Entity>(tx: &mut Tx, id: Uuid, expected_version: Option<i32>) -> Result<()> {
    let before: R = lock(tx, id, expected_version).await?;
    before.before_delete(tx).await?;
    let sql = Sql::new("DELETE FROM ")
        .push(R::TABLE)
        .push(" WHERE tenant_id = ")
        .bind(tx.tenant())
        .push(" AND ")
        .push(R::ID_COLUMN)
        .push(" = ")
        .bind(id);
    if tx.execute(sql).await? == 0 {
        return Err(Error::Forbidden("delete this record"));
    }
    tx.emit(Event {
        kind: EventKind::Deleted,
        entity: R::KIND,
        id,
        version: before.stamps().version + 1,
        changed: Vec::new(),
        before: None,
        after: None,
        record: Some(Json::Object(whole(&before))),
        was: None,
        visible_before: Some(before.visible_to().to_owned()),
        visible_after: None,
        parts: R::PARTS,
    });
    Ok(())
}
