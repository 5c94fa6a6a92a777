//! A server elsewhere, on this one: the demo's webhooks arrive here, are verified as any receiver does it, and can be looked
//! at.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::get,
};
use chrono::SecondsFormat;
use serde_json::{Value, json};

use crate::{
    access::Actor,
    base::{clock::Clock, error::Result, ids::WebhookEndpointId},
    db::{Db, Sql, journal::Origin},
    organization::webhooks::{
        self, EndpointChange, NewEndpoint, WebhookSubscription, WebhookTopic,
    },
    platform::{
        Vault,
        standard_webhooks::{SigningKey, verify},
    },
};

/// Where they arrive, and can be looked at.
pub(super) const PATH: &str = "/demo/hook";
/// The endpoint's name.
const NAME: &str = "This server's own receiver";
/// How many are kept.
const KEPT: usize = 50;

/// What has arrived.
pub(super) struct Receiver {
    key: SigningKey,
    arrived: Mutex<VecDeque<Value>>,
}

impl Receiver {
    /// Has a tenant's deals and leads sent here, with a new secret at each start.
    ///
    /// # Errors
    /// The database.
    pub(super) async fn set_up(
        db: &Db,
        vault: &Vault,
        actor: &Arc<Actor>,
        address: SocketAddr,
    ) -> Result<Arc<Self>> {
        let origin = Origin::process("demo-webhook");
        let url = format!("http://{address}{PATH}");
        let key = db.write(actor, &origin, async |tx| {
            let sql = Sql::new(
                "SELECT e.webhook_endpoint_id FROM webhook_endpoints e WHERE e.tenant_id = ",
            )
            .bind(tx.tenant())
            .push(" AND e.name = ")
            .bind(NAME.to_owned());
            let known: Vec<WebhookEndpointId> = tx.column(sql).await?;
            let Some(id) = known.first().copied() else {
                let new = NewEndpoint {
                    name: NAME.to_owned(),
                    url: url.clone(),
                    subscriptions: [WebhookTopic::Opportunity, WebhookTopic::Lead]
                        .map(WebhookSubscription::usual)
                        .to_vec(),
                    skips_own: false,
                };
                return Ok(webhooks::create(tx, vault, new).await?.1);
            };
            let change = EndpointChange {
                url: Some(url.clone()),
                enabled: Some(true),
                ..EndpointChange::default()
            };
            webhooks::update(tx, (id, None), change).await?;
            Ok(webhooks::rotate(tx, vault, (id, None), 0).await?.1)
        });
        Ok(Arc::new(Self {
            key: key.await?,
            arrived: Mutex::default(),
        }))
    }
}

/// Where they arrive, and can be looked at.
pub(super) fn router(receiver: Arc<Receiver>) -> Router {
    Router::new()
        .route(PATH, get(show).post(receive))
        .with_state(receiver)
}

async fn receive(
    State(receiver): State<Arc<Receiver>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let text = |name| headers.get(name)?.to_str().ok();
    let header = |name| text(name).unwrap_or_default();
    let [id, timestamp, signature] =
        ["webhook-id", "webhook-timestamp", "webhook-signature"].map(header);
    let keys = std::slice::from_ref(&receiver.key);
    if verify(keys, id, timestamp, signature, &body, Clock::system().now()).is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    let arrived = json!({
        "webhook-id": id,
        "arrivedAt": Clock::system().now().to_rfc3339_opts(SecondsFormat::Millis, true),
        "body": serde_json::from_slice::<Value>(&body).unwrap_or_default(),
    });
    let mut all = receiver
        .arrived
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    all.push_front(arrived);
    all.truncate(KEPT);
    StatusCode::NO_CONTENT
}

async fn show(State(receiver): State<Arc<Receiver>>) -> Json<Value> {
    let all = receiver
        .arrived
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    Json(json!(*all))
}
