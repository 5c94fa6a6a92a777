//! What is sent: around the answer of a subscription, as Standard Webhooks recommends it.

use serde_json::json;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{
    base::ids::{TenantId, Typed as _, WebhookEndpointId},
    events::{Change, EventCursor},
    organization::webhooks::Rendered,
};

/// The largest body, in bytes.
const MOST_BYTES: usize = 64 << 10;

/// What happened, in the word of `type`.
pub(super) fn word(change: Change) -> String {
    match async_graphql::resolver_utils::enum_value(change) {
        async_graphql::Value::Enum(name) => name.to_lowercase(),
        // An enum's values are names.
        other => other.to_string(),
    }
}

/// The body of a delivery. Where the answer is too large only the record's id is sent, and that it was.
pub(super) fn of(tenant: TenantId, api_version: &str, rendered: &Rendered) -> String {
    let body = |data, errors| {
        let mut body = json!({
            "type": format!("{}.{}", rendered.entity, word(rendered.change)),
            "timestamp": rendered.occurred_at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            "apiVersion": api_version,
            "tenantId": tenant.to_string(),
            "cursor": rendered.cursor.to_string(),
            "data": data,
        });
        if let Some(errors) = errors {
            body["errors"] = errors;
        }
        body.to_string()
    };
    let whole = body(rendered.data.clone(), rendered.errors.clone());
    if whole.len() <= MOST_BYTES {
        return whole;
    }
    let id = format!("{}:{}", rendered.entity, rendered.id.hyphenated());
    let error = json!([{
        "message": "what there is to say is larger than a webhook may be: select less, or read the record",
        "extensions": { "code": "TOO_LARGE" },
    }]);
    body(json!({ "recordId": id }), Some(error))
}

/// The id of the delivery of an event to an endpoint: the same whoever works it out, and however often.
pub(super) fn id(endpoint: WebhookEndpointId, cursor: &EventCursor) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(endpoint.uuid().as_bytes());
    hash.update(cursor.to_string());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
