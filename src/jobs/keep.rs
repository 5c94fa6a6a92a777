//! How long it is known what became of a job.

use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use crate::{
    base::error::Result,
    db::{Db, Sql, SystemReason},
};

/// How long a job is known after it has ended.
const KEPT: TimeDelta = TimeDelta::days(14);
/// How often those that ended earlier are forgotten.
const FORGOTTEN_EVERY: Duration = Duration::from_secs(10 * 60);
/// How many of what is past its time are forgotten at once.
pub const FORGOTTEN_AT_ONCE: i64 = 5_000;

/// Forgets now and then what is past its time, until stopped: `forget` forgets some of it and tells how many.
pub async fn run(
    db: Db,
    stop: CancellationToken,
    what: &'static str,
    forget: impl AsyncFn(&Db) -> Result<u64>,
) {
    let mut pause = FORGOTTEN_EVERY;
    while stop
        .run_until_cancelled(tokio::time::sleep(pause))
        .await
        .is_some()
    {
        pause = match forget(&db).await {
            // There are more of them.
            Ok(forgotten) if forgotten >= FORGOTTEN_AT_ONCE as u64 => Duration::from_secs(1),
            Ok(_) => FORGOTTEN_EVERY,
            Err(error) => {
                tracing::warn!(%error, what, "what is past its time was not forgotten");
                FORGOTTEN_EVERY
            }
        };
    }
}

/// Forgets some jobs that ended long enough ago, and tells how many.
///
/// # Errors
/// The database.
pub async fn forget(db: &Db) -> Result<u64> {
    let mut tx = db.system(SystemReason::Jobs).await?;
    let sql = Sql::new(
        "DELETE FROM jobs j USING (SELECT o.tenant_id, o.job_id FROM jobs o WHERE o.ended_at < ",
    )
    .bind(tx.now() - KEPT)
    .push(" ORDER BY o.ended_at LIMIT ")
    .bind(FORGOTTEN_AT_ONCE)
    .push(") old WHERE j.tenant_id = old.tenant_id AND j.job_id = old.job_id");
    let forgotten = tx.execute(sql).await?;
    tx.commit().await?;
    Ok(forgotten)
}
