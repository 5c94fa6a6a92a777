//! Pipelines in the schema: which ones are asked for, and in which order.

use async_graphql::InputObject;

use super::PipelineOrderField;
use crate::{
    base::{error::Result, ids::PipelineId, text::Form},
    db::{Direction, OrderTerm, Predicate},
    graphql::{
        Filter,
        filters::{Conditions, IdFilter, TextFilter, order_input},
    },
};

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
        all.text("name", "name", self.name, Form::Line)?;
        all.flag("preferred", self.preferred);
        all.finish(self.and, self.or, self.not)
    }
}

order_input! {
    /// One criterion of the order of pipelines.
    pub PipelineOrder(PipelineOrderField)
}

pub(super) const USUAL_ORDER: OrderTerm<PipelineOrderField> = OrderTerm {
    field: PipelineOrderField::Position,
    direction: Direction::Asc,
};
