//! What happens to activities, as it happens.

use std::sync::Arc;

use async_graphql::{Context, Object, Subscription};

use super::{Activity, ActivityFilter};
use crate::{
    base::error::Result,
    events::EventCursor,
    graphql::live::{self, Told, Turns},
};

/// Something that happened to an activity.
pub struct ActivityEvent(Told);

impl From<Told> for ActivityEvent {
    fn from(told: Told) -> Self {
        Self(told)
    }
}

/// Something that happened to an activity.
#[Object]
impl ActivityEvent {
    #[graphql(flatten)]
    async fn told(&self) -> &Told {
        &self.0
    }

    /// The activity as it is now; null when it is gone or not in your sight, and when `kind` is `SYNCED`.
    async fn activity(&self, ctx: &Context<'_>) -> Result<Option<Arc<Activity>>> {
        self.0.record(ctx).await
    }
}

/// Watching activities.
#[derive(Default)]
pub struct ActivitySubscription;

#[Subscription]
impl ActivitySubscription {
    /// What happens to the activities that you see and that meet the filter, from now on or from after a cursor.
    async fn activity_events(
        &self,
        ctx: &Context<'_>,
        filter: Option<ActivityFilter>,
        after: Option<EventCursor>,
    ) -> Result<Turns<ActivityEvent>> {
        live::changes::<Activity, _>(ctx, filter, after)
    }
}
