//! What happens to leads, as it happens.

use std::sync::Arc;

use async_graphql::{Context, Object, Subscription};

use super::{Lead, LeadFilter};
use crate::{
    base::error::Result,
    events::EventCursor,
    graphql::live::{self, Told, Turns},
};

/// Something that happened to a lead.
pub struct LeadEvent(Told);

impl From<Told> for LeadEvent {
    fn from(told: Told) -> Self {
        Self(told)
    }
}

/// Something that happened to a lead.
#[Object]
impl LeadEvent {
    #[graphql(flatten)]
    async fn told(&self) -> &Told {
        &self.0
    }

    /// The lead as it is now; null when it is gone or not in your sight, and when `kind` is `SYNCED`.
    async fn lead(&self, ctx: &Context<'_>) -> Result<Option<Arc<Lead>>> {
        self.0.record(ctx).await
    }
}

/// Watching leads.
#[derive(Default)]
pub struct LeadSubscription;

#[Subscription]
impl LeadSubscription {
    /// What happens to the leads that you see and that meet the filter, from now on or from after a cursor.
    async fn lead_events(
        &self,
        ctx: &Context<'_>,
        filter: Option<LeadFilter>,
        after: Option<EventCursor>,
    ) -> Result<Turns<LeadEvent>> {
        live::changes::<Lead, _>(ctx, filter, after)
    }
}
