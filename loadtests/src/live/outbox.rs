//! What recording events costs those who write: pgbench with the product's own statements, with and without the one
//! that appends the event.

use std::{path::Path, sync::Arc, time::Duration};

use sqlx::PgConnection;

use super::table::{Row, Table};
use crate::{
    Outcome, capture,
    cluster::Cluster,
    pgbench, report,
    script::Script,
    workload::{self, WorkloadKind},
};

/// Pairs of rounds.
const ROUNDS: usize = 5;
const MOST_PERCENT: f64 = 20.0;

/// The statements of a move, as they are.
pub(super) async fn script(
    cluster: &Cluster,
    executable: &Path,
    database: &mut PgConnection,
) -> Outcome<Script> {
    let everything = workload::all(database, cluster).await?;
    let moves: Vec<_> = everything
        .into_iter()
        .filter(|workload| workload.kind == WorkloadKind::Move)
        .map(Arc::new)
        .collect();
    let scripts = capture::scripts(cluster, executable, database, &moves).await?;
    Ok(scripts.into_iter().next().ok_or("nothing was captured")?)
}

pub(super) async fn run(
    cluster: &Cluster,
    with: &Script,
    (clients, length): (u16, Duration),
    table: &mut Table,
) -> Outcome<()> {
    let without = without_events(with)?;
    let (mut made, mut parts) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // The second one finds a busier disk, so they alternate.
        let (recording, silent) = if round % 2 == 0 {
            let recording = pgbench::run(cluster, with, clients, length).await?;
            (
                recording,
                pgbench::run(cluster, &without, clients, length).await?,
            )
        } else {
            let silent = pgbench::run(cluster, &without, clients, length).await?;
            (pgbench::run(cluster, with, clients, length).await?, silent)
        };
        made.push((recording, silent));
        parts.push(100.0 * (1.0 - recording / silent));
    }
    let middle = |of: fn(&(f64, f64)) -> f64| report::median(made.iter().map(of).collect());
    let cost = report::median(parts);
    table.add(
        Row::new(
            "moves a second by pgbench, with / without appending the event",
            format!(
                "{:.0} / {:.0}, {cost:.0} % less",
                middle(|made| made.0),
                middle(|made| made.1)
            ),
        )
        .goal("< 20 % less", cost < MOST_PERCENT),
    );
    Ok(())
}

/// The same transaction without its event. It takes no number for one, or the log would have holes.
fn without_events(with: &Script) -> Outcome<Script> {
    let lines = with
        .text
        .lines()
        .filter(|line| !line.starts_with("INSERT INTO events"));
    let lines: Vec<String> = lines.map(numbering_no_event).collect();
    let text = lines.join("\n") + "\n";
    let changed = with
        .text
        .lines()
        .filter(|line| !lines.iter().any(|kept| kept == line));
    // The event itself and its number, in each of the captured requests.
    if changed.count() != 2 * with.settings.len() {
        return Err("the captured statements append no events".into());
    }
    Ok(Script {
        text,
        variables: with.variables.clone(),
        settings: with.settings.clone(),
        statements: with.statements,
    })
}

/// A statement that takes numbers, taking none for events: their count is its second argument.
fn numbering_no_event(line: &str) -> String {
    const TAKES: &str = "app.take_numbers(";
    let parts = line.split_once(TAKES).and_then(|(before, arguments)| {
        let mut arguments = arguments.splitn(3, ", ");
        let (tenant, _events, rest) = (arguments.next()?, arguments.next()?, arguments.next()?);
        Some(format!("{before}{TAKES}{tenant}, 0, {rest}"))
    });
    parts.unwrap_or_else(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_and_its_number_are_left_out() {
        let with = Script {
            text: "BEGIN;\nSELECT n.last_seq FROM app.take_numbers(:a, :b, :c, :d, :e) n \\gset\n\
                   INSERT INTO events (seq) VALUES (:last_seq);\nINSERT INTO audit_log (seq) VALUES (:last_audit);\nCOMMIT;\n"
                .to_owned(),
            settings: vec![Vec::new()],
            ..Script::default()
        };
        let without = without_events(&with).unwrap();
        assert_eq!(
            without.text,
            "BEGIN;\nSELECT n.last_seq FROM app.take_numbers(:a, 0, :c, :d, :e) n \\gset\n\
             INSERT INTO audit_log (seq) VALUES (:last_audit);\nCOMMIT;\n"
        );
        assert!(without_events(&without).is_err());
    }
}
