//! Static query analysis: how much a document may cost, known before anything runs.
//!
//! The executor's own limits walk the document with every fragment spread out: a document of 1 kB can keep them busy
//! for 48 s. They also count neither page sizes nor lists. So the document is weighed here by what the schema says
//! of each field, every fragment once, in time proportional to the text.
//!
//! `SchemaShape` is built from the SDL, so it cannot fall behind the schema. Unknown fields weigh as plain objects: the
//! validation that follows refuses them.

mod filter;
mod introspection;
mod operation;
mod page;
mod schema;
#[cfg(test)]
mod tests;
mod texts;
mod touched;
mod walk;
mod weight;

use async_graphql::Variables;
use async_graphql::parser::types::{ExecutableDocument, OperationDefinition};

use super::limits::{Limits, Refusal};
pub use filter::Filters;
pub use operation::select_operation;
pub use schema::SchemaShape;
pub(super) use texts::came_to;
pub use touched::Touched;

/// What a request may cost.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// Objects that the response can hold at most, by its page sizes; a list without pages counts as ten.
    pub nodes: usize,
    /// Lists, and links to records: for all parents together each takes a statement.
    pub reads: usize,
    /// Field values that the response can hold at most: the work of resolving and sending it.
    pub cost: usize,
    /// Points that long texts may cost.
    pub texts: usize,
    /// Top-level fields, fragments expanded.
    pub root_fields: usize,
    /// How deep fields nest, introspection aside.
    pub depth: usize,
    /// Aliases, fragments expanded.
    pub aliases: usize,
    /// Fields and fragment uses, fragments expanded.
    pub selections: usize,
    /// Directives, fragments expanded.
    pub directives: usize,
    /// Rows of the largest page.
    pub page_rows: usize,
    /// Whether it was weighed by a number of stages.
    pub has_stages: bool,
    /// What its filters may cost.
    pub filters: Filters,
}

/// The number of stages while it is not known how many a pipeline has: what is too much even then is refused.
pub const FEWEST_STAGES: usize = 1;

impl Measure {
    /// Refuses what is beyond the caller's limits.
    ///
    /// # Errors
    /// The first limit exceeded.
    pub fn check(&self, limits: &Limits) -> Result<(), Refusal> {
        self.check_structure(limits)?;
        self.filters.check(limits)?;
        let within = Refusal::unless_within;
        within(
            "PAGE_TOO_LARGE",
            "rows on a page",
            self.page_rows,
            limits.page_rows,
        )?;
        within(
            "TOO_MANY_NODES",
            "nodes to answer",
            self.nodes,
            limits.nodes,
        )
    }

    /// The same without what depends on running it.
    fn check_structure(&self, limits: &Limits) -> Result<(), Refusal> {
        let within = Refusal::unless_within;
        within("TOO_MANY_ALIASES", "aliases", self.aliases, limits.aliases)?;
        within(
            "TOO_MANY_DIRECTIVES",
            "directives",
            self.directives,
            limits.directives,
        )?;
        within(
            "TOO_MANY_ROOT_FIELDS",
            "top-level fields",
            self.root_fields,
            limits.root_fields,
        )?;
        within(
            "SELECTED_TOO_DEEP",
            "levels of fields",
            self.depth,
            limits.depth,
        )
    }
}

impl SchemaShape {
    /// Weighs the document as one request for the named operation, or for the only one, by the values of its variables and
    /// the number of stages that a pipeline has.
    ///
    /// Every operation of the document has to keep the structural limits, because the executor validates them all;
    /// only the one that runs has to keep the limits on pages and nodes.
    ///
    /// # Errors
    /// The first limit exceeded, a cycle of fragments, or no such operation.
    pub fn measure(
        &self,
        document: &ExecutableDocument,
        operation_name: Option<&str>,
        variables: &Variables,
        stages: usize,
        limits: &Limits,
    ) -> Result<Measure, Refusal> {
        let operations = document.operations.iter().len();
        Refusal::unless_within(
            "TOO_MANY_OPERATIONS",
            "operations",
            operations,
            limits.operations,
        )?;
        let order = walk::fragment_order(document)?;
        let (_, selected) = select_operation(document, operation_name)?;
        let mut measure = Measure::default();
        for (_, operation) in document.operations.iter() {
            self.check_variable_types(&operation.node)?;
            let mut walk = walk::WeightWalk::new(self, &operation.node, variables, stages, limits);
            let weight = walk.operation(document, &order);
            weight.check(limits)?;
            walk.check_filters()?;
            if std::ptr::eq(operation, selected) {
                measure = weight.measure();
            }
        }
        measure.check(limits)?;
        Ok(measure)
    }

    /// A default value for a list of an unknown type makes the executor's validation panic.
    fn check_variable_types(&self, operation: &OperationDefinition) -> Result<(), Refusal> {
        for variable in &operation.variable_definitions {
            let (name, _) = schema::named(&variable.node.var_type.node);
            if !self.has_input(name) {
                return Err(Refusal::new(
                    "GRAPHQL_VALIDATION_FAILED",
                    format!("unknown input type \"{name}\""),
                ));
            }
        }
        Ok(())
    }
}
