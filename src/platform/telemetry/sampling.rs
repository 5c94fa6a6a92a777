//! Which traces are kept: a part of all, and every one that was slow or failed.
//!
//! A trace that only a look at its end can decide on waits here until the request's span ends. What ends after that is
//! decided by itself.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use moka::sync::Cache;
use opentelemetry::{
    Context, SpanId, TraceId,
    trace::{Span as _, Status, TraceContextExt as _},
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanProcessor},
};

/// Traces that wait at most, and spans of each; what is beyond is dropped rather than held in memory.
const WAITING_TRACES: u64 = 4_096;
const WAITING_SPANS: usize = 512;
/// How long a trace waits whose first span never ends.
const WAITING_FOR: Duration = Duration::from_secs(60);

/// Which traces are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// The part of all traces that are kept however they end, from 0 to 1.
    pub ratio: f64,
    /// A trace whose first span took as long is kept.
    pub slow: Duration,
}

/// What waits of a trace.
#[derive(Debug, Default)]
struct Waiting {
    spans: Mutex<Vec<SpanData>>,
}

/// Hands on the spans of traces that are kept.
#[derive(Debug)]
pub(super) struct TailSampler<P> {
    next: P,
    sampling: Sampling,
    waiting: Cache<TraceId, Arc<Waiting>>,
    /// Traces that a caller has begun, who keeps them too.
    continued: Cache<TraceId, ()>,
}

impl<P: SpanProcessor> TailSampler<P> {
    pub(super) fn new(next: P, sampling: Sampling) -> Self {
        Self {
            next,
            sampling,
            waiting: Cache::builder()
                .max_capacity(WAITING_TRACES)
                .time_to_live(WAITING_FOR)
                .build(),
            continued: Cache::builder()
                .max_capacity(WAITING_TRACES)
                .time_to_live(WAITING_FOR)
                .build(),
        }
    }

    /// Whether a trace is of the part that is kept in any case. All servers decide alike, by the trace's id.
    fn is_of_part(&self, trace: TraceId) -> bool {
        let [.., a, b, c, d, e, f, g, h] = trace.to_bytes();
        let chance = u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1;
        (chance as f64) < self.sampling.ratio * (1_u64 << 63) as f64
    }

    fn is_remarkable(&self, span: &SpanData) -> bool {
        let took = span.end_time.duration_since(span.start_time);
        matches!(span.status, Status::Error { .. })
            || took.is_ok_and(|took| took >= self.sampling.slow)
    }
}

impl<P: SpanProcessor> SpanProcessor for TailSampler<P> {
    fn on_start(&self, span: &mut Span, cx: &Context) {
        let parent = cx.span().span_context().clone();
        if parent.is_remote() && parent.is_sampled() {
            self.continued.insert(span.span_context().trace_id(), ());
        }
        self.next.on_start(span, cx);
    }

    fn on_end(&self, span: SpanData) {
        let trace = span.span_context.trace_id();
        if self.is_of_part(trace) || self.continued.contains_key(&trace) {
            return self.next.on_end(span);
        }
        let is_first = span.parent_span_id == SpanId::INVALID || span.parent_span_is_remote;
        if !is_first {
            let waiting = self.waiting.get_with(trace, Arc::default);
            let mut spans = waiting.spans.lock().unwrap_or_else(PoisonError::into_inner);
            if spans.len() < WAITING_SPANS {
                spans.push(span);
            }
            return;
        }
        let waiting = self.waiting.remove(&trace);
        if !self.is_remarkable(&span) {
            return;
        }
        if let Some(waiting) = waiting {
            let mut spans = waiting.spans.lock().unwrap_or_else(PoisonError::into_inner);
            spans.drain(..).for_each(|span| self.next.on_end(span));
        }
        self.next.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.next.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    /// Counts what it is handed.
    #[derive(Debug, Clone, Default)]
    struct Counted(Arc<Mutex<usize>>);

    impl SpanProcessor for Counted {
        fn on_start(&self, _: &mut Span, _: &Context) {}

        fn on_end(&self, _: SpanData) {
            *self.0.lock().unwrap() += 1;
        }

        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }

        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }
    }

    /// What is kept of a trace of two spans that ends like this.
    fn kept(sampling: Sampling, status: Status, pause: Duration) -> usize {
        let counted = Counted::default();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(TailSampler::new(counted.clone(), sampling))
            .build();
        let tracer = provider.tracer("test");
        tracer.in_span("request", |cx| {
            tracer.in_span("statement", |_| ());
            std::thread::sleep(pause);
            cx.span().set_status(status);
        });
        *counted.0.lock().unwrap()
    }

    #[test]
    fn a_trace_is_kept_whole_when_it_failed_or_was_slow_and_else_by_the_ratio() {
        let none = Sampling {
            ratio: 0.0,
            slow: Duration::from_secs(10),
        };
        let quick = Duration::ZERO;
        assert_eq!(kept(none, Status::Unset, quick), 0);
        assert_eq!(kept(none, Status::error("INTERNAL"), quick), 2);
        let slow = Duration::from_millis(5);
        assert_eq!(kept(Sampling { slow, ..none }, Status::Unset, slow), 2);
        let all = Sampling { ratio: 1.0, ..none };
        assert_eq!(kept(all, Status::Unset, quick), 2);
    }
}
