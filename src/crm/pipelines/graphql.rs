//! Pipelines and stages in the schema: what can be read.

use std::sync::Arc;

use async_graphql::{Context, Object};
use chrono::{DateTime, Utc};
use dealgraph_derive::connection_args;

use super::{
    Pipeline, PipelineFields, Stage, StageFields, StageOrderField,
    filter::{PipelineFilter, PipelineOrder, USUAL_ORDER},
    projection::{SHAPE, STAGE_SHAPE},
};
use crate::{
    base::{
        error::Result,
        ids::{PipelineId, StageId, TenantId, Typed as _},
    },
    crm::opportunities::{self, Opportunity, OpportunityFilter, OpportunityOrder},
    db::{
        Direction, OrderTerm, Predicate,
        list::{ListQuery, MAX_PAGE, Relation},
    },
    entity::Stamps,
    graphql::{
        Connection, ContextExt as _, Ends, ListArgs, Listing, page_request,
        projection::{self, Found},
    },
};

pub(super) static STAGES: Relation = Relation {
    name: "pipeline.stages",
    link: None,
    key: "t.pipeline_id",
};

/// A pipeline's stages in their order; all of them unless a part is asked for, since there are never more than a page.
///
/// # Errors
/// As [`page_request`].
pub(super) fn stages_in_order(tenant: TenantId, (front, back): Ends) -> Result<ListQuery<Stage>> {
    let order = vec![OrderTerm {
        field: StageOrderField::Position,
        direction: Direction::Asc,
    }];
    let (first, after) = front;
    let all = back.0.is_none().then_some(MAX_PAGE as i32);
    let page = page_request((first.or(all), after), back, tenant, &order)?;
    Ok(ListQuery {
        filter: Predicate::All(Vec::new()),
        order,
        page,
        include_archived: true,
    })
}

/// A way that deals go, stage by stage.
#[connection_args]
#[Object]
impl Pipeline {
    /// The id, as `pipeline:<uuid>`.
    pub async fn id(&self) -> PipelineId {
        self.id
    }

    #[graphql(flatten)]
    async fn fields(&self) -> &PipelineFields {
        &self.fields
    }

    /// Its stages in their order: all of them, unless you ask for a part.
    async fn stages(&self, ctx: &Context<'_>, ends: Ends) -> Result<Connection<Stage>> {
        let query = stages_in_order(ctx.request().actor().tenant, ends)?;
        Listing::below(ctx, &STAGES, self.id.uuid(), query).await
    }

    /// The deals in it.
    async fn opportunities(
        &self,
        ctx: &Context<'_>,
        args: ListArgs<OpportunityFilter, OpportunityOrder>,
    ) -> Result<Connection<Opportunity>> {
        opportunities::below(ctx, &opportunities::OF_PIPELINE, self.id.uuid(), args).await
    }

    /// When it was archived; lists leave archived pipelines out.
    async fn archived_at(&self) -> Option<DateTime<Utc>> {
        self.stamps.archived_at
    }

    #[graphql(flatten)]
    async fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    /// When it or one of its stages last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.stamps.updated_at
    }
}

/// A stage of a pipeline.
#[connection_args]
#[Object]
impl Stage {
    /// The id, as `stage:<uuid>`.
    pub async fn id(&self) -> StageId {
        self.id
    }

    #[graphql(flatten)]
    async fn fields(&self) -> &StageFields {
        &self.fields
    }

    /// The pipeline it is part of.
    async fn pipeline(&self, ctx: &Context<'_>) -> Result<Option<Arc<Pipeline>>> {
        ctx.request().load(Some(self.pipeline_id.uuid())).await
    }

    /// The deals that stand in it; in board order with `orderBy: [{ field: BOARD_POSITION }]`.
    async fn opportunities(
        &self,
        ctx: &Context<'_>,
        args: ListArgs<OpportunityFilter, OpportunityOrder>,
    ) -> Result<Connection<Opportunity>> {
        opportunities::below(ctx, &opportunities::OF_STAGE, self.id.uuid(), args).await
    }
}

/// Reading pipelines.
#[derive(Default)]
pub struct PipelineQuery;

#[connection_args]
#[Object]
impl PipelineQuery {
    /// A pipeline by its id; null when there is none.
    async fn pipeline(&self, ctx: &Context<'_>, id: PipelineId) -> Result<Option<Found<Pipeline>>> {
        projection::find(ctx, &SHAPE, id.uuid()).await
    }

    /// A stage by its id; null when there is none.
    async fn stage(&self, ctx: &Context<'_>, id: StageId) -> Result<Option<Found<Stage>>> {
        projection::find(ctx, &STAGE_SHAPE, id.uuid()).await
    }

    /// Pipelines in the tenant's own order unless ordered otherwise.
    async fn pipelines(
        &self,
        ctx: &Context<'_>,
        args: ListArgs<PipelineFilter, PipelineOrder>,
    ) -> Result<Connection<Pipeline>> {
        let query = args.query(ctx.request().actor().tenant, USUAL_ORDER)?;
        projection::list(ctx, &SHAPE, query).await
    }
}
