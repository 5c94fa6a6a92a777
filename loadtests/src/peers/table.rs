//! The figures of the three side by side.

use std::fmt::Write as _;

use super::{Contest, ContestRound};
use crate::{
    Options,
    cluster::Cluster,
    report::{machine, median},
};

/// The last round of a workload in a line, while others go on.
pub(super) fn line(contest: &Contest<'_>) -> String {
    let Contest { name, rounds, .. } = contest;
    let made = |rounds: &[ContestRound]| {
        rounds
            .last()
            .map_or(f64::NAN, |round| round.attacked.per_second)
    };
    let mut line = format!(
        "{:<16} Dealgraph {:>7.0}/s  PostGraphile {:>7.0}/s",
        name,
        made(&rounds.ours),
        made(&rounds.theirs)
    );
    if let Some(limit) = rounds.limit.last() {
        _ = write!(line, "  pgbench {limit:>7.0}/s");
    }
    line
}

/// The table, as Markdown.
pub(super) fn render((options, cluster): (&Options, &Cluster), contests: &[Contest<'_>]) -> String {
    let mut text = format!(
        "\n{}, PostgreSQL {}, {} users, everything on this machine; medians of {} alternating rounds\n\n\
         | workload | Dealgraph/s | p50 / p99 ms | PostGraphile/s | p50 / p99 ms | pgbench/s | to PostGraphile | \
         to pgbench | CPU ms: server, Postgres | PostGraphile's | MB | PostGraphile's |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        machine(),
        cluster.postgres_version(),
        options.users,
        options.rounds
    );
    for Contest { name, rounds, .. } in contests {
        let pairs = rounds.ours.iter().zip(&rounds.theirs);
        let to_peer =
            pairs.map(|(ours, theirs)| ours.attacked.per_second / theirs.attacked.per_second);
        let pairs = rounds.ours.iter().zip(&rounds.limit);
        let to_limit = pairs.map(|(ours, limit)| ours.attacked.per_second / limit);
        let (limit, to_limit) = match rounds.limit.is_empty() {
            true => (String::new(), String::new()),
            false => (
                format!("{:.0}", median(rounds.limit.clone())),
                format!("{:.2}", median(to_limit.collect())),
            ),
        };
        _ = writeln!(
            text,
            "| {} | {} | {} | {limit} | {:.1} | {to_limit} | {} | {} | {:.0} | {:.0} |",
            name,
            speed(&rounds.ours),
            speed(&rounds.theirs),
            median(to_peer.collect()),
            processor(&rounds.ours),
            processor(&rounds.theirs),
            of(&rounds.ours, |round| round.memory_mb),
            of(&rounds.theirs, |round| round.memory_mb),
        );
    }
    text
}

fn of(rounds: &[ContestRound], figure: impl Fn(&ContestRound) -> f64) -> f64 {
    median(rounds.iter().map(figure).collect())
}

fn speed(rounds: &[ContestRound]) -> String {
    format!(
        "{:.0} | {:.1} / {:.1}",
        of(rounds, |round| round.attacked.per_second),
        of(rounds, |round| round.attacked.p50_ms),
        of(rounds, |round| round.attacked.p99_ms)
    )
}

fn processor(rounds: &[ContestRound]) -> String {
    let each = |used: std::time::Duration, round: &ContestRound| {
        used.as_secs_f64() * 1e3 / round.attacked.requests.max(1) as f64
    };
    format!(
        "{:.2}, {:.2}",
        of(rounds, |round| each(round.used.server, round)),
        of(rounds, |round| each(round.used.postgres, round))
    )
}
