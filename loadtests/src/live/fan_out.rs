//! One event to all sockets, and ten a second, alternating with the bare server that sends the same bytes.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::{
    Stage,
    bare::Bare,
    crowd::Crowd,
    delivery::{Delivery, DeliveryFaults, Sent},
    sample::now,
    socket::renumbered,
    table::{Row, Table, thousands},
    times::Times,
    writes::Pace,
};
use crate::{Outcome, cpu};

/// How often one event is sent.
const ROUNDS: usize = 10;
/// Parts that the sustained load is cut into, ours alternating with the other's.
const BLOCKS: u32 = 2;
const PER_SECOND: u32 = 10;
const WRITERS: usize = 4;
const P99_MS: f64 = 100.0;

/// The bare server with a crowd of its own.
struct Other {
    bare: Bare,
    crowd: Crowd,
    message: String,
    seq: i64,
}

/// What sustained load came to, and the processor time that it took.
#[derive(Default)]
struct Sustained {
    delivery: Delivery,
    server: Duration,
    clients: Duration,
    database: Duration,
}

pub(super) async fn run(
    stage: &mut Stage<'_>,
    mut crowd: Crowd,
    length: Duration,
    table: &mut Table,
) -> Outcome<()> {
    let mut other = Other::start(stage, &mut crowd).await?;
    let (mut asked, mut committed, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let delivery = stage.one(&mut crowd).await?;
        table.check("one event", delivery.faults, &crowd);
        asked.push(Times::of(delivery.since_asked));
        committed.push(Times::of(delivery.since_commit));
        let delivery = other.send(1).await?;
        table.check("one event, bare", delivery.faults, &other.crowd);
        bare.push(Times::of(delivery.since_asked));
    }
    let (ours, theirs) = (Times::median(&asked), Times::median(&bare));
    let after = Times::median(&committed);
    let count = thousands(crowd.sockets());
    table.add(
        Row::new(
            format!("one event to {count} sockets, from the request that writes it"),
            ours.said(),
        )
        .beside(theirs.said(), ours.beside(&theirs))
        .goal("p99 < 100", ours.p99 < P99_MS),
    );
    table.add(
        Row::new("the same from its commit", after.said())
            .beside(theirs.said(), after.beside(&theirs))
            .goal("p99 < 100", after.p99 < P99_MS),
    );
    table.note(format!(
        "One event: the first socket has it {:.1} ms after the commit, from the bare server {:.1} ms after it got it.",
        after.min, theirs.min
    ));

    let (mut ours, mut theirs) = (Sustained::default(), Sustained::default());
    for _ in 0..BLOCKS {
        let pace = Pace {
            writers: WRITERS,
            per_second: PER_SECOND,
            length: length / BLOCKS,
        };
        let faults = ours.add_ours(stage, &mut crowd, pace).await?;
        table.check("ten events a second", faults, &crowd);
        let faults = theirs.add_theirs(&mut other, pace.count()).await?;
        table.check("ten a second, bare", faults, &other.crowd);
    }
    report(&count, ours, theirs, table);
    other.crowd.leave().await?;
    other.bare.end().await?;
    crowd.leave().await
}

fn report(count: &str, ours: Sustained, theirs: Sustained, table: &mut Table) {
    let costs = [ours.costs(), theirs.costs()];
    let (asked, bare) = (
        Times::of(ours.delivery.since_asked),
        Times::of(theirs.delivery.since_asked),
    );
    let after = Times::of(ours.delivery.since_commit);
    table.add(
        Row::new(
            format!("{PER_SECOND} events a second to {count} sockets, from the request"),
            asked.said(),
        )
        .beside(bare.said(), asked.beside(&bare)),
    );
    table.add(
        Row::new("the same from the commit", after.said()).beside(bare.said(), after.beside(&bare)),
    );
    table.add(
        Row::new(
            "processor per message and socket: server, clients, Postgres, in µs",
            costs[0].0.clone(),
        )
        .beside(
            costs[1].0.clone(),
            format!("{:.2}", costs[0].1 / costs[1].1),
        ),
    );
}

impl Sustained {
    async fn add_ours(
        &mut self,
        stage: &mut Stage<'_>,
        crowd: &mut Crowd,
        pace: Pace,
    ) -> Outcome<DeliveryFaults> {
        let read = |stage: &Stage<'_>, crowd: &Crowd| {
            let used = cpu::Used::now(&[stage.server.pid()], stage.cluster.postgres_pid());
            (used, cpu::own(crowd.pid()))
        };
        let before = read(stage, crowd);
        let delivery = stage.steady(crowd, pace).await?.1;
        let after = read(stage, crowd);
        let faults = delivery.faults;
        self.delivery.add(delivery);
        self.server += after.0.since(before.0).server;
        self.database += after.0.since(before.0).postgres;
        self.clients += after.1.saturating_sub(before.1);
        Ok(faults)
    }

    async fn add_theirs(&mut self, other: &mut Other, count: usize) -> Outcome<DeliveryFaults> {
        let read = |other: &Other| (cpu::own(other.bare.pid()), cpu::own(other.crowd.pid()));
        let before = read(other);
        let delivery = other.send(count).await?;
        let after = read(other);
        let faults = delivery.faults;
        self.delivery.add(delivery);
        self.server += after.0.saturating_sub(before.0);
        self.clients += after.1.saturating_sub(before.1);
        Ok(faults)
    }

    /// Microseconds of processor per message and socket, in words, and the server's alone.
    fn costs(&self) -> (String, f64) {
        let messages = self.delivery.since_asked.len().max(1) as f64;
        let each = |time: Duration| time.as_secs_f64() * 1e6 / messages;
        let (server, clients) = (each(self.server), each(self.clients));
        let database = each(self.database);
        (
            format!("{server:.1} / {clients:.1} / {database:.1}"),
            server,
        )
    }
}

impl Other {
    /// As many sockets, and a message of ours to send to them.
    async fn start(stage: &mut Stage<'_>, crowd: &mut Crowd) -> Outcome<Self> {
        stage.one(crowd).await?;
        let message = crowd.message.clone().ok_or("nothing was delivered")?;
        let bare = Bare::start().await?;
        let joined = Crowd::join(bare.address, &["any".to_owned()], crowd.sockets()).await?;
        let mut other = Self {
            crowd: joined,
            bare,
            message,
            seq: 0,
        };
        // The last sockets join after their clients believe so.
        sleep(Duration::from_secs(1)).await;
        other.send(1).await?;
        Ok(other)
    }

    /// Sends so many, ten a second.
    async fn send(&mut self, count: usize) -> Outcome<Delivery> {
        let (began, mut sent) = (Instant::now(), Vec::with_capacity(count));
        for nth in 0..count {
            sleep_until(began + Duration::from_secs(1) / PER_SECOND * u32::try_from(nth)?).await;
            self.seq += 1;
            let message = renumbered(&self.message, self.seq).ok_or("a message has no number")?;
            let asked = now();
            self.bare.broadcast(&message).await?;
            sent.push(Sent {
                seq: self.seq,
                asked,
                committed: asked,
            });
        }
        let received = self.crowd.gather(count).await?;
        Ok(Delivery::judge(&sent, &received))
    }
}
