//! What happens to companies, as it happens.

use std::sync::Arc;

use async_graphql::{Context, Object, Subscription};

use super::{Company, CompanyFilter};
use crate::{
    base::error::Result,
    events::EventCursor,
    graphql::live::{self, Told, Turns},
};

/// Something that happened to a company.
pub struct CompanyEvent(Told);

impl From<Told> for CompanyEvent {
    fn from(told: Told) -> Self {
        Self(told)
    }
}

/// Something that happened to a company.
#[Object]
impl CompanyEvent {
    #[graphql(flatten)]
    async fn told(&self) -> &Told {
        &self.0
    }

    /// The company as it is now; null when it is gone or not in your sight, and when `kind` is `SYNCED`.
    async fn company(&self, ctx: &Context<'_>) -> Result<Option<Arc<Company>>> {
        self.0.record(ctx).await
    }
}

/// Watching companies.
#[derive(Default)]
pub struct CompanySubscription;

#[Subscription]
impl CompanySubscription {
    /// What happens to the companies that you see and that meet the filter, from now on or from after a cursor.
    async fn company_events(
        &self,
        ctx: &Context<'_>,
        filter: Option<CompanyFilter>,
        after: Option<EventCursor>,
    ) -> Result<Turns<CompanyEvent>> {
        live::changes::<Company, _>(ctx, filter, after)
    }
}
