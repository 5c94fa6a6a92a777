//! What deliveries load beside themselves.

use std::collections::HashMap;

use uuid::Uuid;

use super::{model::Attempt, store};
use crate::{base::error::Result, db::ReadTx, graphql::Batch};

/// The last attempts at a delivery.
pub(super) struct Attempts;

impl Batch for Attempts {
    type Value = Vec<Attempt>;

    async fn load(tx: &mut ReadTx, keys: &[Uuid]) -> Result<HashMap<Uuid, Self::Value>> {
        store::attempts(tx, keys).await
    }
}
