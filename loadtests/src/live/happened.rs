//! What really happened, by the event log itself.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::Outcome;

/// An event that was committed.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub(super) struct Happened {
    pub(super) seq: i64,
    #[sqlx(rename = "entity_id")]
    pub(super) deal: Uuid,
    /// When, in microseconds: just before its commit was flushed to the disk.
    pub(super) committed: i64,
}

/// The number of a tenant's last event.
pub(super) async fn last(database: &mut PgConnection, tenant: Uuid) -> Outcome<i64> {
    let sql = "SELECT last_seq FROM tenant_seq WHERE tenant_id = $1";
    Ok(sqlx::query_scalar(sql)
        .bind(tenant)
        .fetch_one(database)
        .await?)
}

/// All events of a tenant's deals after a number.
pub(super) async fn since(
    database: &mut PgConnection,
    (tenant, seq): (Uuid, i64),
) -> Outcome<Vec<Happened>> {
    let sql = "SELECT seq, entity_id, \
               (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint AS committed \
               FROM events WHERE tenant_id = $1 AND seq > $2 AND entity = 'opportunity' ORDER BY seq";
    Ok(sqlx::query_as(sql)
        .bind(tenant)
        .bind(seq)
        .fetch_all(database)
        .await?)
}
