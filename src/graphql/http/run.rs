//! The middle of the walk: from a document that may run to the executor's answer.

use std::panic::AssertUnwindSafe;

use async_graphql::{Request, parser::types::OperationType};
use axum::http::{Method, StatusCode};
use futures_util::FutureExt;
use tokio::time::timeout_at;

use super::answer::Answer;
use super::call::Call;
use super::head::bearer;
use super::prepare::{Transport, prepare, word_for};
use super::problem::Problem;
use super::{Arrival, Outcome};
use crate::graphql::Api;

/// Runs what a client asked for, and notes in `outcome` what it was.
pub(super) async fn run(
    arrival: &Arrival<'_>,
    call: Call,
    outcome: &mut Outcome,
) -> Result<Answer, Problem> {
    let Arrival { api, parts, .. } = arrival;
    let transport = match parts.method {
        Method::GET => Transport::Get,
        _ => Transport::Post,
    };
    bearer(&parts.headers)?;
    let request = prepare(api, call, transport, outcome)?;
    execute(arrival, request, outcome).await
}

/// Runs what may run.
pub(super) async fn execute(
    arrival: &Arrival<'_>,
    request: Request,
    outcome: &Outcome,
) -> Result<Answer, Problem> {
    let Arrival {
        api,
        parts,
        origin,
        deadline,
    } = arrival;
    let token = bearer(&parts.headers)?;
    let request = request.data(origin.clone());
    let executed = timeout_at(*deadline, async {
        let actor = api.authenticate(token, origin).await?;
        // Who has not said who they are pays by waiting, attempt by attempt.
        let reserved = match &actor {
            Some(actor) => {
                let reserved = api.spending().reserve(actor, outcome.price).await;
                Some(
                    reserved
                        .map_err(|overdrawn| Problem::rate_limited(outcome.price, overdrawn))?,
                )
            }
            None => None,
        };
        let (response, objects) = api.execute(actor, request).await;
        Ok::<_, Problem>((response, reserved.map(|reserved| reserved.settle(objects))))
    });
    // A resolver that panics must not take the connection with it: the client deserves an answer.
    let (response, spent) = match AssertUnwindSafe(executed).catch_unwind().await {
        Ok(Ok(executed)) => executed?,
        Ok(Err(_)) => return Err(timed_out(api, outcome)),
        Err(_) => return Err(panicked(&outcome.request_id)),
    };
    let mut answer = Answer::executed(response);
    if let Some(spent) = spent {
        answer.tell_cost(&spent);
    }
    Ok(answer)
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
