//! Putting records into the archive, and taking them back.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::{
    Entity,
    change::{emit_changed, lock},
};
use crate::{
    base::error::{Error, Result},
    db::{Sql, Tx, journal::EventKind},
};

/// Puts a record away: lists leave it out, everything else stays. Doing it twice changes nothing.
///
/// # Errors
/// As [`lock`].
pub async fn archive<R: Entity>(tx: &mut Tx, id: Uuid, expected_version: Option<i32>) -> Result<R> {
    let at = tx.now();
    set_archived(tx, id, expected_version, Some(at)).await
}

/// Restores a record from the archive. Doing it twice changes nothing.
///
/// # Errors
/// As [`lock`].
pub async fn restore<R: Entity>(tx: &mut Tx, id: Uuid, expected_version: Option<i32>) -> Result<R> {
    set_archived(tx, id, expected_version, None).await
}

async fn set_archived<R: Entity>(
    tx: &mut Tx,
    id: Uuid,
    expected_version: Option<i32>,
    at: Option<DateTime<Utc>>,
) -> Result<R> {
    let before: R = lock(tx, id, expected_version).await?;
    if before.stamps().archived_at.is_some() == at.is_some() {
        return Ok(before);
    }
    let sql = Sql::new("UPDATE ")
        .push(R::TABLE)
        .push(" t SET version = t.version + 1, archived_at = ")
        .bind(at)
        .push(", updated_at = ")
        .bind(tx.now())
        .push(", updated_by = ")
        .bind(tx.author())
        .push(" WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.")
        .push(R::ID_COLUMN)
        .push(" = ")
        .bind(id)
        .push(" RETURNING ")
        .push(R::select());
    let after: R = tx
        .optional(sql)
        .await?
        .ok_or(Error::Forbidden("archive or restore this record"))?;
    let kind = if at.is_some() {
        EventKind::Archived
    } else {
        EventKind::Restored
    };
    let archived = |record: &R| json!({ "archived_at": record.stamps().archived_at });
    emit_changed(
        tx,
        kind,
        (&before, &archived(&before)),
        (&after, &archived(&after)),
    );
    Ok(after)
}
