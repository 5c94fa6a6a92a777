//! The one log line of a request: who asked for what, how it ended, how long it took and how many statements it cost.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use opentelemetry::trace::{Status, TraceContextExt as _};
use tracing::{Instrument as _, Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{
    OperationKind,
    notes::{self, Noted, Phase},
    spans::cut,
};
use crate::base::ids::Typed as _;

/// Begun with the request and logged when it is dropped, so that a request that its client gave up has its line too.
#[derive(Debug)]
pub struct RequestLine {
    request_id: String,
    span: Span,
    started: Instant,
    noted: Arc<Mutex<Noted>>,
    end: Option<RequestEnd>,
}

#[derive(Debug, Clone)]
struct RequestEnd {
    status: u16,
    outcome: Cow<'static, str>,
}

/// Codes of errors that are not the client's; an answer that also has data carries them with status 200.
const FAULTS: [&str; 4] = ["INTERNAL", "TIMEOUT", "UNAVAILABLE", "TENANT_BUSY"];
/// A request whose client went away before the answer was ready; the status is the customary one for it in logs.
const CANCELLED: RequestEnd = RequestEnd {
    status: 499,
    outcome: Cow::Borrowed("CANCELLED"),
};
/// A request that ended in a panic.
const PANICKED: RequestEnd = RequestEnd {
    status: 500,
    outcome: Cow::Borrowed("INTERNAL"),
};

impl RequestLine {
    /// Starts the clock. The span is the one of [`request_span`](super::request_span) with the same id.
    #[must_use]
    pub fn begin(request_id: &str, span: Span) -> Self {
        Self {
            request_id: cut(request_id).to_owned(),
            span,
            started: Instant::now(),
            noted: Arc::default(),
            end: None,
        }
    }

    /// Does the request's work inside its span; what the work notes, as with
    /// [`note_statements`](super::note_statements), comes into the line. Tasks that the work spawns are outside.
    pub async fn run<F: Future>(&self, work: F) -> F::Output {
        let work = work.instrument(self.span.clone());
        notes::collect(Arc::clone(&self.noted), work).await
    }

    /// Ends the request and logs it. The outcome is `OK` or the code of the (first) error.
    pub fn finish(mut self, status: u16, outcome: impl Into<Cow<'static, str>>) {
        let outcome = outcome.into();
        self.end = Some(RequestEnd { status, outcome });
    }

    fn log(&self) {
        let unfinished = if std::thread::panicking() {
            PANICKED
        } else {
            CANCELLED
        };
        let RequestEnd { status, outcome } = self.end.clone().unwrap_or(unfinished);
        self.span
            .set_attribute("http.response.status_code", i64::from(status));
        if outcome != "OK" {
            self.span.set_attribute("error.type", outcome.to_string());
        }
        if status >= 500 || FAULTS.contains(&&*outcome) {
            self.span.set_status(Status::error(outcome.clone()));
        }
        let context = self.span.context();
        let trace = context.span().span_context().clone();
        let noted: MutexGuard<'_, Noted> =
            self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        // Outside the span: its fields are in the log line already, and as an event of the trace it would be a duplicate.
        tracing::info!(
            target: "dealgraph::request",
            parent: None,
            {
                request.id = self.request_id,
                trace.id = trace.is_valid().then(|| field::display(trace.trace_id())),
                http.status = status,
                graphql.operation.type = noted.operation.map(OperationKind::as_str),
                graphql.operation.name = noted.operation_name,
                tenant.id = noted.tenant_id.map(|id| field::display(id.uuid())),
                user.id = noted.user_id.map(|id| field::display(id.uuid())),
                db.statements = noted.statements,
                db.duration_ms = noted.phases[Phase::Database as usize].as_secs_f64() * 1_000.0,
                duration_ms = self.started.elapsed().as_secs_f64() * 1_000.0,
                outcome = &*outcome,
            },
            "request"
        );
    }
}

impl Drop for RequestLine {
    fn drop(&mut self) {
        self.log();
    }
}
