//! What is done about endpoints: they are made, changed, and given another secret.

use super::{
    address::EndpointAddress,
    model::{
        self, InboundEndpoint, InboundEndpointFields, InboundHandlerKind, InboundVerification,
        SignatureEncoding,
    },
    secret::{EndpointSecret, Place},
    store,
};
use crate::{
    base::{
        error::{Error, Result},
        ids::{InboundEndpointId, IntegrationId, LeadFormId},
    },
    db::{Tx, journal::EventKind},
    entity::{self, Stamps},
    platform::Vault,
};

/// How many endpoints a tenant may have.
const MOST: i64 = 100;

/// An endpoint that is to be made.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it; the schema describes each")]
pub struct NewEndpoint {
    pub name: String,
    pub verification: InboundVerification,
    pub handler: InboundHandlerKind,
    pub lead_form_id: Option<LeadFormId>,
    pub integration_id: Option<IntegrationId>,
    pub signature_header: Option<String>,
    pub signature_encoding: Option<SignatureEncoding>,
    pub message_id_header: Option<String>,
    pub username: Option<String>,
    pub origin: Option<String>,
    /// The sender's secret; a new one without.
    pub secret: Option<String>,
}

/// Makes an endpoint. Its secret, and its path where that is one, are returned once.
///
/// # Errors
/// What [`InboundEndpointFields::check`] refuses, `INVALID_SECRET`, `QUOTA_EXCEEDED`; `NOT_FOUND` for a form or an integration; `FORBIDDEN` without
/// `integrations:write`.
pub async fn create(
    tx: &mut Tx,
    vault: &Vault,
    new: NewEndpoint,
) -> Result<(InboundEndpoint, EndpointSecret, EndpointAddress)> {
    if !tx.actor().may("integrations:write") {
        return Err(Error::Forbidden("make endpoints"));
    }
    let mut fields = InboundEndpointFields {
        name: new.name,
        verification: new.verification,
        handler: new.handler,
        lead_form_id: new.lead_form_id,
        integration_id: new.integration_id,
        signature_header: new.signature_header,
        signature_encoding: new.signature_encoding,
        message_id_header: new.message_id_header,
        username: new.username,
        origin: new.origin,
        enabled: true,
        disabled_reason: None,
        rotated_at: None,
        former_ends_at: None,
    };
    store::require_goal(tx, &fields).await?;
    fields.check()?;
    let secret = EndpointSecret::new(fields.verification, new.secret)?;
    entity::require_fewer::<InboundEndpoint>(tx, MOST, "endpoints for webhooks").await?;
    let (tenant, id) = (tx.tenant(), InboundEndpointId::new());
    let address = match fields.verification {
        InboundVerification::Basic => EndpointAddress::secret(tenant, id),
        _ => EndpointAddress::open(tenant, id),
    };
    let endpoint = InboundEndpoint {
        id,
        path_hash: address.hash(),
        secret: secret.seal(vault, Place(tenant, id))?,
        former_secret: None,
        fields,
        visible_to: String::new(),
        stamps: Stamps::new(tx, None),
    };
    let endpoint = entity::insert(tx, &[endpoint]).await?.remove(0);
    entity::emit_created(tx, &endpoint, &endpoint.fields);
    Ok((endpoint, secret, address))
}

/// Changes an endpoint.
///
/// # Errors
/// As [`create`]; `NOT_FOUND`, `CONFLICT`.
pub async fn update(
    tx: &mut Tx,
    endpoint: (InboundEndpointId, Option<i32>),
    change: impl FnOnce(&mut InboundEndpointFields),
) -> Result<InboundEndpoint> {
    entity::change::<InboundEndpoint>(tx, endpoint, EventKind::Updated, async |tx, endpoint| {
        change(&mut endpoint.fields);
        store::require_goal(tx, &endpoint.fields).await?;
        endpoint.fields.check()
    })
    .await
}

/// Gives an endpoint another secret. The one before is taken for so many hours more.
///
/// # Errors
/// `OUT_OF_RANGE`, `INVALID_SECRET`, `BLANK`; `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`.
pub async fn rotate(
    tx: &mut Tx,
    vault: &Vault,
    (id, expected_version): (InboundEndpointId, Option<i32>),
    (given, overlap_hours): (Option<String>, i32),
) -> Result<(InboundEndpoint, EndpointSecret)> {
    let overlap = model::overlap(overlap_hours)?;
    let place = Place(tx.tenant(), id);
    let mut made = None;
    let key = (id, expected_version);
    let endpoint =
        entity::change::<InboundEndpoint>(tx, key, EventKind::Rotated, async |tx, endpoint| {
            let secret = EndpointSecret::new(endpoint.fields.verification, given)?;
            let sealed = secret.seal(vault, place)?;
            let former = std::mem::replace(&mut endpoint.secret, sealed);
            endpoint.former_secret = (!overlap.is_zero()).then_some(former);
            endpoint.fields.former_ends_at = (!overlap.is_zero()).then(|| tx.now() + overlap);
            endpoint.fields.rotated_at = Some(tx.now());
            made = Some(secret);
            Ok(())
        })
        .await?;
    let secret = made.ok_or_else(|| Error::internal("an endpoint was rotated without a secret"))?;
    Ok((endpoint, secret))
}
