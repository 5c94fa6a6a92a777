//! Messages of services that say that something has changed: hints, after which it is looked.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{SyncMode, SyncRequest, SyncTrigger};
use crate::{
    base::{error::Result, ids::Typed as _},
    db::{Tx, list},
    integrations::{
        accounts::{Integration, IntegrationStatus},
        provider::Providers,
    },
    organization::inbound::{Handled, InboundHandler, Incoming},
};

/// Has records be brought in step that a message names.
pub struct InboundSync(Providers);

impl InboundSync {
    /// Of these services.
    #[must_use]
    pub fn new(providers: Providers) -> Self {
        Self(providers)
    }

    async fn take(&self, tx: &mut Tx, message: &Incoming) -> Result<Handled> {
        let found: Option<Integration> = match message.integration {
            Some(id) => list::find(tx, id.uuid()).await?,
            None => None,
        };
        let active = |found: &Integration| found.fields.status == IntegrationStatus::Active;
        let Some(integration) = found.filter(active) else {
            return Ok(Handled::Ignored);
        };
        let provider: Option<&Arc<_>> = self.0.get(&integration.fields.provider);
        let kinds = provider.map(|provider| provider.touched(message));
        let kinds = kinds.unwrap_or_default();
        if kinds.is_empty() {
            return Ok(Handled::Ignored);
        }
        let request = SyncRequest {
            mode: Some(SyncMode::Incremental),
            trigger: SyncTrigger::Webhook,
            may_remove: false,
        };
        super::request(tx, &integration, kinds, request).await?;
        Ok(Handled::Processed)
    }
}

impl InboundHandler for InboundSync {
    fn handle<'a>(
        &'a self,
        tx: &'a mut Tx,
        message: &'a Incoming,
    ) -> BoxFuture<'a, Result<Handled>> {
        Box::pin(self.take(tx, message))
    }
}
