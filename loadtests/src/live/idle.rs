//! What subscribers cost while nothing happens: memory, statements, processor.

use std::time::Duration;

use tokio::time::sleep;

use super::{
    Stage,
    crowd::Crowd,
    limits::resident,
    statements::{Counts, short},
    table::{Row, Table, thousands},
};
use crate::{Outcome, cpu};

/// How long nothing happens.
const WINDOW: Duration = Duration::from_secs(10);
/// What a few thousand openings leave behind is tidied by then.
const SETTLED: Duration = Duration::from_secs(2);
/// Two windows see something that is done every two seconds this often apart at most.
const JITTER: i64 = 2;
const MOST_BYTES: f64 = 20_000.0;

/// A window: what was asked of Postgres, and the part of a processor that the server used.
struct Quiet {
    counts: Counts,
    processor: f64,
}

/// Measures, and leaves the crowd open; also answers what the server asks Postgres by the clock.
pub(super) async fn run(
    stage: &mut Stage<'_>,
    sockets: usize,
    table: &mut Table,
) -> Outcome<(Crowd, Counts)> {
    let none = watch(stage).await?;
    let crowd = stage.join(1).await?;
    sleep(SETTLED).await;
    let one = watch(stage).await?;
    crowd.leave().await?;
    stage.move_one().await?;
    sleep(SETTLED).await;

    let (before, _) = resident(stage.server.pid())?;
    let began = tokio::time::Instant::now();
    let crowd = stage.join(sockets).await?;
    let took = began.elapsed();
    sleep(SETTLED).await;
    let (after, most) = resident(stage.server.pid())?;
    let many = watch(stage).await?;

    let count = thousands(sockets);
    let each = after.saturating_sub(before) as f64 / sockets as f64;
    table.add(
        Row::new(
            format!("memory of the server per idle socket with a subscription, of {count}"),
            format!("{:.1} kB", each / 1e3),
        )
        .goal("< 20 kB", each < MOST_BYTES),
    );
    table.note(format!(
        "The server has {:.0} MB without and {:.0} MB with {count} sockets ({:.0} MB at most); opening them took {:.1} s. \
         Idle they take {:.1} % of one processor, of which {:.1} % without any.",
        before as f64 / 1e6,
        after as f64 / 1e6,
        most as f64 / 1e6,
        took.as_secs_f64(),
        many.processor * 100.0,
        none.processor * 100.0,
    ));
    compare(&[&none, &one, &many], &count, table);
    let mut clock = none.counts;
    clock.0.extend(one.counts.0);
    Ok((crowd, clock))
}

async fn watch(stage: &mut Stage<'_>) -> Outcome<Quiet> {
    let before = (stage.counter.read().await?, cpu::own(stage.server.pid()));
    sleep(WINDOW).await;
    let used = cpu::own(stage.server.pid()).saturating_sub(before.1);
    Ok(Quiet {
        counts: stage.counter.read().await?.since(&before.0),
        processor: used.as_secs_f64() / WINDOW.as_secs_f64(),
    })
}

fn compare(windows: &[&Quiet; 3], count: &str, table: &mut Table) {
    let [_, one, many] = windows;
    let more = |text: &&String| many.counts.of(text) > one.counts.of(text) + JITTER;
    let is_same = !many.counts.0.keys().any(|text| more(&text));
    let totals = windows.map(|window| window.counts.total().to_string());
    table.add(
        Row::new(
            format!("statements in 10 s while nothing happens, with 0 / 1 / {count} subscribers"),
            totals.join(" / "),
        )
        .goal("no more than with 1", is_same),
    );
    let mut texts: Vec<&String> = windows
        .iter()
        .flat_map(|window| window.counts.0.keys())
        .collect();
    texts.sort_unstable();
    texts.dedup();
    for text in texts {
        let counts = windows.map(|window| window.counts.of(text).to_string());
        table.note(format!(
            "by the clock, {}: `{}`",
            counts.join(" / "),
            short(text)
        ));
    }
}
