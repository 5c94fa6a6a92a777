//! Faults: one after another at random, some of which last while others come.

use std::{pin::pin, sync::Arc, time::Duration};

use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    Plan,
    harm::{Fault, Trouble},
    processes::Process,
    proxy::Passage,
    site::{SERVERS, Site},
    stats::Stats,
    wires::To,
};
use crate::Outcome;

/// The longest that something stands still or is spoilt; longer than callers wait for a connection.
const LONGEST: u64 = 4_000;

/// How often it is looked for what is due while a server ends.
const MENDED_EVERY: Duration = Duration::from_millis(200);

pub(crate) struct Faults {
    site: Site,
    stats: Arc<Stats>,
    dice: fastrand::Rng,
    /// Those that come at random.
    all: Vec<Fault>,
    /// All kinds, in the order in which they come at first: each comes once before any comes again at random.
    first: Vec<Fault>,
    /// What is to be started again or mended when.
    due: Vec<(Instant, Due)>,
}

#[derive(Debug, Clone, Copy)]
enum Due {
    Server(usize),
    Redis,
    GoOn(Process),
    Wire(usize, To),
    Postgres,
    Clock(usize),
}

impl Faults {
    pub(crate) fn new(site: Site, plan: Plan, stats: Arc<Stats>, mut dice: fastrand::Rng) -> Self {
        let all = plan.faults();
        let mut first = all.clone();
        first.sort();
        first.dedup();
        dice.shuffle(&mut first);
        Self {
            site,
            stats,
            dice,
            all,
            first,
            due: Vec::new(),
        }
    }

    /// Does harm until it is to stop, and then makes everything whole.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Outcome<Site> {
        while !stop.is_cancelled() {
            let pause = sleep(Duration::from_millis(self.dice.u64(300..2_500)));
            stop.run_until_cancelled(pause).await;
            self.mend_what_is_due().await?;
            let mebibytes = self.site.memory() >> 20;
            self.stats.raise("MiB the largest server had", mebibytes);
            let fault = self.first.pop();
            let fault = fault.unwrap_or_else(|| self.all[self.dice.usize(..self.all.len())]);
            if stop.is_cancelled() {
                break;
            }
            let inflicted = self.inflict(fault).await;
            let inflicted = inflicted.map_err(|error| format!("{fault:?}: {error}"))?;
            if inflicted {
                self.stats.count(&format!("fault {fault:?}"));
            }
        }
        self.site.heal().await?;
        Ok(self.site)
    }

    /// Whether there was something to harm.
    async fn inflict(&mut self, fault: Fault) -> Outcome<bool> {
        let server = self.dice.usize(..SERVERS);
        match fault {
            Fault::KillServer => {
                let was_there = self.site.kill_server(server).await?;
                Ok(self.bring_back(Due::Server(server), was_there))
            }
            Fault::StopServer => {
                let Some(running) = self.site.take_server(server) else {
                    return Ok(false);
                };
                // It may need what is spoilt at the moment, which comes back meanwhile as it would otherwise.
                let mut stopping = pin!(running.stop());
                loop {
                    tokio::select! {
                        stopped = &mut stopping => break stopped?,
                        () = sleep(MENDED_EVERY) => self.mend_what_is_due().await?,
                    }
                }
                Ok(self.bring_back(Due::Server(server), true))
            }
            Fault::KillRedis => {
                let was_there = self.site.kill_redis().await?;
                Ok(self.bring_back(Due::Redis, was_there))
            }
            Fault::FlushRedis => self.site.tell_redis("FLUSHALL").await,
            Fault::CutRedis => self.site.tell_redis("CLIENT KILL TYPE pubsub").await,
            Fault::CutPostgres => self.site.restart_postgres(Signal::SIGINT).await,
            Fault::CrashPostgres => self.site.restart_postgres(Signal::SIGQUIT).await,
            Fault::KillSessions => self.site.kill_sessions().await,
            Fault::PauseServer => self.pause(Process::Server(server)),
            Fault::PausePostgres => self.pause(Process::Postgres),
            Fault::PauseRedis => self.pause(Process::Redis),
            Fault::Wire(to, trouble) => Ok(self.spoil(server, to, trouble)),
            Fault::LockTables => {
                let is_locked = self.site.lock_tables().await?;
                Ok(self.bring_back(Due::Postgres, is_locked))
            }
            Fault::TakeConnections => {
                let are_taken = self.site.take_connections().await?;
                Ok(self.bring_back(Due::Postgres, are_taken))
            }
            Fault::FillDisk => {
                let is_full = self.site.fill_disk()?;
                Ok(self.bring_back(Due::Postgres, is_full))
            }
            Fault::FillLogDisk => {
                let is_full = self.site.fill_log_disk().await?;
                Ok(self.bring_back(Due::Postgres, is_full))
            }
            Fault::SkewClock => {
                let is_wrong = match self.site.clocks.get(server) {
                    Some(clock) => clock.set_wrong(&mut self.dice).map(|()| true)?,
                    None => false,
                };
                Ok(self.bring_back(Due::Clock(server), is_wrong))
            }
            Fault::Migrate => {
                let migrated = self.site.migrate().await?;
                if !migrated {
                    self.stats.count("migrations that gave up waiting");
                }
                Ok(migrated)
            }
        }
    }

    fn pause(&mut self, what: Process) -> Outcome<bool> {
        let Some(pid) = self.site.pid(what) else {
            return Ok(false);
        };
        self.site.paused.pause(what, pid)?;
        Ok(self.bring_back(Due::GoOn(what), true))
    }

    fn spoil(&mut self, server: usize, to: To, trouble: Trouble) -> bool {
        let Some(wires) = self.site.wires.get(server) else {
            return false;
        };
        match trouble {
            Trouble::Cut => wires.cut(to),
            Trouble::Delay => {
                let delay = Duration::from_millis(self.dice.u64(20..300));
                wires.set(to, Passage::Delayed(delay));
            }
            Trouble::Slice => wires.set(to, Passage::Sliced(self.dice.usize(1..40))),
            Trouble::BlackHole => wires.set(to, Passage::BlackHole),
        }
        self.bring_back(Due::Wire(server, to), trouble != Trouble::Cut);
        true
    }

    /// Notes that something is to be brought back in a while; answers whether it is.
    fn bring_back(&mut self, what: Due, is_away: bool) -> bool {
        if is_away {
            let at = Instant::now() + Duration::from_millis(self.dice.u64(0..LONGEST));
            self.due.push((at, what));
        }
        is_away
    }

    async fn mend_what_is_due(&mut self) -> Outcome<()> {
        let now = Instant::now();
        let due = self.due.extract_if(.., |(at, _)| *at <= now);
        for (_, what) in due.collect::<Vec<_>>() {
            match what {
                Due::Server(server) => self.site.start_server(server).await?,
                Due::Redis => self.site.start_redis().await?,
                Due::GoOn(process) => self.site.paused.go_on(process),
                Due::Wire(server, to) => self.site.wires[server].set(to, Passage::Through),
                Due::Postgres => self.site.mend_postgres().await?,
                Due::Clock(server) => self.site.clocks[server].set_right()?,
            }
        }
        Ok(())
    }
}
