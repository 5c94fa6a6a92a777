//! What happens to deals, as it happens: one by one, on a board, and in sums.

use std::sync::Arc;

use async_graphql::{Context, Subscription};
use serde_json::Value as Json;

use super::{
    Opportunity, OpportunityFilter,
    stats::{self, PipelineStats},
};
use crate::{
    base::{
        error::Result,
        ids::{PipelineId, StageId, Typed as _},
    },
    crm::{pipelines::Stage, subscription::event},
    events::EventCursor,
    graphql::{
        ContextExt as _,
        subscription::{self, ResolverStream},
    },
};

event! {
    /// Something that happened to a deal.
    OpportunityEvent {
        /// The deal as it is now; null when it is gone or not in your sight, and when `kind` is `SYNCED`.
        async fn opportunity(&self, ctx: &Context<'_>) -> Result<Option<Arc<Opportunity>>> {
            self.0.record(ctx).await
        }
    }
}

event! {
    /// Something that happened to a card of a board. A card that comes from another pipeline has `ENTERED_VIEW`, one that
    /// goes there `LEFT_VIEW`.
    BoardEvent {
        /// The deal as it is now; null when it is gone or not in your sight, and when `kind` is `SYNCED`.
        async fn opportunity(&self, ctx: &Context<'_>) -> Result<Option<Arc<Opportunity>>> {
            self.0.record(ctx).await
        }

        /// The column it was in; null when it was on no board of yours.
        #[graphql(name = "fromStage")]
        async fn left_stage(&self, ctx: &Context<'_>) -> Result<Option<Arc<Stage>>> {
            stage(ctx, self.0.column("stage_id").0).await
        }

        /// The column it is in after this; null when it is on no board of yours any more.
        async fn to_stage(&self, ctx: &Context<'_>) -> Result<Option<Arc<Stage>>> {
            stage(ctx, self.0.column("stage_id").1).await
        }

        /// Its place in the column after this, as text that sorts.
        async fn board_position(&self) -> Option<&str> {
            self.0.column("board_position").1?.as_str()
        }
    }
}

async fn stage(ctx: &Context<'_>, column: Option<&Json>) -> Result<Option<Arc<Stage>>> {
    let id = column.and_then(Json::as_str).and_then(|id| id.parse().ok());
    ctx.request().load(id.map(StageId::uuid)).await
}

/// Watching deals.
#[derive(Default)]
pub struct OpportunitySubscription;

#[Subscription]
impl OpportunitySubscription {
    /// What happens to the deals that you see and that meet the filter, from now on or from after a cursor.
    async fn opportunity_events(
        &self,
        ctx: &Context<'_>,
        filter: Option<OpportunityFilter>,
        after: Option<EventCursor>,
    ) -> Result<ResolverStream<OpportunityEvent>> {
        subscription::changes::<Opportunity, _>(ctx, filter, after)
    }

    /// What happens to the cards of a pipeline's board, those that you see and that meet the filter, from now on or from
    /// after a cursor.
    async fn board_events(
        &self,
        ctx: &Context<'_>,
        pipeline_id: PipelineId,
        filter: Option<OpportunityFilter>,
        after: Option<EventCursor>,
    ) -> Result<ResolverStream<BoardEvent>> {
        let filter = OpportunityFilter::within(pipeline_id, filter);
        subscription::changes::<Opportunity, _>(ctx, Some(filter), after)
    }

    /// The sums of a pipeline's deals that you see: now, and anew whenever they change.
    async fn pipeline_stats(
        &self,
        ctx: &Context<'_>,
        pipeline_id: PipelineId,
    ) -> Result<ResolverStream<PipelineStats>> {
        let filter = OpportunityFilter::within(pipeline_id, None);
        let watched = || subscription::watch::<Opportunity>(ctx, Some(filter));
        let stats = async || {
            ctx.request()
                .read(async |tx| stats::of_pipeline(tx, pipeline_id).await)
                .await
        };
        subscription::value(ctx, watched, stats).await
    }
}
