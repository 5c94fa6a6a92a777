//! What the product logs while a test runs: each test has threads of its own, so a line is known by its thread.

use std::{
    cell::RefCell,
    io,
    sync::{Arc, Mutex, Once, PoisonError},
};

use tracing_subscriber::{
    Layer as _, filter::Targets, fmt::MakeWriter, layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

thread_local! {
    static HERE: RefCell<Option<Logs>> = const { RefCell::new(None) };
}

/// The lines of one test.
#[derive(Clone, Default)]
pub(crate) struct Logs(Arc<Mutex<Vec<u8>>>);

impl Logs {
    /// Begins to capture on this thread.
    pub(super) fn capture() -> Self {
        static SUBSCRIBER: Once = Once::new();
        SUBSCRIBER.call_once(|| {
            // As talkative as can be, but for the driver, which also speaks of what the harness itself runs.
            let filter: Targets = "info,dealgraph=trace,sqlx=warn".parse().expect("a filter");
            let lines = tracing_subscriber::fmt::layer()
                .json()
                .with_writer(OfThread);
            tracing_subscriber::registry()
                .with(lines.with_filter(filter))
                .init();
        });
        let logs = Self::default();
        logs.receive_here();
        logs
    }

    /// Takes the lines of this thread from now on.
    pub(super) fn receive_here(&self) {
        HERE.with_borrow_mut(|here| *here = Some(self.clone()));
    }

    /// The lines so far that are alarms.
    pub(crate) fn errors(&self) -> Vec<String> {
        let text = self.text();
        let errors = text
            .lines()
            .filter(|line| line.contains("\"level\":\"ERROR\""));
        errors.map(str::to_owned).collect()
    }

    /// All lines so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

struct OfThread;

impl MakeWriter<'_> for OfThread {
    type Writer = Line;
    fn make_writer(&self) -> Line {
        Line(HERE.with_borrow(Clone::clone))
    }
}

struct Line(Option<Logs>);

impl io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(Logs(lines)) = &self.0 {
            lines
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
