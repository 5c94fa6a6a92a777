//! Faults: one after another at random, some of which last while others come.

use std::{sync::Arc, time::Duration};

use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    site::{SERVERS, Site},
    stats::Stats,
};
use crate::{Outcome, cluster::DATABASE};

#[derive(Debug, Clone, Copy)]
enum Fault {
    KillServer,
    StopServer,
    KillRedis,
    FlushRedis,
    CutRedis,
    CutPostgres,
    CrashPostgres,
    KillSessions,
}

/// Postgres comes back more slowly than the others, so it is ended more seldom.
const FAULTS: [Fault; 13] = [
    Fault::KillServer,
    Fault::KillServer,
    Fault::KillServer,
    Fault::StopServer,
    Fault::StopServer,
    Fault::KillRedis,
    Fault::KillRedis,
    Fault::FlushRedis,
    Fault::CutRedis,
    Fault::CutRedis,
    Fault::CutPostgres,
    Fault::CrashPostgres,
    Fault::KillSessions,
];

pub(crate) struct Faults {
    site: Site,
    stats: Arc<Stats>,
    dice: fastrand::Rng,
    /// All kinds, in the order in which they come at first: each comes once before any comes again at random.
    first: Vec<Fault>,
    /// What is to be started again when.
    due: Vec<(Instant, Due)>,
}

#[derive(Debug, Clone, Copy)]
enum Due {
    Server(usize),
    Redis,
}

impl Faults {
    pub(crate) fn new(site: Site, stats: Arc<Stats>, mut dice: fastrand::Rng) -> Self {
        let mut first = vec![
            Fault::KillServer,
            Fault::StopServer,
            Fault::KillRedis,
            Fault::FlushRedis,
            Fault::CutRedis,
            Fault::CutPostgres,
            Fault::CrashPostgres,
            Fault::KillSessions,
        ];
        dice.shuffle(&mut first);
        Self {
            site,
            stats,
            dice,
            first,
            due: Vec::new(),
        }
    }

    /// Does harm until it is to stop, and then makes everything whole.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Outcome<Site> {
        while !stop.is_cancelled() {
            let pause = sleep(Duration::from_millis(self.dice.u64(300..2_500)));
            stop.run_until_cancelled(pause).await;
            self.start_what_is_due().await?;
            let fault = self.first.pop();
            let fault = fault.unwrap_or_else(|| FAULTS[self.dice.usize(..FAULTS.len())]);
            if !stop.is_cancelled() && self.inflict(fault).await? {
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
                self.bring_back(Due::Server(server), was_there);
                Ok(was_there)
            }
            Fault::StopServer => {
                let was_there = self.site.stop_server(server).await?;
                self.bring_back(Due::Server(server), was_there);
                Ok(was_there)
            }
            Fault::KillRedis => {
                let was_there = self.site.kill_redis().await?;
                self.bring_back(Due::Redis, was_there);
                Ok(was_there)
            }
            Fault::FlushRedis => self.site.tell_redis("FLUSHALL").await,
            Fault::CutRedis => self.site.tell_redis("CLIENT KILL TYPE pubsub").await,
            Fault::CutPostgres => self
                .site
                .restart_postgres(Signal::SIGINT)
                .await
                .map(|()| true),
            Fault::CrashPostgres => self
                .site
                .restart_postgres(Signal::SIGQUIT)
                .await
                .map(|()| true),
            Fault::KillSessions => self.kill_sessions().await.map(|()| true),
        }
    }

    /// Ends a third of the servers' sessions, whatever they are doing.
    async fn kill_sessions(&self) -> Outcome<()> {
        let mut database = self.site.cluster.superuser_of(DATABASE).await?;
        let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                   WHERE usename LIKE 'dealgraph%' AND random() < 0.33";
        sqlx::query(sql).execute(&mut database).await?;
        Ok(())
    }

    fn bring_back(&mut self, what: Due, was_there: bool) {
        if was_there {
            let at = Instant::now() + Duration::from_millis(self.dice.u64(0..3_000));
            self.due.push((at, what));
        }
    }

    async fn start_what_is_due(&mut self) -> Outcome<()> {
        let now = Instant::now();
        let due = self.due.extract_if(.., |(at, _)| *at <= now);
        for (_, what) in due.collect::<Vec<_>>() {
            match what {
                Due::Server(server) => self.site.start_server(server).await?,
                Due::Redis => self.site.start_redis().await?,
            }
        }
        Ok(())
    }
}
