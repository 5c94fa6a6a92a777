//! The laws of telemetry: what they need to run.

mod export;
mod lines;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use sqlx::SqlSafeStr as _;
use url::Url;

use super::*;
use crate::{
    base::ids::{TenantId, Typed as _, UserId},
    platform::telemetry::{LogFormat, TraceParents},
};

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn lines(&self) -> Vec<Value> {
        self.text()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn config(log: &str, otlp_endpoint: Option<Url>) -> TelemetryConfig {
    TelemetryConfig {
        log: log.to_owned(),
        log_format: LogFormat::Json,
        otlp_endpoint,
        sampling: Sampling {
            ratio: 1.0,
            slow: Duration::from_secs(1),
        },
        service_name: "dealgraph-under-test".to_owned(),
        trace_parents: TraceParents::Ignored,
    }
}

/// Runs the work under telemetry of its own and gives what was logged.
fn logged(config: &TelemetryConfig, work: impl FnOnce()) -> Written {
    let written = Written::default();
    let writer = written.clone();
    let (subscriber, guard) = subscriber(config, move || writer.clone()).unwrap();
    tracing::subscriber::with_default(subscriber, work);
    drop(guard);
    written
}

/// One whole request, as the server makes it.
fn serve_one(trace_parents: TraceParents, traceparent: Option<&str>) {
    let request = request_span("POST", "/graphql?query=hunter2", "/graphql", "req-7");
    trace_parents.adopt(&request, traceparent);
    let line = RequestLine::begin("req-7", request);
    finish_now(line.run(async {
        let kind = OperationKind::Query;
        note_operation(kind, Some("Board"));
        note_person(
            TenantId::from_uuid(uuid::Uuid::from_u128(1)),
            Some(UserId::from_uuid(uuid::Uuid::from_u128(2))),
        );
        let document = "query Board { viewer { id } } # hunter2";
        operation_span(kind, Some("Board"), document).in_scope(|| {
            let text = "SELECT id FROM opportunities WHERE name = 'hunter2'";
            let statement =
                Statement::begin(text.into_sql_str(), &Arc::default(), Duration::from_secs(1));
            finish_now(statement.run(async {}));
            statement.done(50);
            tracing::warn!(target: "dealgraph::db", "slow");
        });
        note_statements(2);
        note_statements(1);
    }));
    line.finish(200, "OK");
}

/// Polls work that never has to wait; the tests need no runtime and some must not have one.
fn finish_now<F: Future>(work: F) -> F::Output {
    let mut work = std::pin::pin!(work);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match work.as_mut().poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("the work has to wait"),
    }
}
