//! What a pipeline and a stage are.

use async_graphql::Enum;
use dealgraph_derive::{Columns, OrderField};
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
    entity::{Changeable, Entity, Stamps},
};

/// A pipeline.
#[derive(Debug, Clone, sqlx::FromRow, Columns)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, Columns)]
#[expect(missing_docs, reason = "the names say it; the schema describes each")]
pub struct PipelineFields {
    pub name: String,
    pub position: i32,
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
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow, Columns)]
#[expect(missing_docs, reason = "the names say it; the schema describes each")]
pub struct StageFields {
    pub name: String,
    pub position: i32,
    pub kind: StageKind,
    pub probability: i16,
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
    const KIND: &'static str = "pipeline";
    const TABLE: &'static str = "pipelines";
    const ID_COLUMN: &'static str = "pipeline_id";
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

impl Changeable for Pipeline {
    fn same_as(&self, before: &Self) -> bool {
        self.fields == before.fields
    }

    fn told(&self) -> Json {
        json!(self.fields)
    }

    fn stamps_mut(&mut self) -> &mut Stamps {
        &mut self.stamps
    }
}

/// Stages come in the order of their pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OrderField)]
#[order(of = Stage)]
pub enum StageOrderField {
    /// The place in the pipeline.
    #[order(int = self.fields.position)]
    Position,
}

impl Record for Stage {
    const KIND: &'static str = "stage";
    const TABLE: &'static str = "stages";
    const ID_COLUMN: &'static str = "stage_id";
    const ARCHIVES: bool = false;
    type Order = StageOrderField;

    fn key(&self) -> Uuid {
        self.id.uuid()
    }
}
