//! The figures as a table for docs/performance.md, and what went wrong.

use std::fmt::Write as _;

use super::{crowd::Crowd, delivery::DeliveryFaults};
use crate::{Options, cluster::Cluster, report::machine, say};

/// A line of the table.
pub(super) struct Row {
    pub(super) what: String,
    pub(super) measured: String,
    /// The bare server's figures, and how many times as long it took us.
    pub(super) limit: Option<(String, String)>,
    /// What it should be, and whether it is.
    pub(super) goal: Option<(&'static str, bool)>,
}

impl Row {
    pub(super) fn new(what: impl Into<String>, measured: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            measured: measured.into(),
            limit: None,
            goal: None,
        }
    }

    pub(super) fn beside(mut self, limit: String, ratio: String) -> Self {
        self.limit = Some((limit, ratio));
        self
    }

    pub(super) fn goal(mut self, goal: &'static str, is_met: bool) -> Self {
        self.goal = Some((goal, is_met));
        self
    }

    fn line(&self) -> String {
        let (limit, ratio) = match &self.limit {
            Some((limit, ratio)) => (limit.as_str(), ratio.as_str()),
            None => ("", ""),
        };
        let goal = match self.goal {
            Some((goal, true)) => format!("{goal}: met"),
            Some((goal, false)) => format!("{goal}: **missed**"),
            None => String::new(),
        };
        format!(
            "| {} | {} | {limit} | {ratio} | {goal} |",
            self.what, self.measured
        )
    }
}

/// Everything that was found.
#[derive(Default)]
pub(super) struct Table {
    rows: Vec<Row>,
    notes: Vec<String>,
    faults: Vec<String>,
}

impl Table {
    pub(super) fn add(&mut self, row: Row) {
        say(&row.line());
        self.rows.push(row);
    }

    /// Something to know beside the figures.
    pub(super) fn note(&mut self, note: String) {
        say(&note);
        self.notes.push(note);
    }

    /// Remembers what sockets did not get as they should have.
    pub(super) fn check(&mut self, when: &str, faults: DeliveryFaults, crowd: &Crowd) {
        if !faults.is_none() {
            self.faults.push(format!("{when}: {faults:?}"));
        }
        if let Some((count, why)) = &crowd.broken {
            self.faults
                .push(format!("{when}: {count} sockets broke: {why}"));
        }
    }

    pub(super) fn faults(&self) -> &[String] {
        &self.faults
    }

    pub(super) fn render(&self, options: &Options, cluster: &Cluster, others: f64) -> String {
        let mut text = format!(
            "\n<!-- bench-live -->\n{}, PostgreSQL {}; server, database and all clients on this machine, of which others \
             used {:.0} % meanwhile. Times in ms: p50 / p99 / longest.\n\n\
             | what | measured | bare broadcast | times as long | goal |\n|---|--:|--:|--:|---|\n",
            machine(),
            cluster.postgres_version(),
            others * 100.0,
        );
        for row in &self.rows {
            _ = writeln!(text, "{}", row.line());
        }
        text.push('\n');
        for note in &self.notes {
            _ = writeln!(text, "- {note}");
        }
        let events = match self.faults.is_empty() {
            true => "Every socket got every event once and in order.".to_owned(),
            false => format!("**Wrong:** {}", self.faults.join("; ")),
        };
        _ = writeln!(text, "- {events}\n<!-- /bench-live -->");
        if options.server.is_some() {
            text.push_str("(another build's server)\n");
        }
        text
    }
}

/// `10000` as people write it.
pub(super) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
