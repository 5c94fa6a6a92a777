//! What a board looks like, as it changes: its columns, and what they are called.

use async_graphql::{Context, SimpleObject, Subscription};

use super::{Pipeline, Stage, StageKind, store};
use crate::{
    base::{
        error::{Error, Result},
        ids::{PipelineId, StageId, Typed as _},
    },
    db::{Comparison, Predicate, ReadTx, Registered as _, Value, list},
    events::Watched,
    graphql::{
        ContextExt as _,
        subscription::{self, ResolverStream},
    },
};

/// What a board looks like: a pipeline with its stages, and no deals.
#[derive(Debug, SimpleObject)]
struct BoardLayout {
    /// The pipeline.
    pipeline_id: PipelineId,
    /// What it is called.
    name: String,
    /// Whether it is archived.
    archived: bool,
    /// Its columns in their order.
    columns: Vec<BoardColumn>,
}

/// A column of a board: a stage of the pipeline.
#[derive(Debug, SimpleObject)]
struct BoardColumn {
    /// The stage.
    stage_id: StageId,
    /// What it is called.
    name: String,
    /// Whether a deal in it is under way, won or lost.
    kind: StageKind,
    /// How likely deals in it are won, in percent.
    probability: i32,
}

impl From<Stage> for BoardColumn {
    fn from(stage: Stage) -> Self {
        Self {
            stage_id: stage.id,
            name: stage.fields.name,
            kind: stage.fields.kind,
            probability: stage.fields.probability.into(),
        }
    }
}

/// Watching pipelines.
#[derive(Default)]
pub struct PipelineSubscription;

#[Subscription]
impl PipelineSubscription {
    /// What a pipeline and its stages are called and how they are arranged: now, and anew whenever that changes.
    async fn board_layout(
        &self,
        ctx: &Context<'_>,
        pipeline_id: PipelineId,
    ) -> Result<ResolverStream<BoardLayout>> {
        let read = async || {
            ctx.request()
                .read(async |tx| layout(tx, pipeline_id).await)
                .await
        };
        subscription::value(ctx, || watched(ctx, pipeline_id), read).await
    }
}

/// A pipeline with its stages, which are told of in its events.
fn watched(ctx: &Context<'_>, id: PipelineId) -> Result<Watched> {
    let is_it = Predicate::Compare(
        Pipeline::ID_COLUMN.into(),
        Comparison::Eq,
        Value::Uuid(id.uuid()),
    );
    subscription::watched::<Pipeline>(ctx, is_it)
}

async fn layout(tx: &mut ReadTx, id: PipelineId) -> Result<BoardLayout> {
    let pipeline: Option<Pipeline> = list::find(tx, id.uuid()).await?;
    let pipeline = pipeline.ok_or(Error::NotFound {
        kind: "pipeline",
        field: "pipelineId",
    })?;
    let stages = store::stages(tx, Some(id)).await?;
    Ok(BoardLayout {
        pipeline_id: id,
        name: pipeline.fields.name,
        archived: pipeline.stamps.archived_at.is_some(),
        columns: stages.into_iter().map(BoardColumn::from).collect(),
    })
}
