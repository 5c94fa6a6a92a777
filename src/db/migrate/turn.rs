//! One run at a time: the others try for its lock again and again. Waiting inside of Postgres, by a blocking advisory lock,
//! would be a deadlock with an index that is built concurrently: that waits for all older snapshots.

use std::time::{Duration, Instant};

use sqlx::PgConnection;
use tokio::time::sleep;

use super::{MigrateError, attempts::Attempts};

/// The advisory lock of the run that has its turn.
const LOCK: i64 = 0x6465_616c_6772_6170;
/// How often it is tried for, at least.
const EVERY: Duration = Duration::from_millis(300);
/// How often waiting is told in the log.
const TELL_EVERY: Duration = Duration::from_secs(5);
const HOLDER: &str = "SELECT format('pid %s, connected for %s s', l.pid, \
        round(extract(epoch FROM clock_timestamp() - a.backend_start))) \
     FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
     WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
       AND l.classid = ($1::bigint >> 32)::oid AND l.objid = ($1::bigint & 4294967295)::oid";

/// Waits for the turn. It lasts as long as the connection.
pub(super) async fn take(
    connection: &mut PgConnection,
    attempts: &mut Attempts,
) -> Result<(), MigrateError> {
    let (began, mut told) = (Instant::now(), Instant::now());
    loop {
        let got: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(LOCK)
            .fetch_one(&mut *connection)
            .await?;
        if got {
            return Ok(());
        }
        let is_over = began.elapsed() >= attempts.patience().total;
        if is_over || told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            let holder = holder(connection).await?;
            if is_over {
                let waited = began.elapsed();
                return Err(MigrateError::Turn { waited, holder });
            }
            tracing::info!(holder, "waiting for another `dealgraph migrate`");
        }
        sleep(EVERY.mul_f64(1.0 + fastrand::f64())).await;
    }
}

async fn holder(connection: &mut PgConnection) -> Result<String, MigrateError> {
    let holder: Option<String> = sqlx::query_scalar(HOLDER)
        .bind(LOCK)
        .fetch_optional(connection)
        .await?;
    // It may have ended since.
    Ok(holder.unwrap_or_else(|| "one that has just ended".to_owned()))
}
