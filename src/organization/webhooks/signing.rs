//! The secrets of endpoints: sealed in the database, two of them while one takes the other's place.

use chrono::TimeDelta;

use super::store;
use crate::{
    base::{
        error::{Error, Result},
        ids::{Typed as _, WebhookEndpointId},
    },
    db::Tx,
    platform::{Vault, standard_webhooks::SigningKey},
};

/// The longest that the secret before the last signs too, in hours.
const MAX_OVERLAP_HOURS: i32 = 168;
/// Characters of a secret that are shown.
const SHOWN: usize = 4;

/// A secret as the database has it.
pub(super) struct Sealed(pub(super) Vec<u8>);

impl Sealed {
    pub(super) fn new(vault: &Vault, id: WebhookEndpointId, key: &SigningKey) -> Result<Self> {
        vault.seal(&place(id), key.bytes()).map(Self)
    }

    pub(super) fn open(&self, vault: &Vault, id: WebhookEndpointId) -> Result<SigningKey> {
        let bytes = vault.open(&place(id), &self.0)?;
        SigningKey::from_bytes(bytes).ok_or_else(|| Error::internal("a sealed secret is no key"))
    }
}

/// The secrets that sign what is sent to an endpoint now.
pub(super) async fn keys(
    tx: &mut Tx,
    vault: &Vault,
    id: WebhookEndpointId,
) -> Result<Vec<SigningKey>> {
    let sealed = store::secrets(tx, id).await?;
    sealed.iter().map(|sealed| sealed.open(vault, id)).collect()
}

fn place(id: WebhookEndpointId) -> String {
    format!("webhookEndpoint:{}", id.uuid())
}

/// The end of a secret, to tell secrets apart by.
pub(super) fn hint(key: &SigningKey) -> String {
    let text = key.to_text();
    let end = text.trim_end_matches('=');
    format!("…{}", &end[end.len().saturating_sub(SHOWN)..])
}

/// For how long the secret before the last signs too.
///
/// # Errors
/// `OUT_OF_RANGE` on `overlapHours`.
pub(super) fn overlap(hours: i32) -> Result<TimeDelta> {
    match (0..=MAX_OVERLAP_HOURS).contains(&hours) {
        true => Ok(TimeDelta::hours(hours.into())),
        false => Err(Error::invalid(
            "OUT_OF_RANGE",
            "overlapHours",
            format!("expected 0 to {MAX_OVERLAP_HOURS} hours"),
        )),
    }
}
