//! Webhooks: what happens in the tenant, sent to other servers as it happens, signed by Standard Webhooks.
//!
//! An endpoint is a subscription that somebody else's server has: its documents are subscriptions of the schema, filters
//! included, and what is sent is what the subscriber would be. It sees what whoever changed the endpoint last may see.
//! - [`deliveries`]: what was sent, how often, and what was answered; sending it again.
//! - [`sending`]: the consumer of the event log that works out what is to be sent, and sends it.
//!
//! Each event arrives at least once, under the same id however often it is sent; those of one record in their order.

mod default_document;
pub mod deliveries;
mod filter;
mod graphql;
mod loader;
mod model;
mod mutation;
mod render;
pub mod sending;
mod signing;
mod store;
mod subscriptions;

pub use default_document::is_usual_document;
pub use filter::{WebhookEndpointFilter, WebhookEndpointOrder};
pub use graphql::WebhookQuery;
pub use model::{DisabledReason, WebhookEndpoint, WebhookEndpointOrderField};
pub use mutation::WebhookMutation;
pub use render::{Page, RenderFailure, Rendered, Renderer, RendererHandle};
pub use sending::{WebhookParts, Webhooks};
pub use subscriptions::{WebhookSubscription, WebhookTopic};

use crate::{
    base::{
        error::{Error, Result},
        ids::{Typed as _, WebhookEndpointId},
    },
    db::{
        Tx,
        journal::{Entry, EventKind},
    },
    entity::{self, Quota, Stamps, changes_by_fields},
    events::{self, EventCursor},
    jobs::{When, consumers, enqueue_as_system},
    organization::api_keys,
    platform::{Vault, standard_webhooks::SigningKey},
};
use model::{API_VERSION, EndpointFields};
use signing::Sealed;

const QUOTA: Quota = Quota {
    column: "quota_webhook_endpoints",
    counted: "",
    what: "webhook endpoints",
};

/// An endpoint to be set up. Address and subscriptions were checked.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it; the schema describes each")]
pub struct NewEndpoint {
    pub name: String,
    pub url: String,
    pub subscriptions: Vec<WebhookSubscription>,
    pub skips_own: bool,
}

/// A change to an endpoint; what is none stays.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the names say it; the schema describes each")]
pub struct EndpointChange {
    pub name: Option<String>,
    pub url: Option<String>,
    pub subscriptions: Option<Vec<WebhookSubscription>>,
    pub skips_own: Option<bool>,
    pub enabled: Option<bool>,
}

/// Sets up an endpoint, which is sent what happens from now on. The secret is returned once.
///
/// # Errors
/// `BLANK`, `QUOTA_EXCEEDED`; `FORBIDDEN` without `integrations:write`.
pub async fn create(
    tx: &mut Tx,
    vault: &Vault,
    new: NewEndpoint,
) -> Result<(WebhookEndpoint, SigningKey)> {
    if !tx.actor().may("integrations:write") {
        return Err(Error::Forbidden("set up webhooks"));
    }
    let id = WebhookEndpointId::new();
    let key = SigningKey::generate();
    let mut endpoint = WebhookEndpoint {
        id,
        fields: EndpointFields {
            name: new.name,
            url: new.url,
            subscriptions: sqlx::types::Json(new.subscriptions),
            skips_own: new.skips_own,
            api_version: API_VERSION.to_owned(),
            runs_as: tx.author(),
            enabled: true,
            disabled_reason: None,
            disabled_at: None,
            hint: signing::hint(&key),
            previous_until: None,
        },
        visible_to: String::new(),
        stamps: Stamps::new(tx, None),
    };
    endpoint.fields.check()?;
    entity::require_room::<WebhookEndpoint>(tx, QUOTA).await?;
    let sealed = Sealed::new(vault, id, &key)?;
    let endpoint = store::insert(tx, &endpoint, sealed).await?;
    entity::emit_created(tx, &endpoint, &endpoint.fields);
    consumers::follow::<Webhooks>(tx, id.uuid()).await?;
    Ok((endpoint, key))
}

/// Changes an endpoint. One that is enabled again is sent what happens from then on.
///
/// # Errors
/// `BLANK`; `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`.
pub async fn update(
    tx: &mut Tx,
    endpoint: (WebhookEndpointId, Option<i32>),
    change: EndpointChange,
) -> Result<WebhookEndpoint> {
    let (now, author) = (tx.now(), tx.author());
    change_fields(tx, endpoint, EventKind::Updated, |fields| {
        let before = fields.clone();
        if let Some(name) = change.name {
            fields.name = name;
        }
        if let Some(url) = change.url {
            fields.url = url;
        }
        if let Some(subscriptions) = change.subscriptions {
            fields.subscriptions = sqlx::types::Json(subscriptions);
        }
        if let Some(skips_own) = change.skips_own {
            fields.skips_own = skips_own;
        }
        match change.enabled {
            Some(true) => fields.enable(),
            Some(false) => fields.disable(DisabledReason::ByHand, now),
            None => {}
        }
        fields.check()?;
        if *fields != before {
            fields.runs_as = author;
        }
        Ok(())
    })
    .await
}

/// Disables an endpoint that can't be sent anything, by the server itself.
///
/// # Errors
/// The database.
pub(crate) async fn disable(
    tx: &mut Tx,
    id: WebhookEndpointId,
    reason: DisabledReason,
) -> Result<WebhookEndpoint> {
    let now = tx.now();
    change_fields(tx, (id, None), EventKind::Suspended, |fields| {
        fields.disable(reason, now);
        Ok(())
    })
    .await
}

/// Gives an endpoint a new secret. The old one signs too for so many hours, so that the receiver can take the new one
/// without losing anything.
///
/// # Errors
/// `OUT_OF_RANGE` on `overlapHours`; `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`.
pub async fn rotate(
    tx: &mut Tx,
    vault: &Vault,
    (id, expected_version): (WebhookEndpointId, Option<i32>),
    overlap_hours: i32,
) -> Result<(WebhookEndpoint, SigningKey)> {
    let overlap = api_keys::overlap(overlap_hours)?;
    let key = SigningKey::generate();
    let sealed = Sealed::new(vault, id, &key)?;
    let (until, author) = (tx.now() + overlap, tx.author());
    let act = async |tx: &mut Tx, endpoint: &mut WebhookEndpoint| {
        endpoint.fields.hint = signing::hint(&key);
        endpoint.fields.previous_until = Some(until);
        endpoint.fields.runs_as = author;
        store::rotate(tx, id, sealed, until).await
    };
    let version = (id, expected_version);
    let endpoint = entity::change::<WebhookEndpoint>(tx, version, EventKind::Rotated, act).await?;
    Ok((endpoint, key))
}

/// Deletes an endpoint with all that was to be sent to it, and the log of what was.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`.
pub async fn delete(
    tx: &mut Tx,
    id: WebhookEndpointId,
    expected_version: Option<i32>,
) -> Result<()> {
    entity::delete::<WebhookEndpoint>(tx, id.uuid(), expected_version).await?;
    consumers::leave::<Webhooks>(tx, id.uuid()).await
}

/// Has an endpoint follow the event log again from after a cursor on. What it was sent is not sent again by this; what it
/// was not, because it was disabled or has other subscriptions now, is.
///
/// # Errors
/// `RESYNC` on `after` for a cursor that there is no going on from; `NOT_ENABLED`; `NOT_FOUND`, `CONFLICT`,
/// `FORBIDDEN`.
pub async fn replay(
    tx: &mut Tx,
    (id, expected_version): (WebhookEndpointId, Option<i32>),
    after: &EventCursor,
) -> Result<WebhookEndpoint> {
    let endpoint: WebhookEndpoint = entity::lock(tx, id.uuid(), expected_version).await?;
    deliveries::require_enabled(&endpoint)?;
    let here = events::here(tx).await?;
    if after.epoch != here.epoch || after.seq > here.seq {
        let message = "there is no going on from this cursor: it is of another history";
        return Err(Error::invalid("RESYNC", "after", message));
    }
    consumers::rewind::<Webhooks>(tx, id.uuid(), after.seq).await?;
    look_now(tx, id).await?;
    let entry = Entry::new(tx.author(), "webhookEndpoint.replayed");
    tx.note(entry.about("webhookEndpoint", id.uuid()));
    Ok(endpoint)
}

/// Has an endpoint's job look now, whatever the event log says.
async fn look_now(tx: &mut Tx, id: WebhookEndpointId) -> Result<()> {
    let job = consumers::Follow::<Webhooks>::now(id.uuid());
    enqueue_as_system(tx, &job, When::Now).await?;
    Ok(())
}

async fn change_fields(
    tx: &mut Tx,
    endpoint: (WebhookEndpointId, Option<i32>),
    kind: EventKind,
    change: impl FnOnce(&mut EndpointFields) -> Result<()>,
) -> Result<WebhookEndpoint> {
    let act = async |_: &mut Tx, endpoint: &mut WebhookEndpoint| change(&mut endpoint.fields);
    entity::change::<WebhookEndpoint>(tx, endpoint, kind, act).await
}

changes_by_fields! {
    WebhookEndpoint {
        async fn write(&self, tx: &mut Tx) -> Result<Self> {
            store::update(tx, self).await
        }

        async fn after_change(&mut self, tx: &mut Tx, before: &Self) -> Result<()> {
            match (before.fields.enabled, self.fields.enabled) {
                (true, false) => {
                    consumers::leave::<Webhooks>(tx, self.id.uuid()).await?;
                    deliveries::cancel_pending(tx, self.id).await
                }
                (false, true) => {
                    store::begin_anew(tx, self.id).await?;
                    consumers::follow::<Webhooks>(tx, self.id.uuid()).await
                }
                (true, true) if before.fields.runs_as != self.fields.runs_as => {
                    let instance = self.id.uuid();
                    match deliveries::begin_anew(tx, self.id).await? {
                        Some(after) => consumers::rewind::<Webhooks>(tx, instance, after).await,
                        None => Ok(()),
                    }
                }
                _ => Ok(()),
            }
        }
    }
}
