//! What a pipeline and a stage are.

use async_graphql::Enum;
use dealgraph_derive::{Columns, OrderField, SchemaFields};
use serde::Serialize;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::{
    base::{
        error::{Error, Result},
        ids::{PipelineId, StageId, Typed as _},
        text::Text,
    },
    db::list::Record,
    entity::{Entity, Stamps, changes_by_fields},
    graphql::projection::enum_columns,
};

/// A pipeline.
#[derive(Debug, Clone, sqlx::FromRow, Columns)]
#[told(stage_added)]
#[told(stage_changed)]
#[told(stage_removed)]
pub struct Pipeline {
    #[sqlx(rename = "pipeline_id")]
    #[column(once)]
    pub(super) id: PipelineId,
    #[sqlx(flatten)]
    pub(super) fields: PipelineFields,
    /// Everybody who may read deals sees all pipelines.
    #[column(select = "'|'")]
    pub(super) visible_to: String,
    #[sqlx(flatten)]
    pub(super) stamps: Stamps,
}

/// What can be written of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, Columns, SchemaFields)]
pub struct PipelineFields {
    /// What it is called.
    pub name: String,
    /// Its place among the tenant's pipelines.
    pub position: i32,
    /// Whether new deals enter it unless they say otherwise.
    pub preferred: bool,
}

/// A pipeline that is to be created, with its stages in their order.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it; the schema describes each")]
pub struct NewPipeline {
    pub id: PipelineId,
    pub name: String,
    pub preferred: bool,
    pub stages: Vec<NewStage>,
}

impl PipelineFields {
    pub(super) fn check(&mut self) -> Result<()> {
        Text::line("name").required(&mut self.name)
    }
}

/// A stage of a pipeline.
#[derive(Debug, Clone, sqlx::FromRow, Columns)]
#[expect(missing_docs, reason = "the names say it; the schema describes each")]
pub struct Stage {
    #[sqlx(rename = "stage_id")]
    #[column(once)]
    pub id: StageId,
    pub pipeline_id: PipelineId,
    #[sqlx(flatten)]
    pub fields: StageFields,
}

/// What can be written of a stage.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow, Columns, SchemaFields)]
pub struct StageFields {
    /// What it is called.
    pub name: String,
    /// Its place in the pipeline, from 0.
    pub position: i32,
    /// Whether a deal in it is under way, won or lost.
    pub kind: StageKind,
    /// How likely a deal in it is won, in percent.
    pub probability: i16,
    /// After how many days a deal that stands in it counts as rotten.
    pub rotten_after_days: Option<i32>,
}

/// A stage that is to be created.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it; the schema describes each")]
pub struct NewStage {
    pub id: StageId,
    pub name: String,
    pub kind: StageKind,
    pub probability: i16,
    pub rotten_after_days: Option<i32>,
}

/// What standing in a stage means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StageKind {
    /// The deal is under way.
    Open,
    /// The deal is won.
    Won,
    /// The deal is lost.
    Lost,
}

enum_columns!(StageKind);

impl NewStage {
    pub(super) fn into_fields(self, position: i32) -> (StageId, StageFields) {
        let Self {
            id,
            name,
            kind,
            probability,
            rotten_after_days,
        } = self;
        (
            id,
            StageFields {
                name,
                position,
                kind,
                probability,
                rotten_after_days,
            },
        )
    }
}

impl StageFields {
    pub(super) fn check(&mut self) -> Result<()> {
        Text::line("name").required(&mut self.name)?;
        if !(0..=100).contains(&self.probability) {
            return Err(Error::invalid(
                "OUT_OF_RANGE",
                "probability",
                "expected 0 to 100 percent",
            ));
        }
        if self
            .rotten_after_days
            .is_some_and(|days| !(1..=3650).contains(&days))
        {
            return Err(Error::invalid(
                "OUT_OF_RANGE",
                "rottenAfterDays",
                "expected 1 to 3650 days",
            ));
        }
        Ok(())
    }
}

/// What pipelines can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, OrderField)]
#[order(of = Pipeline)]
pub enum PipelineOrderField {
    /// The tenant's own order.
    #[order(int = self.fields.position)]
    Position,
    /// The name.
    #[order(text = self.fields.name.clone())]
    Name,
}

impl Record for Pipeline {
    type Order = PipelineOrderField;

    fn key(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Entity for Pipeline {
    fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    fn visible_to(&self) -> &str {
        &self.visible_to
    }

    fn columns(&self) -> Json {
        json!(self.fields)
    }
}

changes_by_fields!(Pipeline);

/// Stages come in the order of their pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OrderField)]
#[order(of = Stage)]
pub enum StageOrderField {
    /// The place in the pipeline.
    #[order(int = self.fields.position)]
    Position,
}

impl Record for Stage {
    const ARCHIVES: bool = false;
    type Order = StageOrderField;

    fn key(&self) -> Uuid {
        self.id.uuid()
    }
}
