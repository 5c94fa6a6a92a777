//! Telling other servers that a tenant's event log has grown. Best effort: losing a hint costs time, never an event.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::ids::{TenantId, Typed as _};

/// No hint waits longer than this for Redis.
const REDIS_PATIENCE: Duration = Duration::from_millis(200);

/// Where hints are left; only the highest number per tenant matters, so any number of writes make one message.
#[derive(Clone, Default)]
pub struct Hints(Arc<Pending>);

#[derive(Default)]
struct Pending {
    highest: Mutex<HashMap<TenantId, i64>>,
    waiting: Notify,
}

impl Hints {
    /// Leaves a hint; never waits.
    pub(crate) fn publish(&self, tenant: TenantId, seq: i64) {
        let mut highest = self
            .0
            .highest
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let known = highest.entry(tenant).or_default();
        *known = seq.max(*known);
        drop(highest);
        self.0.waiting.notify_one();
    }

    /// The channel that a tenant's hints go to; the braces keep a tenant on one node of a Redis cluster.
    #[must_use]
    pub fn channel(tenant: TenantId) -> String {
        format!("dealgraph:{{{}}}:seq", tenant.uuid().simple())
    }

    /// Whether Redis answers, within a fraction of a second.
    pub async fn reaches(url: &str) -> bool {
        let Some(mut manager) = connect(url).await else {
            return false;
        };
        redis::cmd("PING")
            .query_async::<String>(&mut manager)
            .await
            .is_ok()
    }

    /// Sends hints to Redis until told to stop. Without Redis hints stay in the process and are dropped.
    pub async fn send(self, url: Option<String>, stop: CancellationToken) {
        let mut manager = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.0.waiting.notified() => {}
            }
            let hints = std::mem::take(
                &mut *self
                    .0
                    .highest
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner),
            );
            let Some(url) = &url else { continue };
            if manager.is_none() {
                manager = connect(url).await;
            }
            let Some(connection) = &mut manager else {
                continue;
            };
            let mut pipe = redis::pipe();
            for (tenant, seq) in hints {
                pipe.publish(Self::channel(tenant), seq).ignore();
            }
            if let Err(error) = pipe.query_async::<()>(connection).await {
                tracing::debug!(%error, "hints not sent");
            }
        }
    }
}

async fn connect(url: &str) -> Option<ConnectionManager> {
    let client = redis::Client::open(url).ok()?;
    let config = ConnectionManagerConfig::new()
        .set_number_of_retries(1)
        .set_connection_timeout(Some(REDIS_PATIENCE))
        .set_response_timeout(Some(REDIS_PATIENCE));
    match client.get_connection_manager_with_config(config).await {
        Ok(manager) => Some(manager),
        Err(error) => {
            tracing::debug!(%error, "redis not reachable");
            None
        }
    }
}
