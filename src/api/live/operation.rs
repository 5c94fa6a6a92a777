//! A subscription's document with its variables: what runs for every event, once for all of its subscribers.

use std::{convert::Infallible, panic::AssertUnwindSafe, sync::Arc};

use async_graphql::{
    Name, Response, Value,
    parser::types::{OperationDefinition, Selection},
};
use futures_util::{FutureExt as _, StreamExt as _};
use sha2::{Digest as _, Sha256};

use super::{Failure, Refused};
use crate::{
    api::{
        Schema, documents::Prepared, http::ensure_code, limits::Limits, operation::Executable,
        spending::objects,
    },
    graphql::{RequestContext, subscription::ResolverMode},
};

/// Fields whose value depends on the actor, beyond the rows and rights that a visibility class shares: jobs are shown to
/// who caused them, and bodies to whom they were worked out for.
const PERSONAL: &[&str] = &["can", "viewer", "jobProgress", "webhookDeliveryChanges"];

/// An operation that runs once per event.
pub(super) struct LiveOperation {
    executable: Executable,
    /// Equal for operations with equal responses; where to resume plays no part in it.
    pub(super) key: [u8; 32],
    /// Whether its responses differ between persons of a class.
    pub(super) is_personal: bool,
}

/// Why there is no response.
#[derive(Debug)]
pub(super) enum RenderError {
    /// The database does not answer; the same may work later.
    Unavailable,
    /// It fails for good.
    Failed(Failure),
}

impl LiveOperation {
    /// The operation of a request.
    ///
    /// # Errors
    /// What is wrong with the document or its variables.
    pub(super) fn new(request: &Prepared) -> Result<Self, Refused> {
        let executable = request.executable().map_err(|mut faults| {
            faults.iter_mut().for_each(ensure_code);
            Refused::Errors(faults)
        })?;
        let mut distinct = request.variables.clone();
        for variable in cursors(request.operation()) {
            distinct.remove(&variable);
        }
        let mut key = Sha256::new();
        for part in [
            &request.document.hash[..],
            request
                .operation_name
                .as_deref()
                .unwrap_or_default()
                .as_bytes(),
            &serde_json::to_vec(&distinct).unwrap_or_default(),
        ] {
            key.update((part.len() as u64).to_be_bytes());
            key.update(part);
        }
        Ok(Self {
            is_personal: executable.selects(PERSONAL),
            key: key.finalize().into(),
            executable,
        })
    }

    /// Runs it once. There is no response when the resolver yields nothing.
    pub(super) async fn run(
        &self,
        schema: &Schema,
        context: &Arc<RequestContext>,
        mode: ResolverMode,
    ) -> Option<Response> {
        // The plan has the filter already; parsing it for every event, some hundred values, would be wasted.
        let request = match mode {
            ResolverMode::Plan(_) => self.executable.request(),
            ResolverMode::Notify(_) | ResolverMode::Value | ResolverMode::Look(_) => {
                self.executable.request_without("filter")
            }
        };
        let request = request.data(Arc::clone(context)).data(mode);
        let request = request.disable_introspection();
        // Tokio would make a long poll yield in the middle of a level, which would split its batches.
        let answer = async { schema.execute_stream(request).next().await };
        let mut response = tokio::task::unconstrained(answer).await?;
        self.executable.complete(&mut response);
        response.errors.iter_mut().for_each(ensure_code);
        Some(response)
    }

    /// Runs it once and renders the response.
    ///
    /// # Errors
    /// [`RenderError::Unavailable`] while the database does not answer; an error of a live value.
    pub(super) async fn render(
        &self,
        schema: &Schema,
        limits: &Limits,
        context: &Arc<RequestContext>,
        mode: ResolverMode,
    ) -> Result<Arc<str>, RenderError> {
        let is_look = matches!(mode, ResolverMode::Look(_));
        let is_value = is_look || matches!(mode, ResolverMode::Value);
        let run = AssertUnwindSafe(self.run(schema, context, mode)).catch_unwind();
        let failure = match tokio::time::timeout(limits.timeout, run).await {
            Err(_) => return Err(RenderError::Unavailable),
            Ok(Err(_)) => {
                tracing::error!("a resolver of a subscription panicked");
                Failure::new("INTERNAL", "an internal error occurred")
            }
            Ok(Ok(None)) => Failure::new("INTERNAL", "the subscription has nothing to say"),
            Ok(Ok(Some(response))) => {
                context.note_written(objects(&response.data));
                let is_away = |error: &async_graphql::ServerError| {
                    let code = error.extensions.as_ref().and_then(|more| more.get("code"));
                    let is_away = ["UNAVAILABLE", "TENANT_BUSY", "TIMEOUT"];
                    matches!(code, Some(Value::String(code)) if is_away.contains(&code.as_str()))
                };
                if response.errors.iter().any(is_away) {
                    return Err(RenderError::Unavailable);
                }
                let json = match context.is_too_large() {
                    true => None,
                    false => {
                        if let Some(error) = response.errors.first().filter(|_| is_value) {
                            return Err(RenderError::Failed(Failure::of(error)));
                        }
                        let json = serde_json::to_string(&response).unwrap_or_default();
                        Some(json).filter(|json| json.len() <= limits.response_bytes)
                    }
                };
                if let Some(json) = json {
                    return Ok(json.into());
                }
                let refusal = limits.too_large();
                let failure = Failure::new(refusal.code, refusal.message);
                // There may be room for fewer rows.
                if is_look {
                    return Err(RenderError::Failed(failure));
                }
                failure
            }
        };
        let errors = serde_json::json!({ "data": null, "errors": [failure.to_json()] });
        Ok(errors.to_string().into())
    }
}

/// The variables of `after`, the cursor from which a subscription resumes.
fn cursors(operation: &OperationDefinition) -> Vec<Name> {
    let fields = operation.selection_set.node.items.iter();
    let arguments = fields.filter_map(|selection| match &selection.node {
        Selection::Field(field) => field.node.get_argument("after"),
        Selection::FragmentSpread(_) | Selection::InlineFragment(_) => None,
    });
    let variables = arguments.filter_map(|value| {
        let mut variable = None;
        _ = value.node.clone().into_const_with(|name| {
            variable = Some(name);
            Ok::<_, Infallible>(Value::Null)
        });
        variable
    });
    variables.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn operation(query: &str, variables: serde_json::Value) -> LiveOperation {
        LiveOperation::new(&Prepared::of(query, variables)).expect("an operation")
    }

    #[test]
    fn where_to_resume_does_not_tell_operations_apart_and_all_else_does() {
        let query = "subscription($c: EventCursor, $n: Boolean = true) {
            opportunityEvents(after: $c) { kind recordId @include(if: $n) } }";
        let key = |query, variables| operation(query, variables).key;
        let cursor = |seq: i64| format!("{:016x}.{seq}", 7);
        let usual = key(query, json!({ "c": cursor(1), "n": true }));
        assert_eq!(usual, key(query, json!({ "c": cursor(2), "n": true })));
        assert_eq!(usual, key(query, json!({ "n": true })));
        assert_ne!(usual, key(query, json!({ "c": cursor(1), "n": false })));
        assert_ne!(
            usual,
            key(&query.replace("kind", "cursor"), json!({ "n": true }))
        );
    }

    #[test]
    fn what_depends_on_the_person_is_found_wherever_it_is_asked_for() {
        let is_personal = |query| operation(query, json!({})).is_personal;
        assert!(is_personal(
            "subscription { opportunityEvents { ...e } }
            fragment e on OpportunityEvent { opportunity { may: can { update } } }"
        ));
        assert!(!is_personal(
            "subscription { opportunityEvents { opportunity { can: name } } }"
        ));
    }
}
