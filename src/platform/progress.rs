//! Showing how far a long command is, on a terminal; elsewhere nothing is shown.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const LOOK: &str = "{msg:<32} {bar:30} {human_pos:>7}/{human_len}";

/// How far a command is: a bar per step, one after the other.
#[derive(Debug, Clone)]
pub struct Progress(ProgressBar);

impl Progress {
    /// Shown on stderr when that is a terminal.
    #[must_use]
    pub fn on_stderr() -> Self {
        Self::on(ProgressDrawTarget::stderr())
    }

    /// Not shown.
    #[must_use]
    pub fn hidden() -> Self {
        Self::on(ProgressDrawTarget::hidden())
    }

    fn on(target: ProgressDrawTarget) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let style =
            ProgressStyle::with_template(LOOK).expect("the template is fixed and well-formed");
        Self(bar.with_style(style))
    }

    /// Begins a step of `total` records.
    pub fn start(&self, what: impl Into<String>, total: usize) {
        self.0.set_message(what.into());
        self.0.set_length(total as u64);
        self.0.reset();
    }

    /// Counts records that are dealt with.
    pub fn advance(&self, records: usize) {
        self.0.inc(records as u64);
    }

    /// Takes the bar away, so that what is printed next stands alone.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}
