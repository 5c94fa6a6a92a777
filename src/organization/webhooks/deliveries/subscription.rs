//! Watching what is sent.

use std::sync::Arc;

use async_graphql::{Context, Subscription};

use super::{WebhookDelivery, WebhookDeliveryFilter};
use crate::{
    base::error::Result,
    graphql::subscription::{self, ResolverStream},
};

/// Watching deliveries.
#[derive(Default)]
pub struct WebhookDeliverySubscription;

#[Subscription]
impl WebhookDeliverySubscription {
    /// What changes in the log of deliveries, once a second at the most: those that meet the filter and came about, were
    /// sent or ended since the message before, each as it is now, up to `first` of them (1 to 100), and the others with
    /// the next message. The first message is empty: all that changes from now on will be told. An empty one comes every
    /// 30 seconds at least while there is nothing to tell. For who holds `integrations:write`.
    async fn webhook_delivery_changes(
        &self,
        ctx: &Context<'_>,
        filter: Option<WebhookDeliveryFilter>,
        #[graphql(default = 100)] first: i32,
    ) -> Result<ResolverStream<Vec<Arc<WebhookDelivery>>>> {
        subscription::row_changes::<WebhookDelivery>(ctx, filter, first).await
    }
}
