//! The middle of the walk: from a document that may run to the executor's answer.

use std::{panic::AssertUnwindSafe, sync::Arc};

use async_graphql::{
    Positioned,
    parser::types::{OperationType, Selection},
};
use axum::http::{Method, StatusCode};
use futures_util::FutureExt;
use tokio::time::{Instant, timeout_at};

use super::answer::Answer;
use super::body;
use super::cache;
use super::call::Call;
use super::head::bearer;
use super::idempotency::{self, Keyed};
use super::position;
use super::prepare::{Transport, prepare, word_for};
use super::problem::Problem;
use super::{Arrival, Outcome, secrets};
use crate::{
    access::Actor,
    api::{Api, documents::Prepared, execute::Answered, live::Start, spending},
    db::journal::{Origin, RequestWork},
    platform::telemetry::{self, Phase},
};

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
    let began = Instant::now();
    let prepared = prepare(api, call, transport, outcome).await?;
    telemetry::note_phase(Phase::Document, began.elapsed());
    execute(arrival, prepared, outcome).await
}

/// What came of a request.
enum Ran {
    /// It was answered.
    Answered(Answered),
    /// It was answered before, under its idempotency key.
    Replayed(Answer),
}

/// Runs what may run.
pub(super) async fn execute(
    arrival: &Arrival<'_>,
    mut prepared: Prepared,
    outcome: &mut Outcome,
) -> Result<Answer, Problem> {
    let Arrival {
        api,
        parts,
        origin,
        deadline,
    } = arrival;
    let token = bearer(&parts.headers)?;
    let directive = cache::directive(&parts.headers);
    let executed = timeout_at(*deadline, async {
        let began = Instant::now();
        let actor = api.authenticate(token, origin).await?;
        telemetry::note_phase(Phase::Authentication, began.elapsed());
        let sees_times = api.limits().server_timing.is_for(actor.as_deref());
        require_allowed(api, actor.as_ref(), &mut prepared, outcome).await?;
        // An anonymous caller pays by waiting, attempt by attempt.
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
        let work = match idempotency::begin(arrival, actor.as_ref(), &prepared).await? {
            Keyed::Replay(answer) => {
                let spent = reserved.map(|reserved| reserved.settle(0));
                return Ok((Ran::Replayed(answer), spent, sees_times));
            }
            Keyed::Run(work) => work,
            Keyed::Without => RequestWork::default(),
        };
        if prepared.is_registered && actor.is_some() {
            api.documents().register(&prepared.document).await;
        }
        let work = Arc::new(work);
        let origin = Origin {
            work: Some(Arc::clone(&work)),
            ..origin.clone()
        };
        let began = Instant::now();
        let seen = position::seen(&parts.headers, actor.as_deref());
        let asked = (directive, seen);
        let mut answered = api
            .answer(actor.clone(), &prepared, outcome.price, asked, &origin)
            .await;
        telemetry::note_phase(Phase::Execution, began.elapsed());
        if let Some(actor) = &actor {
            idempotency::settle(arrival, actor, &work, &mut answered.response).await?;
        }
        let spent = reserved.map(|reserved| reserved.settle(answered.points));
        Ok::<_, Problem>((Ran::Answered(answered), spent, sees_times))
    });
    // A resolver that panics must not take the connection with it: the client deserves an answer.
    let (answered, spent, sees_times) = match AssertUnwindSafe(executed).catch_unwind().await {
        Ok(Ok(executed)) => executed?,
        Ok(Err(_)) => return Err(timed_out(api, outcome)),
        Err(_) => return Err(panicked(&outcome.request_id)),
    };
    let answered = match answered {
        Ran::Answered(answered) => answered,
        Ran::Replayed(mut answer) => {
            answer.disable_compression();
            answer.set_position(None);
            if let Some(spent) = spent {
                answer.set_cost(&spent);
            }
            return Ok(answer);
        }
    };
    let mut answer = Answer::executed(answered.response);
    if sees_times {
        answer.set_timing(&telemetry::phases());
    }
    if secrets::may_be_in_answer(api.shape(), &prepared) {
        answer.disable_compression();
    }
    if let Some(spent) = spent {
        answer.set_cost(&spent);
    }
    if answered.position.is_some() || parts.headers.contains_key(position::HEADER) {
        answer.set_position(answered.position);
    }
    if let Some(read) = answered.read {
        answer.set_read(read);
    }
    if let Some(status) = answered.cache {
        answer.set_cache_status(status, cache::is_status_requested(&prepared));
        if parts.method == Method::GET {
            answer.tag(&parts.headers);
        }
    }
    Ok(answer)
}

/// Passes a request that its actor may send: within the limits of their plan, and with a document that may run. Notes in
/// `outcome` what it may cost, now that the number of stages is known.
///
/// # Errors
/// The limit exceeded; 403 for a document that is not listed, where it has to be.
pub(super) async fn require_allowed(
    api: &Api,
    actor: Option<&Arc<Actor>>,
    prepared: &mut Prepared,
    outcome: &mut Outcome,
) -> Result<(), Problem> {
    let limits = api.plans().of(actor.map(|actor| &**actor));
    body::require_within(prepared.bytes, limits.body_bytes)?;
    if let Some(actor) = actor.filter(|_| prepared.measure.has_stages) {
        let stages = api.stages().most(actor).await?;
        prepared.weigh(api.shape(), stages, limits)?;
    }
    prepared.check(api.shape(), limits)?;
    outcome.nodes = prepared.measure.nodes;
    outcome.price = spending::price(prepared.operation().ty.into(), &prepared.measure);
    require_trusted(api, actor.map(|actor| &**actor), prepared)
}

/// Charges the points of one response for opening a subscription. Resuming where the server has interrupted it is free.
///
/// # Errors
/// 429 when there are not enough left.
pub(super) async fn charge_opening(
    api: &Api,
    actor: &Actor,
    start: &Start,
    price: u64,
) -> Result<(), Problem> {
    if matches!(start, Start::AfterEvent(_)) {
        return Ok(());
    }
    let reserved = api.spending().reserve(actor, price).await;
    let reserved = reserved.map_err(|overdrawn| Problem::rate_limited(price, overdrawn))?;
    reserved.settle(price);
    Ok(())
}

/// Passes a document that may run: any, or only one that the operator has listed, where that is required. The mutation
/// that lifts this requirement may always run.
///
/// # Errors
/// 403 for any other.
fn require_trusted(api: &Api, actor: Option<&Actor>, prepared: &Prepared) -> Result<(), Problem> {
    let of_tenant = actor.is_some_and(|actor| actor.trusted_documents_only);
    let is_wanted = api.limits().trusted_documents_only || of_tenant;
    if !is_wanted || api.documents().is_trusted(&prepared.document) || turns_off(prepared) {
        return Ok(());
    }
    let message = "only documents that are listed may be run here: ask whoever runs the server, or send a listed one";
    Err(Problem::request(
        StatusCode::FORBIDDEN,
        "DOCUMENT_NOT_TRUSTED",
        message,
    ))
}

/// Whether a document is nothing but a change of the tenant's settings.
fn turns_off(prepared: &Prepared) -> bool {
    let operation = prepared.operation();
    let fields = &operation.selection_set.node.items;
    let is_it = |field: &Positioned<Selection>| matches!(&field.node, Selection::Field(field) if field.node.name.node == "tenantUpdate");
    operation.ty == OperationType::Mutation && fields.len() == 1 && fields.iter().all(is_it)
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
