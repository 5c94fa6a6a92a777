//! From the commit of a write to those who watch, while much is written.

use std::time::Duration;

use super::{
    Stage,
    table::{Row, Table},
    times::Times,
    writes::Pace,
};
use crate::Outcome;

const SOCKETS: usize = 100;
const PER_SECOND: u32 = 200;
const WRITERS: usize = 8;
/// So long it runs before it counts.
const WARM_UP: Duration = Duration::from_secs(2);
const P50_MS: f64 = 5.0;
const P99_MS: f64 = 25.0;

pub(super) async fn run(stage: &mut Stage<'_>, length: Duration, table: &mut Table) -> Outcome<()> {
    let mut crowd = stage.join(SOCKETS).await?;
    let pace = |length| Pace {
        writers: WRITERS,
        per_second: PER_SECOND,
        length,
    };
    let (_, delivery) = stage.steady(&mut crowd, pace(WARM_UP)).await?;
    table.check("200 writes a second", delivery.faults, &crowd);
    let (writes, delivery) = stage.steady(&mut crowd, pace(length)).await?;
    table.check("200 writes a second", delivery.faults, &crowd);
    let committed = Times::of(delivery.since_commit);
    table.add(
        Row::new(
            format!("{PER_SECOND} writes a second, {SOCKETS} sockets, from the commit"),
            committed.said(),
        )
        .goal(
            "p50 < 5, p99 < 25",
            committed.p50 < P50_MS && committed.p99 < P99_MS,
        ),
    );
    table.add(Row::new(
        "the same from the request",
        Times::of(delivery.since_asked).said(),
    ));
    let answered = writes.iter().map(|write| write.answered - write.asked);
    let took = Times::of(answered.collect()).said();
    let first = writes.iter().map(|write| write.asked).min();
    let last = writes.iter().map(|write| write.answered).max();
    let span = last
        .zip(first)
        .map_or(f64::NAN, |(last, first)| (last - first) as f64 / 1e6);
    table.note(format!(
        "{:.0} of {PER_SECOND} writes a second were made; their answers took {took} ms.",
        writes.len() as f64 / span
    ));
    crowd.leave().await
}
