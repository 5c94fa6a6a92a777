//! What endpoints load beside themselves.

use std::collections::HashMap;

use uuid::Uuid;

use super::{graphql::WebhookHealth, store};
use crate::{base::error::Result, db::ReadTx, graphql::Batch};

/// How an endpoint answers.
pub(super) struct Healths;

impl Batch for Healths {
    type Value = Option<WebhookHealth>;

    async fn load(tx: &mut ReadTx, keys: &[Uuid]) -> Result<HashMap<Uuid, Self::Value>> {
        let healths = store::healths(tx, keys).await?.into_iter();
        Ok(healths
            .map(|health| (health.webhook_endpoint_id, Some(health)))
            .collect())
    }
}
