//! A request that is ready to run.

use std::sync::{Arc, OnceLock};

use async_graphql::{Extensions, ServerError, Variables, parser::types::OperationDefinition};

use super::Document;
use crate::api::{
    limits::{Limits, Refusal},
    operation::Executable,
    shape::{FEWEST_STAGES, Measure, SchemaShape, select_operation},
};

/// A request that was parsed and measured, safe to validate and to run.
#[derive(Debug)]
pub(in crate::api) struct Prepared {
    /// The document.
    pub(in crate::api) document: Arc<Document>,
    /// Whether it is to be stored under its hash, once the actor is known.
    pub(in crate::api) is_registered: bool,
    /// Which of its operations.
    pub(in crate::api) operation_name: Option<String>,
    /// With these variables.
    pub(in crate::api) variables: Variables,
    /// Bytes that it came in.
    pub(in crate::api) bytes: usize,
    /// What static analysis found that it may cost.
    pub(in crate::api) measure: Measure,
    /// What the client has sent beside them.
    pub(in crate::api) extensions: Extensions,
}

impl Prepared {
    /// Refuses what is beyond the caller's limits.
    ///
    /// # Errors
    /// The first limit exceeded.
    pub(in crate::api) fn check(
        &self,
        shape: &SchemaShape,
        limits: &Limits,
    ) -> Result<(), Refusal> {
        let tokens = self.document.tokens;
        Refusal::unless_within("TOO_MANY_TOKENS", "tokens", tokens, limits.tokens)?;
        self.measure.check(limits).or_else(|refusal| {
            // Measured again, to locate it.
            let name = self.operation_name.as_deref();
            shape.measure(
                &self.document.parsed,
                name,
                &self.variables,
                FEWEST_STAGES,
                limits,
            )?;
            Err(refusal)
        })
    }

    /// Measures it again, for pipelines of this many stages.
    ///
    /// # Errors
    /// The first limit exceeded.
    pub(in crate::api) fn weigh(
        &mut self,
        shape: &SchemaShape,
        stages: usize,
        limits: &Limits,
    ) -> Result<(), Refusal> {
        let (document, name) = (&self.document.parsed, self.operation_name.as_deref());
        self.measure = shape.measure(document, name, &self.variables, stages, limits)?;
        Ok(())
    }

    /// The operation that is to be run.
    pub(in crate::api) fn operation(&self) -> &OperationDefinition {
        let selected = select_operation(&self.document.parsed, self.operation_name.as_deref());
        let (_, operation) = selected.expect("it was selected when the request was prepared");
        &operation.node
    }

    /// The operation as it is run.
    ///
    /// # Errors
    /// What is wrong with the document by the schema, or with a variable by its type.
    pub(in crate::api) fn executable(&self) -> Result<Executable, Vec<ServerError>> {
        let document = &self.document;
        if !document.faults.is_empty() {
            return Err(document.faults.clone());
        }
        let another = OnceLock::new();
        let known = document.collected().unwrap_or(&another);
        let operation = self.operation();
        let executable = Executable::new(&document.parsed, operation, &self.variables, known);
        executable.map_err(|error| vec![error])
    }
}

#[cfg(test)]
impl Prepared {
    /// A document with variables, without what limits and prices need.
    pub(in crate::api) fn of(text: &str, variables: serde_json::Value) -> Self {
        let read = crate::api::operation::read(text).expect("a document");
        Self {
            document: Arc::new(Document::new(text.to_owned(), 1, read)),
            is_registered: false,
            operation_name: None,
            variables: Variables::from_json(variables),
            bytes: 0,
            measure: Measure::default(),
            extensions: Extensions::default(),
        }
    }
}
