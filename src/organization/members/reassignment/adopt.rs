//! Members that a server of before jobs has begun to move: no job of theirs is in the queue, and nobody else looks for
//! them once that server is gone.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::job::enqueue;
use crate::{
    access::Actor,
    base::{
        error::Result,
        ids::{TenantId, UserId},
    },
    db::{Db, Sql, SystemReason, journal::Origin},
};

/// When they are looked for first, and how long after that again: an update is over within the hour.
const PAUSES: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(60 * 60)];
/// Members at once.
const AT_ONCE: i64 = 1_000;

#[derive(sqlx::FromRow)]
struct Moving {
    tenant_id: TenantId,
    user_id: UserId,
}

/// Looks for them now and then, until stopped.
pub async fn run(db: Db, stop: CancellationToken) {
    let [mut pause, then] = PAUSES;
    while stop
        .run_until_cancelled(tokio::time::sleep(pause))
        .await
        .is_some()
    {
        pause = then;
        if let Err(error) = adopt(&db).await {
            tracing::warn!(%error, "members that are being moved could not be looked for");
        }
    }
}

/// Has a job for each of them, and tells how many there are; those that have one keep it.
///
/// # Errors
/// The database.
pub async fn adopt(db: &Db) -> Result<usize> {
    let mut tx = db.system(SystemReason::Reassignment).await?;
    let sql = Sql::new(
        "SELECT m.tenant_id, m.user_id FROM memberships m JOIN tenants t ON t.tenant_id = m.tenant_id \
         WHERE m.moving AND t.status = 'ACTIVE' LIMIT ",
    );
    let moving: Vec<Moving> = tx.all(sql.bind(AT_ONCE)).await?;
    tx.commit().await?;
    for Moving { tenant_id, user_id } in &moving {
        let worker = Arc::new(Actor::worker(*tenant_id, "placement"));
        let origin = Origin::process("reassignment");
        let enqueued = db.write(&worker, &origin, async |tx| enqueue(tx, *user_id).await);
        enqueued.await?;
    }
    Ok(moving.len())
}
