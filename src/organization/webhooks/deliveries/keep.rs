//! How long it is known what was sent.

use chrono::TimeDelta;

use crate::{
    base::error::Result,
    db::{Db, Sql, SystemReason},
    jobs::FORGOTTEN_AT_ONCE,
};

/// How long a delivery is known after it has ended.
const KEPT: TimeDelta = TimeDelta::days(14);

/// Forgets some deliveries that ended long enough ago, and tells how many.
///
/// # Errors
/// The database.
pub async fn forget(db: &Db) -> Result<u64> {
    let mut tx = db.system(SystemReason::Jobs).await?;
    let sql = Sql::new(
        "DELETE FROM webhook_deliveries d USING (SELECT o.tenant_id, o.webhook_delivery_id FROM webhook_deliveries o \
         WHERE o.ended_at < ",
    )
    .bind(tx.now() - KEPT)
    .push(" ORDER BY o.ended_at LIMIT ")
    .bind(FORGOTTEN_AT_ONCE)
    .push(
        ") old WHERE d.tenant_id = old.tenant_id AND d.webhook_delivery_id = old.webhook_delivery_id",
    );
    let forgotten = tx.execute(sql).await?;
    tx.commit().await?;
    Ok(forgotten)
}
