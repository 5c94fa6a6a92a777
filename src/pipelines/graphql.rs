//! Pipelines and stages in the schema.

use std::sync::Arc;

use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::{
    NewPipeline, NewStage, Pipeline, PipelineOrderField, Stage, StageKind, StageOrderField,
    model::PipelineFields,
    projection::{SHAPE, STAGE_SHAPE},
};
use crate::{
    db::{
        Direction, OrderTerm, Predicate,
        list::{ListQuery, MAX_PAGE, PageRequest, Relation},
    },
    error::Result,
    graphql::{
        Connection, ContextExt as _, DeletePayload, Filter, ListArgs, Listing, UserError, answer,
        filters::{Conditions, IdFilter, TextFilter},
        patch::{patch, patch_required},
        projection::{self, Found},
    },
    ids::{PipelineId, StageId, Typed as _},
    members::ChangeAuthor,
    opportunities::{self, Opportunity, OpportunityFilter, OpportunityOrder},
    records,
    text::verbatim,
};

pub(super) static STAGES: Relation = Relation {
    name: "pipeline.stages",
    link: None,
    key: "t.pipeline_id",
};

/// All stages of a pipeline in their order; there are never more than a page.
pub(super) fn stages_in_order() -> ListQuery<Stage> {
    ListQuery {
        filter: Predicate::All(Vec::new()),
        order: vec![OrderTerm {
            field: StageOrderField::Position,
            direction: Direction::Asc,
        }],
        page: PageRequest {
            size: MAX_PAGE,
            from: None,
            backward: false,
        },
        include_archived: true,
    }
}

/// A way that deals go, stage by stage.
#[Object]
impl Pipeline {
    /// The id, as `pipeline:<uuid>`.
    pub async fn id(&self) -> PipelineId {
        self.id
    }

    /// What it is called.
    async fn name(&self) -> &str {
        &self.fields.name
    }

    /// Its place among the tenant's pipelines.
    async fn position(&self) -> i32 {
        self.fields.position
    }

    /// Whether new deals enter it unless they say otherwise.
    async fn preferred(&self) -> bool {
        self.fields.preferred
    }

    /// Its stages in their order.
    async fn stages(&self, ctx: &Context<'_>) -> Result<Connection<Stage>> {
        Listing::below(ctx, &STAGES, self.id.uuid(), stages_in_order()).await
    }

    /// The deals in it.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn opportunities(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<OpportunityFilter>,
        order_by: Option<Vec<OpportunityOrder>>,
        #[graphql(default)] include_archived: bool,
    ) -> Result<Connection<Opportunity>> {
        let args = ListArgs::new((first, after), (last, before), filter, order_by)
            .archived(include_archived);
        opportunities::below(ctx, &opportunities::OF_PIPELINE, self.id.uuid(), args).await
    }

    /// When it was put away; lists leave such pipelines out.
    async fn archived_at(&self) -> Option<DateTime<Utc>> {
        self.stamps.archived_at
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime<Utc> {
        self.stamps.created_at
    }

    /// Who created it.
    async fn created_by(&self) -> ChangeAuthor {
        ChangeAuthor::new(&self.stamps.created_by)
    }

    /// When it or one of its stages last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.stamps.updated_at
    }

    /// Who changed it last.
    async fn updated_by(&self) -> ChangeAuthor {
        ChangeAuthor::new(&self.stamps.updated_by)
    }

    /// Counts changes; send it back as `expectedVersion` to not overwrite somebody else's.
    async fn version(&self) -> i32 {
        self.stamps.version
    }
}

/// A stage of a pipeline.
#[Object]
impl Stage {
    /// The id, as `stage:<uuid>`.
    pub async fn id(&self) -> StageId {
        self.id
    }

    /// What it is called.
    async fn name(&self) -> &str {
        &self.fields.name
    }

    /// Its place in the pipeline, from 0.
    async fn position(&self) -> i32 {
        self.fields.position
    }

    /// Whether a deal in it is under way, won or lost.
    async fn kind(&self) -> StageKind {
        self.fields.kind
    }

    /// How likely a deal in it is won, in percent.
    async fn probability(&self) -> i32 {
        self.fields.probability.into()
    }

    /// After how many days a deal that stands in it counts as rotten.
    async fn rotten_after_days(&self) -> Option<i32> {
        self.fields.rotten_after_days
    }

    /// The pipeline it is part of.
    async fn pipeline(&self, ctx: &Context<'_>) -> Result<Option<Arc<Pipeline>>> {
        ctx.request().load(Some(self.pipeline_id.uuid())).await
    }

    /// The deals that stand in it; in board order with `orderBy: [{ field: BOARD_POSITION }]`.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn opportunities(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<OpportunityFilter>,
        order_by: Option<Vec<OpportunityOrder>>,
        #[graphql(default)] include_archived: bool,
    ) -> Result<Connection<Opportunity>> {
        let args = ListArgs::new((first, after), (last, before), filter, order_by)
            .archived(include_archived);
        opportunities::below(ctx, &opportunities::OF_STAGE, self.id.uuid(), args).await
    }
}

/// Which pipelines.
#[derive(Debug, Default, InputObject)]
pub struct PipelineFilter {
    /// All of these hold.
    and: Option<Vec<PipelineFilter>>,
    /// At least one of these holds.
    or: Option<Vec<PipelineFilter>>,
    /// This does not hold.
    not: Option<Box<PipelineFilter>>,
    /// By id.
    id: Option<IdFilter>,
    /// By name, as written.
    name: Option<TextFilter>,
    /// Whether new deals enter it by default.
    preferred: Option<bool>,
}

impl Filter for PipelineFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.id::<PipelineId>("id", "pipeline_id", self.id)?;
        all.text("name", "name", self.name, verbatim)?;
        all.flag("preferred", self.preferred);
        all.finish(self.and, self.or, self.not)
    }
}

/// One criterion of the order of pipelines.
#[derive(Debug, InputObject)]
pub struct PipelineOrder {
    /// What to sort by.
    field: PipelineOrderField,
    /// Which way.
    #[graphql(default_with = "Direction::Asc")]
    direction: Direction,
}

impl From<PipelineOrder> for OrderTerm<PipelineOrderField> {
    fn from(order: PipelineOrder) -> Self {
        Self {
            field: order.field,
            direction: order.direction,
        }
    }
}

const USUAL_ORDER: OrderTerm<PipelineOrderField> = OrderTerm {
    field: PipelineOrderField::Position,
    direction: Direction::Asc,
};

/// Reading pipelines.
#[derive(Default)]
pub struct PipelineQuery;

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
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn pipelines(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<PipelineFilter>,
        order_by: Option<Vec<PipelineOrder>>,
        #[graphql(default)] include_archived: bool,
    ) -> Result<Connection<Pipeline>> {
        let args = ListArgs::new((first, after), (last, before), filter, order_by)
            .archived(include_archived);
        let query = args.query(ctx.request().actor().tenant, USUAL_ORDER)?;
        projection::list(ctx, &SHAPE, query).await
    }
}

/// A stage to be created.
#[derive(Debug, InputObject)]
struct StageInput {
    /// Your own id for it, as `stage:<uuid>`.
    id: Option<StageId>,
    /// What it is called.
    name: String,
    /// Whether a deal in it is under way, won or lost.
    #[graphql(default_with = "StageKind::Open")]
    kind: StageKind,
    /// How likely a deal in it is won, in percent.
    probability: i16,
    /// After how many days a deal that stands in it counts as rotten.
    rotten_after_days: Option<i32>,
}

impl From<StageInput> for NewStage {
    fn from(input: StageInput) -> Self {
        let StageInput {
            id,
            name,
            kind,
            probability,
            rotten_after_days,
        } = input;
        Self {
            id: id.unwrap_or_default(),
            name,
            kind,
            probability,
            rotten_after_days,
        }
    }
}

/// A pipeline to be created.
#[derive(Debug, InputObject)]
struct PipelineCreateInput {
    /// Your own id for it (`pipeline:<uuid>`): sending the same twice creates it once.
    id: Option<PipelineId>,
    /// What it is called.
    name: String,
    /// Whether new deals enter it unless they say otherwise.
    #[graphql(default)]
    preferred: bool,
    /// Its stages in their order; at least one of kind OPEN.
    stages: Vec<StageInput>,
}

/// A change to a pipeline.
#[derive(Debug, InputObject)]
struct PipelineUpdateInput {
    /// Which pipeline.
    id: PipelineId,
    /// The version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// What it is called.
    name: Option<String>,
    /// Its place among the tenant's pipelines.
    position: Option<i32>,
    /// Whether new deals enter it unless they say otherwise.
    preferred: Option<bool>,
}

/// Names a pipeline, and the version it is expected at.
#[derive(Debug, InputObject)]
struct PipelineRefInput {
    /// Which pipeline.
    id: PipelineId,
    /// The version it is expected at; another one answers CONFLICT.
    expected_version: Option<i32>,
}

/// A stage to be added to a pipeline.
#[derive(Debug, InputObject)]
struct StageCreateInput {
    /// To which pipeline.
    pipeline_id: PipelineId,
    /// The pipeline's version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
    #[graphql(flatten)]
    stage: StageInput,
}

/// A change to a stage. Its kind stays what it is.
#[derive(Debug, InputObject)]
struct StageUpdateInput {
    /// Which stage.
    id: StageId,
    /// What it is called.
    name: Option<String>,
    /// Its place in the pipeline.
    position: Option<i32>,
    /// How likely a deal in it is won, in percent.
    probability: Option<i16>,
    /// After how many days a deal that stands in it counts as rotten.
    rotten_after_days: MaybeUndefined<i32>,
}

/// Names a stage to be deleted.
#[derive(Debug, InputObject)]
struct StageDeleteInput {
    /// Which stage.
    id: StageId,
}

/// What a change to a pipeline came to.
#[derive(SimpleObject)]
struct PipelinePayload {
    /// The pipeline after the change; after a CONFLICT as it is now; null when the change was refused.
    pipeline: Option<Arc<Pipeline>>,
    /// What has to be mended; empty when the change was made.
    user_errors: Vec<UserError>,
}

/// What a change to a stage came to.
#[derive(SimpleObject)]
struct StagePayload {
    /// The stage after the change; null when the change was refused.
    stage: Option<Arc<Stage>>,
    /// What has to be mended; empty when the change was made.
    user_errors: Vec<UserError>,
}

/// Writing pipelines; for admins.
#[derive(Default)]
pub struct PipelineMutation;

#[Object]
impl PipelineMutation {
    /// Creates a pipeline with its stages.
    async fn pipeline_create(
        &self,
        ctx: &Context<'_>,
        input: PipelineCreateInput,
    ) -> async_graphql::Result<PipelinePayload> {
        let PipelineCreateInput {
            id,
            name,
            preferred,
            stages,
        } = input;
        let id = id.unwrap_or_default();
        let new = NewPipeline {
            id,
            name,
            preferred,
            stages: stages.into_iter().map(NewStage::from).collect(),
        };
        let outcome = ctx.request().write(async |tx| super::create(tx, new).await);
        payload(ctx, id, outcome.await).await
    }

    /// Changes a pipeline.
    async fn pipeline_update(
        &self,
        ctx: &Context<'_>,
        input: PipelineUpdateInput,
    ) -> async_graphql::Result<PipelinePayload> {
        let PipelineUpdateInput {
            id,
            expected_version,
            name,
            position,
            preferred,
        } = input;
        let change = |fields: &mut PipelineFields| {
            patch_required(name, &mut fields.name);
            patch_required(position, &mut fields.position);
            patch_required(preferred, &mut fields.preferred);
        };
        let outcome = ctx
            .request()
            .write(async |tx| super::update(tx, (id, expected_version), change).await);
        payload(ctx, id, outcome.await).await
    }

    /// Puts a pipeline away; its deals stay.
    async fn pipeline_archive(
        &self,
        ctx: &Context<'_>,
        input: PipelineRefInput,
    ) -> async_graphql::Result<PipelinePayload> {
        let outcome = ctx
            .request()
            .write(async |tx| records::archive(tx, input.id.uuid(), input.expected_version).await);
        payload(ctx, input.id, outcome.await).await
    }

    /// Takes a pipeline back from the archive.
    async fn pipeline_restore(
        &self,
        ctx: &Context<'_>,
        input: PipelineRefInput,
    ) -> async_graphql::Result<PipelinePayload> {
        let outcome = ctx
            .request()
            .write(async |tx| records::restore(tx, input.id.uuid(), input.expected_version).await);
        payload(ctx, input.id, outcome.await).await
    }

    /// Deletes a pipeline with its stages for good. Refused with IN_USE while deals refer to them.
    async fn pipeline_delete(
        &self,
        ctx: &Context<'_>,
        input: PipelineRefInput,
    ) -> async_graphql::Result<DeletePayload> {
        let outcome = ctx.request().write(async |tx| {
            records::delete::<Pipeline>(tx, input.id.uuid(), input.expected_version).await
        });
        DeletePayload::new(input.id, outcome.await)
    }

    /// Adds a stage at the end of a pipeline.
    async fn stage_create(
        &self,
        ctx: &Context<'_>,
        input: StageCreateInput,
    ) -> async_graphql::Result<StagePayload> {
        let StageCreateInput {
            pipeline_id,
            expected_version,
            stage,
        } = input;
        let new = NewStage::from(stage);
        let id = new.id;
        let outcome = ctx
            .request()
            .write(async |tx| super::add_stage(tx, (pipeline_id, expected_version), new).await);
        stage_payload(ctx, id, outcome.await).await
    }

    /// Changes a stage; deals in it keep the probability they have until they move.
    async fn stage_update(
        &self,
        ctx: &Context<'_>,
        input: StageUpdateInput,
    ) -> async_graphql::Result<StagePayload> {
        let StageUpdateInput {
            id,
            name,
            position,
            probability,
            rotten_after_days,
        } = input;
        let outcome = ctx.request().write(async |tx| {
            super::update_stage(tx, id, |fields| {
                patch_required(name, &mut fields.name);
                patch_required(position, &mut fields.position);
                patch_required(probability, &mut fields.probability);
                patch(rotten_after_days, &mut fields.rotten_after_days);
            })
            .await
        });
        stage_payload(ctx, id, outcome.await).await
    }

    /// Deletes a stage for good. Refused with IN_USE once a deal has stood in it.
    async fn stage_delete(
        &self,
        ctx: &Context<'_>,
        input: StageDeleteInput,
    ) -> async_graphql::Result<DeletePayload> {
        let outcome = ctx
            .request()
            .write(async |tx| super::delete_stage(tx, input.id).await);
        DeletePayload::new(input.id, outcome.await)
    }
}

async fn payload(
    ctx: &Context<'_>,
    id: PipelineId,
    outcome: Result<Pipeline>,
) -> async_graphql::Result<PipelinePayload> {
    let (pipeline, user_errors) = answer(ctx, id.uuid(), outcome).await?;
    Ok(PipelinePayload {
        pipeline,
        user_errors,
    })
}

async fn stage_payload(
    ctx: &Context<'_>,
    id: StageId,
    outcome: Result<Stage>,
) -> async_graphql::Result<StagePayload> {
    let (stage, user_errors) = answer(ctx, id.uuid(), outcome).await?;
    Ok(StagePayload { stage, user_errors })
}
