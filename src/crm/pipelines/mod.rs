//! Pipelines and their ordered stages: the way a deal goes. A tenant may have several.
//!
//! Stages are part of their pipeline: a change to a stage is a change to the pipeline, with its version and event.

mod filter;
mod graphql;
mod model;
mod mutation;
mod projection;
mod store;
mod subscription;
mod usual;

use serde_json::json;

pub use filter::{PipelineFilter, PipelineOrder};
pub use graphql::PipelineQuery as Query;
pub use model::{
    NewPipeline, NewStage, Pipeline, PipelineFields, PipelineOrderField, Stage, StageFields,
    StageKind, StageOrderField,
};
pub use mutation::PipelineMutation as Mutation;
pub(crate) use projection::{SHAPE, STAGE_SHAPE};
pub use subscription::PipelineSubscription as Subscription;

use crate::{
    base::{
        error::{Error, Result},
        ids::{PipelineId, StageId, Typed as _},
    },
    db::{ReadTx, Tx, journal::EventKind, list},
    entity::{self, Stamps},
};

/// Most stages of a pipeline.
const MAX_STAGES: usize = 50;

/// Creates a pipeline with its stages. One that brings an id which exists already is answered as it stands.
///
/// # Errors
/// `BLANK`, `OUT_OF_RANGE`, `TAKEN` for a name in use, `NO_OPEN_STAGE`, `FORBIDDEN` for anybody but an admin.
pub async fn create(tx: &mut Tx, new: NewPipeline) -> Result<Pipeline> {
    let NewPipeline {
        id,
        name,
        preferred,
        stages,
    } = new;
    if let Some(existing) = list::find(tx, id.uuid()).await? {
        return Ok(existing);
    }
    if stages.len() > MAX_STAGES {
        return Err(Error::invalid(
            "TOO_MANY_VALUES",
            "stages",
            format!("expected at most {MAX_STAGES} stages"),
        ));
    }
    if !stages.iter().any(|stage| stage.kind == StageKind::Open) {
        return Err(Error::invalid(
            "NO_OPEN_STAGE",
            "stages",
            "a pipeline needs at least one stage of kind OPEN",
        ));
    }
    let mut fields = PipelineFields {
        name,
        position: store::next_position(tx).await?,
        preferred,
    };
    fields.check()?;
    if preferred {
        prefer_only(tx, id).await?;
    }
    let stamps = Stamps::new(tx, None);
    let pipeline = Pipeline {
        id,
        fields,
        visible_to: String::new(),
        stamps,
    };
    let pipeline = entity::insert(tx, &[pipeline]).await?.remove(0);
    let mut rows = Vec::with_capacity(stages.len());
    for (position, stage) in (0..).zip(stages) {
        let mut fields = stage.into_fields(position);
        let index = position;
        fields
            .1
            .check()
            .map_err(|error| error.within(&format!("stages.{index}")))?;
        rows.push(fields);
    }
    let inserted = store::insert_stages(tx, id, &rows).await;
    // An id that is taken is not the pipeline's.
    inserted.map_err(|error| error.within("stages"))?;
    entity::emit_created(tx, &pipeline, &pipeline.fields);
    Ok(pipeline)
}

/// Changes a pipeline.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`, `BLANK`, `TAKEN`.
pub async fn update(
    tx: &mut Tx,
    pipeline: (PipelineId, Option<i32>),
    change: impl FnOnce(&mut PipelineFields),
) -> Result<Pipeline> {
    entity::change::<Pipeline>(tx, pipeline, EventKind::Updated, async |tx, pipeline| {
        let was_preferred = pipeline.fields.preferred;
        change(&mut pipeline.fields);
        pipeline.fields.check()?;
        if pipeline.fields.preferred && !was_preferred {
            prefer_only(tx, pipeline.id).await?;
        }
        Ok(())
    })
    .await
}

/// Adds a stage at the end of a pipeline.
///
/// # Errors
/// As [`update`].
pub async fn add_stage(
    tx: &mut Tx,
    (pipeline, expected_version): (PipelineId, Option<i32>),
    new: NewStage,
) -> Result<Stage> {
    let locked = entity::lock(tx, pipeline.uuid(), expected_version).await;
    let before: Pipeline = locked.map_err(|error| error.about("pipelineId"))?;
    let stages = store::stages(tx, Some(pipeline)).await?;
    if stages.len() >= MAX_STAGES {
        return Err(Error::invalid(
            "TOO_MANY_VALUES",
            "stages",
            format!("expected at most {MAX_STAGES} stages"),
        ));
    }
    let position = stages.last().map_or(0, |last| last.fields.position + 1);
    let (id, mut fields) = new.into_fields(position);
    fields.check()?;
    store::insert_stages(tx, pipeline, &[(id, fields)]).await?;
    touch(tx, before, json!({ "stage_added": id })).await?;
    get_stage(tx, id).await
}

/// Changes a stage; deals in it keep the probability they have until they move.
///
/// # Errors
/// As [`update`].
pub async fn update_stage(
    tx: &mut Tx,
    id: StageId,
    change: impl FnOnce(&mut StageFields),
) -> Result<Stage> {
    let mut stage = get_stage(tx, id).await.map_err(|error| error.about("id"))?;
    let pipeline: Pipeline = entity::lock(tx, stage.pipeline_id.uuid(), None).await?;
    let old = stage.fields.clone();
    change(&mut stage.fields);
    stage.fields.check()?;
    if stage.fields == old {
        return Ok(stage);
    }
    store::update_stage(tx, &stage).await?;
    touch(tx, pipeline, json!({ "stage_changed": id })).await?;
    Ok(stage)
}

/// Deletes a stage that no deal stands in or ever stood in.
///
/// # Errors
/// `NOT_FOUND`, `IN_USE`, `FORBIDDEN`; `NO_OPEN_STAGE` for the last open one.
pub async fn delete_stage(tx: &mut Tx, id: StageId) -> Result<()> {
    let stage = get_stage(tx, id).await.map_err(|error| error.about("id"))?;
    let pipeline: Pipeline = entity::lock(tx, stage.pipeline_id.uuid(), None).await?;
    store::delete_stage(tx, id).await?;
    let left = store::stages(tx, Some(stage.pipeline_id)).await?;
    if !left
        .iter()
        .any(|other| other.fields.kind == StageKind::Open)
    {
        return Err(Error::invalid(
            "NO_OPEN_STAGE",
            "id",
            "a pipeline needs at least one stage of kind OPEN",
        ));
    }
    touch(tx, pipeline, json!({ "stage_removed": id })).await
}

/// A stage by its id.
///
/// # Errors
/// `NOT_FOUND` on the field `stageId`.
pub async fn get_stage(tx: &mut Tx, id: StageId) -> Result<Stage> {
    list::find(tx, id.uuid()).await?.ok_or(Error::NotFound {
        kind: "stage",
        field: "stageId",
    })
}

/// All stages of the tenant, or of one pipeline, in their order.
///
/// # Errors
/// The database.
pub async fn stages(tx: &mut ReadTx, pipeline: Option<PipelineId>) -> Result<Vec<Stage>> {
    store::stages(tx, pipeline).await
}

/// How many stages the pipeline with the most of them has.
///
/// # Errors
/// The database.
pub async fn most_stages(tx: &mut ReadTx) -> Result<usize> {
    store::most_stages(tx).await
}

/// The stage that a new deal enters when nobody says: the first open one of the preferred pipeline.
///
/// # Errors
/// `NOT_FOUND` when the tenant has no open stage yet.
pub async fn entry_stage(tx: &mut Tx) -> Result<Stage> {
    store::entry_stage(tx).await?.ok_or(Error::NotFound {
        kind: "stage",
        field: "stageId",
    })
}

/// Only one pipeline is preferred: takes it from the other one, which is a change to that one.
async fn prefer_only(tx: &mut Tx, id: PipelineId) -> Result<()> {
    for other in store::preferred(tx).await? {
        if other.id == id {
            continue;
        }
        let mut after = other.clone();
        after.fields.preferred = false;
        entity::save(tx, EventKind::Updated, (other, after)).await?;
    }
    Ok(())
}

async fn touch(tx: &mut Tx, before: Pipeline, what: serde_json::Value) -> Result<()> {
    let mut after = before.clone();
    after.stamps.touch(tx);
    let after = entity::update(tx, &after).await?;
    entity::emit_changed(
        tx,
        EventKind::Updated,
        (&before, &json!({})),
        (&after, &what),
    );
    Ok(())
}
