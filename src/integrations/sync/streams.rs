//! Streams: how far each kind of an account's records is.

use std::collections::HashMap;

use async_graphql::SimpleObject;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{SyncRequest, store};
use crate::{
    base::{
        error::Result,
        ids::{IntegrationId, Typed as _},
    },
    db::{ReadTx, Sql, Tx},
    graphql::Batch,
    integrations::accounts::Integration,
};

/// A stream that nobody has come to for so long is overdue.
const PATIENCE: TimeDelta = TimeDelta::minutes(10);

/// How far a kind of an account's records is.
#[derive(Debug, Clone, sqlx::FromRow, SimpleObject)]
pub(in crate::integrations) struct IntegrationStream {
    #[graphql(skip)]
    pub(super) integration_id: Uuid,
    /// The kind, by the name that the service has for it.
    pub(super) kind: String,
    /// Whether it is being brought in step now.
    pub(super) running: bool,
    /// When it was in step last.
    pub(super) synced_at: Option<DateTime<Utc>>,
    /// When all records were read last.
    pub(super) fully_synced_at: Option<DateTime<Utc>>,
    /// When it is looked at next.
    pub(super) next_at: Option<DateTime<Utc>>,
    /// Since when it can't be brought in step; null when it could the last time.
    pub(in crate::integrations) failing_since: Option<DateTime<Utc>>,
    /// How often in a row it could not.
    pub(super) failures: i32,
    /// Why it could not the last time, for programs.
    pub(in crate::integrations) error_code: Option<String>,
    /// Why it could not the last time, for people.
    pub(in crate::integrations) error_message: Option<String>,
}

impl IntegrationStream {
    /// Since when it should have been looked at, if that was a while ago.
    pub(in crate::integrations) fn overdue_since(
        &self,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        self.next_at.filter(|next| *next + PATIENCE < now)
    }
}

/// The streams of accounts, in the order of their kinds.
pub(in crate::integrations) struct StreamsOf;

impl Batch for StreamsOf {
    type Value = Vec<IntegrationStream>;

    async fn load(tx: &mut ReadTx, keys: &[Uuid]) -> Result<HashMap<Uuid, Self::Value>> {
        let mut streams: HashMap<Uuid, Vec<IntegrationStream>> = HashMap::new();
        for stream in store::streams(tx, keys).await? {
            streams
                .entry(stream.integration_id)
                .or_default()
                .push(stream);
        }
        Ok(streams)
    }
}

/// Notes that a stream is to be brought in step, and how. Of two requests the one for more counts.
pub(super) async fn request(
    tx: &mut Tx,
    integration: &Integration,
    kind: &'static str,
    request: SyncRequest,
) -> Result<()> {
    let sql = Sql::new(
        "INSERT INTO integration_streams AS t (tenant_id, integration_id, kind, visible_to, next_mode, next_trigger, \
         next_may_remove, next_at) VALUES (",
    )
    .bind(tx.tenant())
    .push(", ")
    .bind(integration.id)
    .push(", ")
    .bind(kind.to_owned())
    .push(", ")
    .bind(integration.visible_to.clone())
    .push(", ")
    .bind(request.mode)
    .push(", ")
    .bind(request.trigger)
    .push(", ")
    .bind(request.may_remove)
    .push(
        ", now()) ON CONFLICT (tenant_id, integration_id, kind) DO UPDATE SET \
         next_mode = CASE WHEN t.next_mode = 'FULL' THEN 'FULL' ELSE coalesce(excluded.next_mode, t.next_mode) END, \
         next_trigger = excluded.next_trigger, next_may_remove = t.next_may_remove OR excluded.next_may_remove, \
         next_at = now()",
    );
    tx.execute(sql).await?;
    Ok(())
}

/// Has nothing of an account be looked at any more. Where it was is forgotten: what is connected next may be another one.
///
/// # Errors
/// The database.
pub(in crate::integrations) async fn forget(tx: &mut Tx, id: IntegrationId) -> Result<()> {
    let sql = Sql::new(
        "UPDATE integration_streams SET cursor = NULL, fence = fence + 1, sync_run_id = NULL, next_mode = NULL, \
         next_trigger = NULL, next_may_remove = false, next_at = NULL, failing_since = NULL, failures = 0, \
         error_code = NULL, error_message = NULL WHERE tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" AND integration_id = ")
    .bind(id.uuid());
    tx.execute(sql).await?;
    Ok(())
}
