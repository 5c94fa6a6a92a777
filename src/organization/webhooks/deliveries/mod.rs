//! What was or is to be sent to endpoints: the log of it, and sending it again.

mod filter;
mod graphql;
mod keep;
mod loader;
mod model;
mod store;
mod subscription;

pub use filter::{WebhookDeliveryFilter, WebhookDeliveryOrder};
pub use graphql::WebhookDeliveryQuery;
pub use keep::forget;
pub use model::{DeliveryStatus, WebhookDelivery, WebhookDeliveryOrderField};
pub use subscription::WebhookDeliverySubscription;

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::{WebhookEndpoint, look_now, model::API_VERSION};
use crate::{
    base::{
        error::{Error, Result},
        ids::{Typed as _, WebhookDeliveryId, WebhookEndpointId},
        secret,
    },
    db::{Sql, Tx, journal::Entry, list},
    entity,
};

/// What a delivery is called in the header `webhook-id`.
#[must_use]
pub fn message_id(id: Uuid) -> String {
    format!("msg_{}", id.simple())
}

/// Sends one again, under the same id, with as many attempts as a new one.
///
/// # Errors
/// `NOT_FOUND`; `NOT_ENABLED` while its endpoint is sent nothing; `OTHER_AUTHOR` when somebody else answers for that now.
pub async fn resend(tx: &mut Tx, id: WebhookDeliveryId) -> Result<WebhookDelivery> {
    let Some(delivery) = list::find::<WebhookDelivery>(tx, id.uuid()).await? else {
        return Err(not_found());
    };
    let endpoint = enabled(tx, delivery.endpoint_id).await?;
    if delivery.runs_as != endpoint.fields.runs_as {
        return Err(Error::invalid(
            "OTHER_AUTHOR",
            "id",
            "it was worked out for somebody who may see something else: use webhookEndpointReplay",
        ));
    }
    store::resend(tx, &[id.uuid()]).await?;
    look_now(tx, delivery.endpoint_id).await?;
    note(tx, delivery.endpoint_id, "webhookEndpoint.resent");
    find(tx, id.uuid()).await
}

/// Sends those again that came about within some time, all or only those that failed; tells how many.
///
/// # Errors
/// `NOT_FOUND`; `NOT_ENABLED`; `TOO_MANY` for more than 10,000 at once.
pub async fn resend_range(
    tx: &mut Tx,
    endpoint: WebhookEndpointId,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    only_failed: bool,
) -> Result<u64> {
    let runs_as = enabled(tx, endpoint).await?.fields.runs_as;
    let resent = store::resend_range(tx, endpoint, &runs_as, (from, to), only_failed).await?;
    look_now(tx, endpoint).await?;
    note(tx, endpoint, "webhookEndpoint.resent");
    Ok(resent)
}

/// Sends something that says nothing, to see whether it arrives.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`; `NOT_ENABLED`.
pub async fn ping(
    tx: &mut Tx,
    (endpoint, expected_version): (WebhookEndpointId, Option<i32>),
) -> Result<WebhookDelivery> {
    let locked: WebhookEndpoint = entity::lock(tx, endpoint.uuid(), expected_version).await?;
    require_enabled(&locked)?;
    let runs_as = locked.fields.runs_as;
    let id = Uuid::from_bytes(secret::random());
    let body = json!({
        "type": "ping",
        "timestamp": tx.now().to_rfc3339(),
        "apiVersion": API_VERSION,
        "data": { "webhookEndpoint": endpoint.to_string() },
    });
    store::insert_ping(tx, endpoint, id, (body.to_string(), runs_as)).await?;
    look_now(tx, endpoint).await?;
    note(tx, endpoint, "webhookEndpoint.pinged");
    find(tx, id).await
}

/// Ends what is still to be sent to an endpoint.
///
/// # Errors
/// The database.
pub(super) async fn cancel_pending(tx: &mut Tx, endpoint: WebhookEndpointId) -> Result<()> {
    let sql = Sql::new(
        "UPDATE webhook_deliveries SET status = 'CANCELLED', due_at = NULL, ended_at = now(), \
         changed_at = now() WHERE due_at IS NOT NULL AND tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" AND webhook_endpoint_id = ")
    .bind(endpoint);
    tx.execute(sql).await?;
    Ok(())
}

/// Has what is still to be sent to an endpoint worked out anew, since somebody else answers for it now, who may see less;
/// tells after which event.
///
/// # Errors
/// The database.
pub(super) async fn begin_anew(tx: &mut Tx, endpoint: WebhookEndpointId) -> Result<Option<i64>> {
    let sql = Sql::new(
        "SELECT min(d.seq) - 1 FROM webhook_deliveries d WHERE d.due_at IS NOT NULL AND d.tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" AND d.webhook_endpoint_id = ")
    .bind(endpoint);
    let first: Vec<Option<i64>> = tx.column(sql).await?;
    cancel_pending(tx, endpoint).await?;
    Ok(first.into_iter().next().flatten())
}

async fn enabled(tx: &mut Tx, id: WebhookEndpointId) -> Result<WebhookEndpoint> {
    let found = list::find::<WebhookEndpoint>(tx, id.uuid()).await?;
    let endpoint = found.ok_or(Error::NotFound {
        kind: "webhook endpoint",
        field: "id",
    })?;
    require_enabled(&endpoint)?;
    Ok(endpoint)
}

/// Refuses an endpoint that is sent nothing.
pub(super) fn require_enabled(endpoint: &WebhookEndpoint) -> Result<()> {
    match endpoint.fields.enabled {
        true => Ok(()),
        false => Err(Error::invalid(
            "NOT_ENABLED",
            "id",
            "the endpoint is disabled, enable it first",
        )),
    }
}

async fn find(tx: &mut Tx, id: Uuid) -> Result<WebhookDelivery> {
    let found = list::find::<WebhookDelivery>(tx, id).await?;
    found.ok_or_else(not_found)
}

fn not_found() -> Error {
    Error::NotFound {
        kind: "webhook delivery",
        field: "id",
    }
}

fn note(tx: &mut Tx, endpoint: WebhookEndpointId, action: &'static str) {
    let entry = Entry::new(tx.author(), action).about("webhookEndpoint", endpoint.uuid());
    tx.note(entry);
}
