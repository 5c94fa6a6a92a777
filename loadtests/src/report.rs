//! The figures: medians over the rounds, beside the limit.

use std::{fmt::Write as _, sync::Arc};

use crate::{
    Options,
    attack::Attacked,
    cluster::Cluster,
    cpu::Used,
    script::Script,
    workload::{self, Workload},
};

/// What one round of one workload came to.
pub(crate) struct Round {
    pub(crate) attacked: Attacked,
    pub(crate) used: Used,
    /// What pgbench made each second, where it ran.
    pub(crate) limit: Option<f64>,
}

impl Round {
    /// The round in a line, while others go on.
    pub(crate) fn line(&self, workload: &Workload) -> String {
        let Attacked {
            per_second,
            p50_ms,
            p99_ms,
            ..
        } = self.attacked;
        let mut line = format!(
            "{:<36} {per_second:>7.0}/s  p50 {p50_ms:>6.2} ms  p99 {p99_ms:>6.2} ms",
            workload.name
        );
        if let Some(limit) = self.limit {
            _ = write!(line, "  pgbench {limit:>7.0}/s");
        }
        line
    }
}

/// All rounds of all workloads.
pub(crate) struct Results {
    workloads: Vec<(Arc<Workload>, usize, Vec<Round>)>,
}

impl Results {
    pub(crate) fn new(workloads: &[Arc<Workload>], scripts: &[Script]) -> Self {
        let entry = |(workload, script): (&Arc<Workload>, &Script)| {
            (Arc::clone(workload), script.statements, Vec::new())
        };
        Self {
            workloads: workloads.iter().zip(scripts).map(entry).collect(),
        }
    }

    pub(crate) fn add(&mut self, workload: usize, round: Round) {
        self.workloads[workload].2.push(round);
    }

    /// The table, as Markdown.
    pub(crate) fn render(&self, options: &Options, cluster: &Cluster) -> String {
        let mut text = format!(
            "\n{}, PostgreSQL {}, {} users, everything on this machine; medians of {} rounds\n\n",
            machine(),
            cluster.postgres_version(),
            options.users,
            options.rounds
        );
        text.push_str(
            "| workload | statements | requests/s | p50 ms | p99 ms | pgbench/s | ratio | CPU ms: server | Postgres | users |\n\
             |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        );
        for (workload, statements, rounds) in &self.workloads {
            let middle = |of: &dyn Fn(&Round) -> f64| median(rounds.iter().map(of).collect());
            let cpu = |of: fn(&Used) -> std::time::Duration| {
                middle(&|round| {
                    of(&round.used).as_secs_f64() * 1e3 / round.attacked.requests.max(1) as f64
                })
            };
            _ = writeln!(
                text,
                "| {} | {statements} | {:.0} | {:.2} | {:.2} | {} | {:.2} | {:.2} | {:.2} |",
                workload.name,
                middle(&|round| round.attacked.per_second),
                middle(&|round| round.attacked.p50_ms),
                middle(&|round| round.attacked.p99_ms),
                compared(rounds),
                cpu(|used| used.server),
                cpu(|used| used.postgres),
                cpu(|used| used.users),
            );
        }
        if let (Some(small), Some(large)) = (
            self.latency(workload::SMALL_DUE_LIST),
            self.latency(workload::LARGE_DUE_LIST),
        ) {
            _ = writeln!(
                text,
                "\nThe due list of 100,000 deals takes {:.2} times as long as that of 1,000 (p50), {:.2} times at p99.",
                large.0 / small.0,
                large.1 / small.1
            );
        }
        text
    }

    fn latency(&self, name: &str) -> Option<(f64, f64)> {
        let (_, _, rounds) = self
            .workloads
            .iter()
            .find(|(workload, ..)| workload.name == name)?;
        let middle = |of: fn(&Round) -> f64| median(rounds.iter().map(of).collect());
        Some((
            middle(|round| round.attacked.p50_ms),
            middle(|round| round.attacked.p99_ms),
        ))
    }
}

/// What pgbench made and which part of that we did, as two cells.
fn compared(rounds: &[Round]) -> String {
    let pairs: Vec<(f64, f64)> = rounds
        .iter()
        .filter_map(|round| Some((round.limit?, round.attacked.per_second)))
        .collect();
    if pairs.is_empty() {
        return " | ".to_owned();
    }
    let limit = median(pairs.iter().map(|(limit, _)| *limit).collect());
    let ratio = median(pairs.iter().map(|(limit, made)| made / limit).collect());
    format!("{limit:.0} | {ratio:.2}")
}

pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => figures[middle],
        _ => f64::midpoint(figures[middle - 1], figures[middle]),
    }
}

/// The processors, as the system names them.
pub(crate) fn machine() -> String {
    let known = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = known
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("unknown processor", |(_, model)| model.trim());
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{count} processors ({model})")
}
