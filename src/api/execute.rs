//! Running an operation: from the response cache where that holds, else by the executor, and once more when it has
//! collided with others, or when the replica that it was read from has failed.

use std::{sync::Arc, time::Duration};

use async_graphql::{Response, ServerError};
use tracing::Instrument as _;

use super::{
    Api, anonymous,
    documents::Prepared,
    limits::Refusal,
    probes::RootFields,
    response_cache::{CacheDirective, CacheRequest, CacheStatus},
    shape, spending,
    staleness::{self, ReadFrom, Seen},
};
use crate::{
    access::Actor,
    base::error::Error,
    db::{Fallback, ReadSession, journal::Origin},
    events::Position,
    graphql::{RequestContext, RequestParts},
    platform::telemetry::{self, OperationKind, Phase},
};

/// How often an operation is run that collides with others each time.
const COLLIDED_TRIES: u32 = 4;
/// About how long it waits before the second time; three times as long before each further one.
const COLLIDED_PAUSE: Duration = Duration::from_millis(10);

impl Api {
    /// Answers a prepared request, from the response cache where that holds. An anonymous caller may only run what
    /// signing in takes.
    pub(super) async fn answer(
        &self,
        actor: Option<Arc<Actor>>,
        prepared: &Prepared,
        price: u64,
        (directive, seen): (CacheDirective, Seen),
        origin: &Origin,
    ) -> Answered {
        let Some(actor) = actor else {
            return Answered::uncached(self.execute_anonymous(prepared, origin).await, 0);
        };
        let kind = prepared.operation().ty.into();
        telemetry::note_operation(kind, prepared.operation_name.as_deref());
        telemetry::note_person(actor.tenant, actor.person());
        let mut answered = match kind {
            OperationKind::Query => {
                let request = CacheRequest {
                    actor: &actor,
                    prepared,
                    price,
                    directive,
                    seen,
                };
                self.answer_query(&actor, request, origin).await
            }
            _ => {
                let executed = self.execute(&actor, prepared, origin).await;
                let work = origin.work.as_ref();
                Answered {
                    seq: work.and_then(|work| work.last_seq()),
                    ..Answered::uncached(executed.response, executed.points)
                }
            }
        };
        let is_of_replica = matches!(answered.read, Some(ReadFrom::Replica { .. }));
        if seen.is_told() && !is_of_replica {
            // Asked afterwards, it is no less than what the answer shows.
            answered.seq = self.response_cache.last_seq(actor.tenant).await;
        }
        let position = answered.seq.map(|seq| Position::of(actor.tenant, seq));
        Answered {
            position,
            ..answered
        }
    }

    /// Answers a query: one that may be somewhat old from what is cached, or from the replica.
    async fn answer_query(
        &self,
        actor: &Arc<Actor>,
        request: CacheRequest<'_>,
        origin: &Origin,
    ) -> Answered {
        let (cache, prepared) = (&self.response_cache, request.prepared);
        let looked = cache.look(request);
        let mut read = None;
        if let Some(age) = staleness::allowed(request.directive) {
            if request.seen == Seen::Untold
                && let Some(answered) = cache.respond_recent(&looked, age).await
            {
                return answered;
            }
            match self
                .answer_from_replica(actor, (request, &looked), origin)
                .await
            {
                Ok(answered) => return answered,
                Err(why) => read = why.map(ReadFrom::Primary),
            }
        }
        let execute = || self.execute(actor, prepared, origin);
        let answered = cache.respond(&looked, request.directive, execute).await;
        Answered { read, ..answered }
    }

    /// Runs an operation. One that has collided with others and written nothing is run again, a few times.
    async fn execute(&self, actor: &Arc<Actor>, prepared: &Prepared, origin: &Origin) -> Executed {
        let mut pause = COLLIDED_PAUSE;
        for _ in 1..COLLIDED_TRIES {
            let executed = self.execute_once(actor, prepared, origin, None).await;
            let has_written = origin.work.as_ref().is_none_or(|work| work.has_written());
            if has_written || !executed.has_collided() {
                return executed;
            }
            self.db.metrics().database.retried.inc();
            // Each after another time, or those that have collided would do so again.
            tokio::time::sleep(pause.mul_f32(0.5 + fastrand::f32())).await;
            pause *= 3;
        }
        self.execute_once(actor, prepared, origin, None).await
    }

    /// Runs an operation once, on a snapshot that was begun before or on one of its own.
    pub(super) async fn execute_once(
        &self,
        actor: &Arc<Actor>,
        prepared: &Prepared,
        origin: &Origin,
        session: Option<ReadSession>,
    ) -> Executed {
        let executable = match prepared.executable() {
            Ok(executable) => executable,
            Err(faults) => return Executed::refused(faults),
        };
        let session = session.unwrap_or_else(|| self.db.read_session(Arc::clone(actor)));
        let context = Arc::new(RequestContext::reading(
            session,
            Arc::clone(actor),
            RequestParts {
                db: self.db.clone(),
                recorder: self.recorder.clone(),
                origin: origin.clone(),
                response_bytes: self.limits().response_bytes,
            },
        ));
        let run = async {
            let mut answering = executable.answering();
            while let Some(request) = answering.next() {
                let mut request = request.data(origin.clone()).data(Arc::clone(&context));
                if !self.limits().introspection {
                    request = request.disable_introspection();
                }
                answering.take(self.schema.execute(request).await);
            }
            answering.finish()
        };
        let (document, operation) = (&prepared.document, prepared.operation());
        let name = prepared.operation_name.as_deref();
        let span = telemetry::operation_span(operation.ty.into(), name, &document.text);
        // Tokio would make a long poll yield in the middle of a level, which would split its batches.
        let work = tokio::task::unconstrained(run);
        let response = work.instrument(span).await;
        if let Some(why) = context.interruption() {
            return Executed::interrupted(why);
        }
        let fields = RootFields::of(&document.parsed, operation, &prepared.variables);
        let is_personal = fields.note(&context, &response);
        telemetry::note_statements(context.statements());
        let (connecting, reading) = context.read_times();
        telemetry::note_phase(Phase::Connection, connecting);
        telemetry::note_phase(Phase::Database, reading);
        if context.is_too_large() {
            let bytes = context.size();
            tracing::info!(bytes, "an answer is larger than allowed and was given up");
            return Executed::aborted(self.limits().too_large());
        }
        let texts = shape::came_to(prepared.measure.texts, context.size());
        Executed {
            points: spending::spent(
                &prepared.measure,
                spending::objects(&response.data) + context.written_objects(),
            )
            .saturating_add(texts as u64),
            response,
            is_personal,
            interruption: None,
        }
    }

    async fn execute_anonymous(&self, prepared: &Prepared, origin: &Origin) -> Response {
        let (document, operation) = (&prepared.document.parsed, prepared.operation());
        let name = prepared.operation_name.as_deref();
        if anonymous::is_open(document, name) {
            telemetry::note_operation(operation.ty.into(), name);
            let executable = match prepared.executable() {
                Ok(executable) => executable,
                Err(faults) => return Response::from_errors(faults),
            };
            let mut answering = executable.answering();
            while let Some(request) = answering.next() {
                let request = request.data(origin.clone()).disable_introspection();
                answering.take(self.schema.execute(request).await);
            }
            return answering.finish();
        }
        let error = Error::Unauthenticated(
            "sign in first: send an access token as `Authorization: Bearer …`",
        );
        let mut error = async_graphql::Error::from(error).into_server_error(Default::default());
        error.locations.clear();
        Response::from_errors(vec![error])
    }
}

/// The answer to a request.
pub(super) struct Answered {
    pub(super) response: Response,
    /// What it came to, in points.
    pub(super) points: u64,
    /// What the response cache did for a query.
    pub(super) cache: Option<CacheStatus>,
    /// Where a query was read that may be somewhat old.
    pub(super) read: Option<ReadFrom>,
    /// The last event of the tenant whose effect it may show, where that is known.
    pub(super) seq: Option<i64>,
    /// The same as the client is told.
    pub(super) position: Option<Position>,
}

impl Answered {
    /// One that the response cache had no part in.
    pub(super) fn uncached(response: Response, points: u64) -> Self {
        Self {
            response,
            points,
            cache: None,
            read: None,
            seq: None,
            position: None,
        }
    }
}

/// What the executor has answered.
pub(super) struct Executed {
    pub(super) response: Response,
    /// What it came to, in points: its objects, and what it costs beside them.
    pub(super) points: u64,
    /// Whether something was recorded of the actor, so that the response is no other's.
    pub(super) is_personal: bool,
    /// Why the replica failed that it was read from; then there is no response.
    pub(super) interruption: Option<Fallback>,
}

impl Executed {
    /// Whether it failed because Postgres could not fit it between other transactions.
    fn has_collided(&self) -> bool {
        let is_collision = |error: &ServerError| matches!(error.source(), Some(Error::Collided));
        self.response.errors.iter().any(is_collision)
    }

    /// One whose replica has failed under it.
    fn interrupted(why: Fallback) -> Self {
        Self {
            interruption: Some(why),
            ..Self::refused(Vec::new())
        }
    }

    /// A request that was not run at all.
    fn refused(faults: Vec<ServerError>) -> Self {
        Self {
            response: Response::from_errors(faults),
            points: 0,
            is_personal: false,
            interruption: None,
        }
    }

    /// A response that was aborted for a limit. Nothing of what it was to cost is refunded.
    fn aborted(why: Refusal) -> Self {
        let mut error = ServerError::new(why.message, None);
        error
            .extensions
            .get_or_insert_default()
            .set("code", why.code);
        Self {
            response: Response::from_errors(vec![error]),
            points: u64::MAX,
            is_personal: false,
            interruption: None,
        }
    }
}
