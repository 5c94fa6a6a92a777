//! Statements per event: as many as there are visibility classes, however many subscribe.

use std::time::Duration;

use tokio::time::sleep;

use super::{
    Stage,
    crowd::Crowd,
    statements::{Counts, short},
    table::{Row, Table},
    writes::Pace,
};
use crate::{Outcome, attack::Target as _, say};

/// Slow enough that no two events are worked out together.
const PACE: Pace = Pace {
    writers: 1,
    per_second: 20,
    length: Duration::from_secs(2),
};
/// Levels of the document that are read from Postgres: the deal and its stage.
const LEVELS: usize = 2;
/// The log itself is read once for all.
const LOG: usize = 1;

/// Measures. What the server asks by the clock does not count.
pub(super) async fn run(stage: &mut Stage<'_>, clock: &Counts, table: &mut Table) -> Outcome<()> {
    let (_, alone) = counted(stage, (0, 1), clock, table).await?;
    let (mut figures, mut is_met) = (Vec::new(), true);
    for (sockets, classes) in [(1, 1), (100, 1), (1_000, 1), (200, 2)] {
        let (events, counts) = counted(stage, (sockets, classes), clock, table).await?;
        let each = (counts.total() - alone.total()) as f64 / events as f64;
        // A hint that came twice may cost a look or two.
        is_met &= each <= (LOG + classes * LEVELS) as f64 + 0.1;
        figures.push(format!("{each:.2}"));
        for text in counts.0.keys() {
            let more = counts.of(text) - alone.of(text);
            if more > 0 {
                say(&format!("{more} more for {events} events: {}", short(text)));
            }
        }
    }
    table.add(
        Row::new(
            "statements per event, with 1 / 100 / 1,000 subscribers of one visibility class / 200 of two",
            figures.join(" / "),
        )
        .goal("1 for the log, and 2 levels for each class", is_met),
    );
    Ok(())
}

async fn counted(
    stage: &mut Stage<'_>,
    (sockets, classes): (usize, usize),
    clock: &Counts,
    table: &mut Table,
) -> Outcome<(usize, Counts)> {
    let mut crowd = match sockets {
        0 => None,
        _ => {
            let viewer = (classes > 1).then(|| stage.tenant.viewer.clone());
            let analyst = stage.tenant.analysts.first().cloned();
            let tokens: Vec<String> = analyst.into_iter().chain(viewer).collect();
            Some(Crowd::join(stage.server.address(), &tokens, sockets).await?)
        }
    };
    sleep(Duration::from_secs(1)).await;
    let before = stage.counter.read().await?;
    let events = match &mut crowd {
        None => stage.write(PACE).await?.len(),
        Some(crowd) => {
            let (writes, delivery) = stage.steady(crowd, PACE).await?;
            table.check("counting statements", delivery.faults, crowd);
            writes.len()
        }
    };
    let counts = stage.counter.read().await?.since(&before).without(clock);
    if let Some(crowd) = crowd {
        crowd.leave().await?;
    }
    Ok((events, counts))
}
