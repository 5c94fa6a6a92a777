//! Which fields of pipelines and stages follow from columns.

use super::{
    Pipeline, PipelineFields, Stage, StageFields,
    graphql::{STAGES, stages_in_order},
};
use crate::{
    base::ids::{PipelineId, StageId},
    crm::opportunities,
    graphql::{
        ContextExt as _, ends,
        projection::{Listed, Projected, SchemaFields as _, Shape, id},
    },
    organization::members,
};

pub(crate) static SHAPE: Shape = Shape::of::<Pipeline>("Pipeline", pipeline);
pub(crate) static STAGE_SHAPE: Shape = Shape::of::<Stage>("Stage", stage);

fn pipeline(name: &str) -> Option<Projected> {
    Some(match name {
        "id" => id::<PipelineId>("pipeline_id"),
        "stages" => Projected::Page(|ctx| {
            let query = stages_in_order(ctx.request().actor().tenant, ends(ctx)?)?;
            Ok(Listed::below(&STAGE_SHAPE, &STAGES, query))
        }),
        "opportunities" => {
            Projected::Page(|ctx| opportunities::listed(ctx, &opportunities::OF_PIPELINE))
        }
        other => return PipelineFields::projected(other).or_else(|| members::stamp(other)),
    })
}

fn stage(name: &str) -> Option<Projected> {
    Some(match name {
        "id" => id::<StageId>("stage_id"),
        "pipeline" => Projected::One(&SHAPE, "pipeline_id"),
        "opportunities" => {
            Projected::Page(|ctx| opportunities::listed(ctx, &opportunities::OF_STAGE))
        }
        other => return StageFields::projected(other),
    })
}
