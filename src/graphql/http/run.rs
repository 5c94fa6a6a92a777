//! The middle of the walk: from the text of a document to the executor's answer, refusing at the cheapest point.

use std::panic::AssertUnwindSafe;

use async_graphql::parser::types::{OperationDefinition, OperationType};
use async_graphql::parser::{self, parse_query};
use async_graphql::{Request, Value, Variables};
use axum::http::{Method, StatusCode};
use futures_util::FutureExt;
use tokio::time::timeout_at;

use super::answer::Answer;
use super::call::Call;
use super::head::{asks_for_cost, bearer};
use super::problem::Problem;
use super::{Arrival, Outcome};
use crate::graphql::Api;
use crate::graphql::scan::scan;
use crate::graphql::shape::select_operation;

/// Characters of an operation's name that the log keeps.
const LONGEST_NAME: usize = 100;

/// Runs what a client asked for, and notes in `outcome` what it was.
pub(super) async fn run(
    arrival: &Arrival<'_>,
    call: Call,
    outcome: &mut Outcome,
) -> Result<Answer, Problem> {
    let Arrival {
        api,
        parts,
        origin,
        deadline,
    } = arrival;
    let token = bearer(&parts.headers)?;
    let request = prepare(api, call, &parts.method, outcome)?.data(origin.clone());
    let executed = timeout_at(*deadline, async {
        let actor = api.authenticate(token, origin).await?;
        Ok::<_, Problem>(api.execute(actor, request).await)
    });
    // A resolver that panics must not take the connection with it: the client deserves an answer.
    let response = match AssertUnwindSafe(executed).catch_unwind().await {
        Ok(Ok(response)) => response?,
        Ok(Err(_)) => return Err(timed_out(api, outcome)),
        Err(_) => return Err(panicked(&outcome.request_id)),
    };
    let mut answer = Answer::executed(response);
    if asks_for_cost(&parts.headers) {
        answer.tell_cost(outcome.nodes);
    }
    Ok(answer)
}

/// Parses and measures; what comes out is safe to validate and to run.
fn prepare(
    api: &Api,
    call: Call,
    method: &Method,
    outcome: &mut Outcome,
) -> Result<Request, Problem> {
    scan(&call.query, api.limits())?;
    let document = parse_query(&call.query).map_err(|error| syntax_problem(&error))?;
    let name = call.operation_name.as_deref();
    let (selected, operation) = select_operation(&document, name)?;
    outcome.operation_type = Some(word_for(operation.node.ty));
    outcome.operation_name = selected.map(|name| name.chars().take(LONGEST_NAME).collect());
    require_transport(operation.node.ty, method)?;
    require_variables(&operation.node, &call.variables)?;
    let measure = api
        .shape()
        .measure(&document, name, &call.variables, api.limits())?;
    outcome.nodes = measure.nodes;

    let mut request = Request::new(call.query).variables(call.variables);
    request.operation_name = call.operation_name;
    request.extensions = call.extensions;
    request.set_parsed_query(document);
    Ok(request)
}

/// The parser's message quotes the document; its last line says what was expected, and that is enough.
fn syntax_problem(error: &parser::Error) -> Problem {
    let position = error.positions().next();
    let text = error.to_string();
    let reason = text
        .lines()
        .last()
        .unwrap_or_default()
        .trim()
        .trim_start_matches("= ");
    let message = match position {
        Some(at) => format!(
            "syntax error at line {}, column {}: {reason}",
            at.line, at.column
        ),
        None => format!("syntax error: {reason}"),
    };
    Problem {
        position,
        ..Problem::document("GRAPHQL_PARSE_FAILED", message)
    }
}

/// Only a query may come by GET: addresses are followed, repeated and kept by anybody. A subscription needs a stream.
fn require_transport(operation: OperationType, method: &Method) -> Result<(), Problem> {
    match operation {
        OperationType::Query => Ok(()),
        OperationType::Mutation if method == Method::GET => Err(Problem::method_not_allowed(
            "POST",
            "GET runs queries only, send a mutation with POST",
        )),
        OperationType::Mutation => Ok(()),
        OperationType::Subscription => Err(Problem::document(
            "SUBSCRIPTION_UNSUPPORTED",
            "a subscription is not served by a single HTTP answer",
        )),
    }
}

/// The executor finds a missing variable only where it is used, in the middle of the work.
fn require_variables(operation: &OperationDefinition, sent: &Variables) -> Result<(), Problem> {
    for variable in &operation.variable_definitions {
        let variable = &variable.node;
        let is_optional = variable.var_type.node.nullable || variable.default_value.is_some();
        let value = sent.get(&variable.name.node);
        let is_missing = match value {
            None => !is_optional,
            Some(value) => *value == Value::Null && !variable.var_type.node.nullable,
        };
        if is_missing {
            let message = format!(
                "the variable ${} is required and must not be null",
                variable.name.node
            );
            return Err(Problem {
                position: Some(variable.name.pos),
                ..Problem::document("BAD_USER_INPUT", message)
            });
        }
    }
    Ok(())
}

fn timed_out(api: &Api, outcome: &Outcome) -> Problem {
    let limit = api.limits().timeout.as_secs_f32();
    let doubt = if outcome.operation_type == Some(word_for(OperationType::Mutation)) {
        ", and it is not known whether it has taken effect"
    } else {
        ""
    };
    let message = format!("the request took longer than {limit} s and was given up{doubt}");
    Problem::request(StatusCode::GATEWAY_TIMEOUT, "TIMEOUT", message)
}

fn panicked(request_id: &str) -> Problem {
    tracing::error!(request.id = request_id, "a resolver panicked");
    Problem::request(
        StatusCode::INTERNAL_SERVER_ERROR,
        "INTERNAL",
        "an internal error occurred",
    )
}

const fn word_for(operation: OperationType) -> &'static str {
    match operation {
        OperationType::Query => "query",
        OperationType::Mutation => "mutation",
        OperationType::Subscription => "subscription",
    }
}
