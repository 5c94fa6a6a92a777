//! Pipelines and stages in the schema: what can be changed.

use async_graphql::{Context, InputObject, MaybeUndefined, Object};

use super::{NewPipeline, NewStage, Pipeline, Stage, StageKind, model::PipelineFields};
use crate::{
    base::ids::{PipelineId, StageId},
    crm::lifecycle::{payload, record_lifecycle},
    graphql::{
        ContextExt as _, DeletePayload,
        patch::{patch, patch_required},
    },
};

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

record_lifecycle! {
    Pipeline, PipelineId;

    /// Names a pipeline, and the version it is expected at.
    PipelineRefInput {
        /// Which pipeline.
        id
    }

    /// What a change to a pipeline came to.
    PipelinePayload {
        /// The pipeline after the change; after a CONFLICT as it is now; null when the change was refused.
        pipeline
    }

    /// Archiving and deleting pipelines.
    PipelineLifecycle {
        /// Archives a pipeline; its deals stay.
        pipeline_archive
        /// Restores a pipeline from the archive.
        pipeline_restore
        /// Deletes a pipeline with its stages for good. Refused with IN_USE while deals refer to them.
        pipeline_delete
    }
}

payload! {
    Stage, StageId;

    /// What a change to a stage came to.
    StagePayload {
        /// The stage after the change; null when the change was refused.
        stage
    }
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
        PipelinePayload::new(ctx, id, outcome.await).await
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
        PipelinePayload::new(ctx, id, outcome.await).await
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
        StagePayload::new(ctx, id, outcome.await).await
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
        StagePayload::new(ctx, id, outcome.await).await
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

    #[graphql(flatten)]
    async fn lifecycle(&self) -> PipelineLifecycle {
        PipelineLifecycle
    }
}
