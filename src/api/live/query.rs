//! Where a snapshot stands in the stream of events.

use async_graphql::{Context, Object};

use crate::{
    base::error::Result,
    events::{self, EventCursor},
    graphql::ContextExt as _,
};

/// Reading where the stream of events is.
#[derive(Default)]
pub struct LiveQuery;

#[Object]
impl LiveQuery {
    /// The place in the stream of events that everything else in this answer was read at. Give it as `after` to a
    /// subscription, and you are told of all that happened since, once and in order.
    async fn event_cursor(&self, ctx: &Context<'_>) -> Result<EventCursor> {
        ctx.request().read(async |tx| events::here(tx).await).await
    }
}
