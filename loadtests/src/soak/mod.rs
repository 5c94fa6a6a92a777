//! A bounded soak: real servers, writers and subscribers, faults at random, and a checker that holds all they saw against
//! the log.
//!
//! Two servers run over one Postgres and one Redis. Writers do all there is to do with records, subscribers of every role
//! follow what they may see, receivers of webhooks are sent it and have bad moments of their own, and meanwhile servers, Redis,
//! Postgres and connections are killed. Then everything is made whole, a last write of each kind is waited for, and all that is
//! to be sent, and [`history`] judges. The seed decides what is done in which order
//! by each; how they interleave is the machine's.

mod ask;
mod balancer;
mod board;
mod clocks;
mod disk;
mod faults;
mod finale;
mod harm;
mod history;
mod judge;
mod kind;
mod log;
mod processes;
mod proxy;
mod readers;
mod receivers;
mod recovery;
mod rolling;
mod sight;
mod site;
mod stats;
mod subscribers;
mod wires;
mod world;
mod writers;

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use clap::Args;
use sqlx::Connection as _;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use self::{
    faults::Faults,
    history::Write,
    receivers::Hook,
    sight::Watch,
    site::Site,
    stats::Stats,
    subscribers::{Client, SharedState, Track},
    world::Tenant,
    writers::{Desk, Writer},
};
use crate::{
    Outcome,
    cluster::{Cluster, DATABASE},
    live::limits,
    say, server,
};

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Options {
    /// What the dice begin with; another one each time unless said.
    #[arg(long)]
    seed: Option<u64>,
    /// After so many events it ends, also when there is time left.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(i64).range(1_000..=10_000_000))]
    events: i64,
}

/// How much is done to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    /// They are killed, stopped and cut off.
    Soak,
    /// That, and all else that machines, disks and networks do.
    Chaos,
    /// They are replaced in turns behind a balancer, with so many more sockets, and nobody is to notice.
    Rolling(usize),
}

impl Plan {
    fn seconds(self) -> u64 {
        match self {
            Self::Soak => 300,
            Self::Chaos | Self::Rolling(_) => 60,
        }
    }

    /// Sockets beside those that every plan has.
    fn crowd(self) -> usize {
        match self {
            Self::Soak | Self::Chaos => 0,
            Self::Rolling(sockets) => sockets,
        }
    }

    /// How long subscribers may wait for the cursor that they begin at: they sign on one after another.
    fn start_patience(self) -> Duration {
        START_PATIENCE + Duration::from_millis(50) * u32::try_from(self.crowd()).unwrap_or(u32::MAX)
    }

    /// How long writers rest between two writes: where many watch, each of them is told.
    fn rest(self) -> Duration {
        match self {
            Self::Soak | Self::Chaos => Duration::ZERO,
            Self::Rolling(_) => Duration::from_millis(500),
        }
    }
}

/// Of the crowd, so many begin at the same time.
const AT_ONCE: usize = 50;

/// How long subscribers may wait for the cursor that they begin at.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// The tenants with how many write in each. The second one is there to receive nothing of the first.
const TENANTS: [(&str, usize); 2] = [("soak", 8), ("aside", 2)];

/// A tenant with those who write in it and those who watch it.
struct Scene {
    tenant: Arc<Tenant>,
    desk: Arc<Desk>,
    writers: usize,
    writes: Vec<Write>,
    /// Where its events are sent to.
    hooks: Vec<Hook>,
    /// How far those are who watch.
    reached: Vec<(Watch, Arc<AtomicI64>)>,
}

pub(crate) async fn run(options: &crate::Options, soak: Options, plan: Plan) -> Outcome<()> {
    limits::raise_open_files()?;
    let seed = soak.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("seed {seed}");
    let mut dice = fastrand::Rng::with_seed(seed);
    let executable = server::executable(options)?;
    let cluster = Cluster::start_empty("soak", options).await?;
    cluster.migrate().await?;
    let mut tenants = Vec::new();
    for (slug, writers) in TENANTS {
        tenants.push((
            Arc::new(Tenant::provision(&cluster, slug, &mut dice).await?),
            writers,
        ));
    }
    let site = Site::open(cluster, executable, plan, &mut dice).await?;
    let stats = Arc::<Stats>::default();
    let time = Duration::from_secs(options.seconds.unwrap_or(plan.seconds()));
    let violations = perform(
        site,
        tenants,
        plan,
        (&stats, &mut dice),
        (time, soak.events),
    )
    .await?;
    print!("{stats}");
    match violations.first() {
        None => {
            println!("PASS (seed {seed})");
            Ok(())
        }
        Some(first) => {
            for other in violations.iter().skip(1).take(20) {
                eprintln!("also: {other}");
            }
            let count = violations.len();
            Err(format!("seed {seed}: {count} violations, the first: {first}").into())
        }
    }
}

async fn perform(
    site: Site,
    tenants: Vec<(Arc<Tenant>, usize)>,
    plan: Plan,
    (stats, dice): (&Arc<Stats>, &mut fastrand::Rng),
    (time, events): (Duration, i64),
) -> Outcome<Vec<history::Violation>> {
    let addresses = site.addresses();
    let shared = Arc::new(SharedState {
        addresses: addresses.clone(),
        stats: Arc::clone(stats),
        // Where only servers are replaced, nobody else leaves.
        is_calm: AtomicBool::new(plan.crowd() > 0),
        delivered: AtomicU64::new(0),
        stop: CancellationToken::new(),
    });
    let mut scenes = Vec::new();
    let mut watching = JoinSet::new();
    for (place, (tenant, writers)) in tenants.into_iter().enumerate() {
        let desk = Desk::new(
            Arc::clone(&tenant),
            addresses.clone(),
            Arc::clone(stats),
            plan,
        );
        let mut writes = finale::set_up(&desk, dice).await?;
        let (hooks, made) = receivers::set_up(&tenant, &shared, plan, dice).await?;
        writes.extend(made);
        let mut scene = Scene {
            writes,
            hooks,
            tenant,
            desk,
            writers,
            reached: Vec::new(),
        };
        for client in subscribers::clients(&scene.tenant, &shared, dice) {
            scene.follow(&client);
            watching.spawn(async move { (place, client.run().await) });
        }
        scenes.push(scene);
    }
    if plan.crowd() > 0 {
        say(&format!("{} sockets sign on", plan.crowd()));
        let crowd = subscribers::crowd(&scenes[0].tenant, &shared, dice, plan.crowd());
        for (number, client) in crowd.into_iter().enumerate() {
            scenes[0].follow(&client);
            watching.spawn(async move { (0, client.run().await) });
            if number % AT_ONCE == AT_ONCE - 1 {
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    wait_for_all(
        &scenes.iter().collect::<Vec<_>>(),
        plan.start_patience(),
        |_| 0,
    )
    .await
    .map_err(|late| format!("{late} did not receive where it begins"))?;

    say("writing, watching and breaking");
    let (stop, heal) = (CancellationToken::new(), CancellationToken::new());
    let mut writing = JoinSet::new();
    for (place, scene) in scenes.iter().enumerate() {
        for number in 0..scene.writers {
            let writer = Writer::new(&scene.desk, place * 100 + number, dice.fork());
            let stop = stop.clone();
            writing.spawn(async move { (place, writer.run(stop).await) });
        }
    }
    let mut reading = JoinSet::new();
    if plan == Plan::Chaos {
        for scene in &scenes {
            for reader in readers::of(&scene.tenant, &addresses, stats, dice) {
                reading.spawn(reader.run(stop.clone()));
            }
        }
    }
    let (stats_of_faults, dice_of_faults) = (Arc::clone(stats), dice.fork());
    let until_healed = heal.clone();
    let mut faults = pin!(async move {
        match plan {
            Plan::Rolling(_) => rolling::run(site, stats_of_faults, until_healed).await,
            Plan::Soak | Plan::Chaos => {
                let faults = Faults::new(site, plan, stats_of_faults, dice_of_faults);
                faults.run(until_healed).await
            }
        }
    });
    let until = Instant::now() + time;
    let failed = loop {
        tokio::select! {
            ended = &mut faults => break Some(ended),
            () = sleep(Duration::from_millis(100)) => {}
        }
        if Instant::now() >= until || farthest(&scenes) >= events {
            break None;
        }
    };

    say("making everything whole");
    heal.cancel();
    let site = match failed {
        Some(ended) => ended?,
        None => faults.await?,
    };
    let mut violations = Vec::new();
    if plan == Plan::Chaos {
        violations.extend(recovery::judge(&scenes, stats, dice).await);
    }
    stop.cancel();
    while reading.join_next().await.transpose()?.is_some() {}
    while let Some(wrote) = writing.join_next().await {
        let (place, writes) = wrote?;
        scenes[place].writes.extend(writes?);
    }
    shared.is_calm.store(true, Ordering::Relaxed);
    say("waiting until all subscribers have the last writes");
    for scene in &mut scenes {
        violations.extend(finale::play(scene, &site.cluster, dice).await?);
    }
    shared.stop.cancel();
    let mut received: Vec<Vec<Track>> = scenes.iter().map(|_| Vec::new()).collect();
    while let Some(watched) = watching.join_next().await {
        let (place, tracks) = watched?;
        received[place].extend(tracks);
    }
    say("waiting until all webhooks have arrived");
    let mut database = site.cluster.superuser_of(DATABASE).await?;
    violations.extend(receivers::settle(&mut database).await?);
    database.close().await?;
    say("judging");
    if plan == Plan::Chaos {
        violations.extend(recovery::judge_memory(&site, stats));
    }
    stats.count_many("deliveries", shared.delivered.load(Ordering::Relaxed));
    violations.extend(stats.violations());
    for (scene, tracks) in scenes.into_iter().zip(received) {
        violations.extend(judge::scene(scene, tracks, &site.cluster, stats, dice).await?);
    }
    site.close().await?;
    Ok(violations)
}

impl Scene {
    fn follow(&mut self, client: &Client) {
        for track in client.tracks() {
            self.reached
                .push((track.watch.clone(), Arc::clone(&track.reached)));
        }
    }
}

/// How far the farthest subscriber is.
fn farthest(scenes: &[Scene]) -> i64 {
    let all = scenes.iter().flat_map(|scene| &scene.reached);
    all.map(|(_, reached)| reached.load(Ordering::Relaxed))
        .max()
        .unwrap_or(0)
}

/// Waits until all who watch are as far as they are to be; answers who is not in time.
async fn wait_for_all(
    scenes: &[&Scene],
    patience: Duration,
    goal: impl Fn(&Watch) -> i64,
) -> Result<(), String> {
    let until = Instant::now() + patience;
    for (watch, reached) in scenes.iter().flat_map(|scene| &scene.reached) {
        let goal = goal(watch);
        while reached.load(Ordering::Relaxed) < goal {
            if Instant::now() > until {
                let at = reached.load(Ordering::Relaxed);
                return Err(format!("{} (at {at} of {goal})", watch.name));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}
